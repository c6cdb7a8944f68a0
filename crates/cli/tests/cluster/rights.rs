//! The Role that testudo prints is all that it needs.

use std::path::Path;

use serde_json::json;
use testudo_core::plan::OWN_IMAGE;

use crate::{
    harness::{Ended, binary},
    room::Room,
};

impl Room {
    /// The binary as an account of this namespace.
    fn end_as(&self, kubeconfig: &str, args: &[&str]) -> Ended {
        self.place.testudo(args).env("KUBECONFIG", kubeconfig).output().unwrap().into()
    }
}

#[test]
#[ignore = "needs a cluster"]
fn a_run_needs_no_more_than_the_role_that_is_printed() {
    let room = Room::new();
    let namespace = room.namespace();
    room.apply(&room.place.ok(&["kube", "rbac", "-N", namespace]).stdout);
    let kubeconfig = room.kubeconfig_of("testudo");

    let healthy = room.end_as(&kubeconfig, &["doctor", "--runner", "kube", "-N", namespace]);
    assert_eq!(healthy.code, Some(0), "{}{}", healthy.stdout, healthy.stderr);

    let file = room.workflow(
        "services: {web: {image: busybox:1.35, command: [httpd, -f, -p, '8080'], readinessProbe: {tcpSocket: {port: 8080}}}}
steps:
- parallel: {count: 2, shell: echo here}
- {run: {image: busybox:1.35, shell: echo there}}",
    );
    let run = ["run", &file, "--runner", "kube", "-N", namespace];
    let ended = room.end_as(&kubeconfig, &run);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

/// As a job of somebody's CI does: with the account of its pod, and straight to the addresses of others.
#[test]
#[ignore = "needs a cluster"]
fn a_pod_of_the_cluster_runs_workflows_there() {
    let room = Room::new();
    room.apply(&room.place.ok(&["kube", "rbac", "-N", room.namespace()]).stdout);
    let container = json!({
        "name": "main",
        "image": OWN_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "until test -f /tmp/end; do sleep 0.1; done"],
    });
    let spec = json!({"serviceAccountName": "testudo", "containers": [container], "terminationGracePeriodSeconds": 0});
    room.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ci"}, "spec": spec}).to_string());
    room.kubectl(&["wait", "--for", "condition=Ready", "--timeout", "60s", "pod/ci"]);
    let file = room.workflow("steps:\n- parallel: {count: 3, shell: 'echo from {{ index }}'}");
    for (from, to) in [(binary().as_path(), "/tmp/testudo"), (Path::new(&file), "/tmp/demo.yaml")] {
        room.kubectl(&["cp", from.to_str().unwrap(), &format!("{}/ci:{to}", room.namespace())]);
    }
    let within = |command: &[&str]| room.kubectl(&[&["exec", "ci", "--"], command].concat());
    let healthy = within(&["/tmp/testudo", "doctor", "--runner", "kube"]);
    assert!(healthy.contains(room.namespace()), "{healthy}");
    let said = within(&["/tmp/testudo", "run", "/tmp/demo.yaml", "--runner", "kube", "--artifacts", "/tmp/kept"]);
    assert!((0..3).all(|index| said.contains(&format!("from {index}\n"))), "{said}");
    let made = room.kubectl(&["get", "jobs", "-o", "name"]);
    assert_eq!(made, "", "what a run has made goes with it");
}

#[test]
#[ignore = "needs a cluster"]
fn the_doctor_names_the_verb_that_is_missing() {
    let room = Room::new();
    let namespace = room.namespace();
    let rights = room.place.ok(&["kube", "rbac", "-N", namespace, "--service-account", "ci"]).stdout;
    room.apply(&rights.replace("create, patch, delete,", "create, delete,"));
    let kubeconfig = room.kubeconfig_of("ci");
    let doctor = ["doctor", "--runner", "kube", "-N", namespace];

    let ill = room.end_as(&kubeconfig, &doctor);
    assert_eq!(ill.code, Some(1), "{}", ill.stdout);
    let missing: Vec<&str> = ill.stdout.lines().filter(|line| line.starts_with("missing")).collect();
    let [jobs] = missing.as_slice() else { panic!("{}", ill.stdout) };
    assert!(jobs.contains("jobs") && jobs.contains("not allowed: patch ("), "{jobs}");
    assert!(jobs.contains(&format!("testudo kube rbac -N {namespace}")), "{jobs}");

    let told = room.end_as(&kubeconfig, &[&doctor[..], &["-o", "json"]].concat());
    assert!(told.stdout.contains(r#""check":"jobs","detail":"not allowed: patch"#), "{}", told.stdout);
}

#[test]
#[ignore = "needs a cluster"]
fn the_doctor_knows_a_namespace_that_is_not_there() {
    let room = Room::new();
    let ill = room.place.end(&["doctor", "--runner", "kube", "-N", "testudo-nowhere"]);
    assert_eq!(ill.code, Some(1), "{}", ill.stdout);
    assert!(ill.stdout.contains("there is no namespace testudo-nowhere"), "{}", ill.stdout);
}
