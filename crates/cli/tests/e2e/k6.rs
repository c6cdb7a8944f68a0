//! The manual's documents on k6 as they stand there, with the real program against a server in the cluster. The internet
//! is stood in for: their repository by a folder of this machine, their hosts by that server, and by documents beside
//! them the template and the workflow that they expect to be installed.

use std::{path::PathBuf, process::Command};

use crate::harness::{Place, cluster::writes, fixture};

fn manual(name: &str) -> String {
    let path = fixture("x").with_file_name(format!("../corpus/docs/articles.test-workflows-{name}.yaml"));
    assert!(path.exists(), "{}", path.display());
    path.to_str().unwrap().to_owned()
}

const SERVER: &str = "
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.send_response(200); self.send_header('Content-Length', '4'); self.end_headers(); self.wfile.write(b'here')
    def log_message(self, *said):
        print(self.headers['Host'], self.headers['X-Segment'], flush=True)
server = http.server.ThreadingHTTPServer(('', 8080), Handler)
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

/// Starts a server in the cluster; its address.
fn serve(place: &Place, certificate: &str) -> String {
    let argument = if certificate.is_empty() { "" } else { "/tmp/certificate" };
    let (certificate, server) = (writes("/tmp/certificate", certificate), writes("/tmp/server", SERVER));
    let script = format!("{certificate}{server}exec python3 /tmp/server {argument}");
    let address = place.cluster().serve("web", "docker.io/library/python:3", &script);
    let is_up = "import socket, time\nfor _ in range(300):\n try: socket.create_connection(('127.0.0.1', 8080)); break\n \
                 except OSError: time.sleep(0.1)\n";
    place.cluster().within("web", &["python3", "-c", is_up]);
    address
}

#[test]
#[ignore = "needs a cluster"]
fn the_manuals_distributed_k6_runs_unmodified() {
    let place = Place::on_cluster();
    let address = serve(&place, "");
    place.write(
        "tree/test/k6/k6-smoke-test.js",
        &format!(
            "import http from 'k6/http';
import exec from 'k6/execution';
import {{ check, sleep }} from 'k6';
export const options = {{ thresholds: {{ checks: ['rate==1.0'] }} }};
export default function () {{
  const segment = String(exec.test.options.executionSegment);
  const answer = http.get('http://{address}:8080/', {{ headers: {{ 'X-Segment': segment }} }});
  check(answer, {{
    'it answers': (answer) => answer.status === 200,
    'the parameter is there': () => __ENV.K6_ENV_FROM_PARAM === 'K6_ENV_FROM_PARAM_value',
    'the variable is there': () => __ENV.K6_SYSTEM_ENV === 'K6_SYSTEM_ENV_value',
  }});
  sleep(1);
}}
"
        ),
    );
    let evenly = place.write(
        "evenly.yaml",
        "apiVersion: testworkflows.testkube.io/v1
kind: TestWorkflowTemplate
metadata: {name: distribute--evenly}
spec:
  pod:
    topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: {matchLabels: {distribute-evenly: '{{ execution.id }}-worker'}}
    labels: {distribute-evenly: '{{ execution.id }}-worker'}
",
    );
    let document = manual("parallel__example-distributed-k6");
    let ended = place.end(&["run", &document, evenly.to_str().unwrap(), "--content", "tree"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let seen = place.cluster().kubectl(&["logs", "web"]);
    for worker in 1..=10 {
        let logs = place.logs(&["--worker", &format!("{worker}/10")]);
        assert!(logs.contains("checks") && logs.contains("100.00%"), "{logs}");
    }
    let segments: std::collections::BTreeSet<&str> =
        seen.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(segments.len(), 10, "{segments:?}");
    // A hundred users for five seconds, each once a second.
    let asked = seen.lines().filter(|line| line.starts_with(&address)).count();
    assert!(asked >= 200, "{asked} requests");
    place.cluster().is_soon_empty();
}

/// A key and what goes with it, for nobody in particular.
fn certificate(place: &Place) -> String {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=testkube.io"])
        .args(["-keyout", "-", "-out", "-"])
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap()
}

#[test]
#[ignore = "needs a cluster"]
fn the_manuals_suite_of_a_matrix_runs_unmodified() {
    let place = Place::on_cluster();
    let address = serve(&place, &certificate(&place));
    let smoke: PathBuf = place.write(
        "smoke.yaml",
        &format!(
            "apiVersion: testworkflows.testkube.io/v1
kind: TestWorkflow
metadata: {{name: k6-workflow-smoke}}
spec:
  config:
    target: {{type: string}}
  content:
    files:
    - path: /data/smoke.js
      content: |
        import http from 'k6/http';
        import {{ check, sleep }} from 'k6';
        export const options = {{
          vus: 2, duration: '2s', insecureSkipTLSVerify: true, thresholds: {{ checks: ['rate==1.0'] }},
          hosts: {{ 'testkube.io:443': '{address}:8080', 'docs.testkube.io:443': '{address}:8080' }},
        }};
        export default function () {{
          const answer = http.get(__ENV.TARGET);
          check(answer, {{ 'it answers': (answer) => answer.status === 200 }});
          sleep(0.5);
        }}
  steps:
  - name: Run test
    run:
      image: grafana/k6:1.1.0
      env: [{{name: TARGET, value: '{{{{ config.target }}}}'}}]
      shell: k6 run /data/smoke.js
"
        ),
    );
    let document = manual("matrix-and-sharding__example-matrix-test-suite");
    let ended = place.end(&["run", &document, smoke.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let listed = place.ok(&["ls", "k6-workflow-smoke"]).stdout;
    assert_eq!((listed.lines().count(), listed.matches("passed").count()), (2, 2), "{listed}");
    let seen = place.cluster().kubectl(&["logs", "web"]);
    for host in ["testkube.io", "docs.testkube.io"] {
        assert!(seen.lines().any(|line| line.starts_with(&format!("{host} "))), "{host}: {seen}");
    }
    place.cluster().is_soon_empty();
}
