//! A cluster to run on: the one that KUBECONFIG leads to, by `kubectl`. Tests that need it are ignored unless asked for, as
//! `scripts/test cluster` does.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testudo_core::plan::OWN_IMAGE;

use super::until;

/// A namespace of its own, which goes with all that is in it.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Any other way to a cluster may lead to one that somebody needs.
        assert!(std::env::var_os("KUBECONFIG").is_some(), "KUBECONFIG has to name a cluster to be tried on");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = Namespace { name: format!("testudo-e2e-{}-{count}", std::process::id()) };
        kubectl(&["create", "namespace", &namespace.name], "");
        // Pods are refused before it is there.
        until("the namespace has an account", || namespace.has("serviceaccount/default"));
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What `kubectl` says of this namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.feed(args, "")
    }

    /// The same, with something to read.
    pub(crate) fn feed(&self, args: &[&str], input: &str) -> String {
        let all: Vec<&str> = ["--namespace", &self.name].into_iter().chain(args.iter().copied()).collect();
        kubectl(&all, input)
    }

    fn has(&self, object: &str) -> bool {
        !self.kubectl(&["get", object, "--ignore-not-found", "--output", "name"]).is_empty()
    }

    pub(crate) fn apply(&self, object: &Value) {
        self.feed(&["apply", "--filename", "-"], &object.to_string());
    }

    /// All objects of a kind.
    pub(crate) fn list(&self, kind: &str) -> Vec<Value> {
        let text = self.kubectl(&["get", kind, "--output", "json"]);
        let list: Value = serde_json::from_str(&text).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// What runs have made and not removed.
    pub(crate) fn left(&self) -> Vec<String> {
        let ours = "app.kubernetes.io/managed-by=testudo";
        let kinds = "jobs,pods,secrets,persistentvolumeclaims";
        let text = self.kubectl(&["get", kinds, "--selector", ours, "--output", "name"]);
        text.lines().map(str::to_owned).collect()
    }

    /// Nothing of a run is there half a minute after it.
    pub(crate) fn is_soon_empty(&self) {
        let limit = Instant::now() + Duration::from_secs(30);
        while !self.left().is_empty() {
            assert!(Instant::now() < limit, "there is left {:?}", self.left());
            std::thread::park_timeout(Duration::from_millis(200));
        }
    }

    /// Starts a pod beside the runs; its address, once it can be used.
    pub(crate) fn serve(&self, name: &str, image: &str, script: &str) -> String {
        let container = json!({
            "name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script],
        });
        let spec = json!({"containers": [container], "terminationGracePeriodSeconds": 0});
        self.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}));
        self.kubectl(&["wait", "--for", "condition=Ready", "--timeout", "60s", &format!("pod/{name}")]);
        self.kubectl(&["get", "pod", name, "--output", "jsonpath={.status.podIP}"])
    }

    /// Carries out a command in a pod of `serve`. It has no input: what `kubectl exec` is given gets lost now and then.
    pub(crate) fn within(&self, name: &str, command: &[&str]) {
        self.kubectl(&[&["exec", name, "--"], command].concat());
    }

    /// Serves a repository of this machine, and says where.
    pub(crate) fn serves_git(&self, repository: &Path) -> String {
        // The protocol's own greeting names the repository; there is one only.
        let serve = "read=$(dd bs=1 count=4 2>/dev/null); dd bs=1 count=$((0x$read - 4)) >/dev/null 2>&1\n\
                     exec git -c safe.directory='*' -c uploadpack.allowAnySHA1InWant=true -c uploadpack.allowFilter=true \
                     upload-pack /tmp/repository";
        let script = format!("{}exec nc -ll -p 9418 -e sh /tmp/serve", writes("/tmp/serve", serve));
        let address = self.serve("git", OWN_IMAGE, &script);
        let folder = repository.to_str().unwrap();
        let name = format!("{}/git:/tmp/repository", self.name);
        kubectl(&["cp", folder, &name], "");
        self.within("git", &["git", "ls-remote", "--quiet", "git://127.0.0.1/repository"]);
        format!("git://{address}/repository")
    }
}

/// The part of a shell's script that makes a file of a text.
pub(crate) fn writes(path: &str, text: &str) -> String {
    format!("cat > {path} <<'END'\n{text}\nEND\n")
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Also when a test failed half-way; nobody has to wait for it.
        let _ = Command::new("kubectl")
            .args(["delete", "namespace", &self.name, "--wait=false"])
            .stdout(Stdio::null())
            .status();
    }
}

fn kubectl(args: &[&str], input: &str) -> String {
    let mut command = Command::new("kubectl");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl is needed to look at the cluster");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
