//! A namespace of its own for a test, and the binary in it.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::harness::{Ended, Place, until};

pub(crate) struct Room {
    pub(crate) place: Place,
    pub(crate) namespace: String,
}

impl Room {
    /// A namespace in which pods are admitted.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Any other way to a cluster may lead to one that somebody needs.
        assert!(std::env::var_os("KUBECONFIG").is_some(), "KUBECONFIG has to name a cluster to be tried on");
        let namespace = format!("testudo-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        kubectl(&["create", "namespace", &namespace]);
        let room = Room { place: Place::new(), namespace };
        until("the namespace has an account", || room.may(&["get", "serviceaccount", "default"]).code == Some(0));
        room
    }

    /// `kubectl` in this namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let ended = self.may(args);
        assert_eq!(ended.code, Some(0), "kubectl {args:?}: {}", ended.stderr);
        ended.stdout
    }

    fn may(&self, args: &[&str]) -> Ended {
        Command::new("kubectl").args(["--namespace", &self.namespace]).args(args).output().unwrap().into()
    }

    /// Makes objects that are written down.
    pub(crate) fn apply(&self, documents: &str) {
        self.feed(&["apply", "-f", "-"], documents);
    }

    pub(crate) fn feed(&self, args: &[&str], documents: &str) {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.namespace]).args(args).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(documents.as_bytes()).unwrap();
        let ended = Ended::from(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(0), "kubectl {args:?}: {}\n{documents}", ended.stderr);
    }

    /// Runs a workflow of this text here.
    pub(crate) fn run(&self, spec: &str, args: &[&str]) -> Ended {
        let file = self.workflow(spec);
        let fixed = ["run", &file, "--runner", "kube", "-N", &self.namespace];
        self.place.end(&fixed.into_iter().chain(args.iter().copied()).collect::<Vec<_>>())
    }

    /// Writes a workflow down; its file.
    pub(crate) fn workflow(&self, spec: &str) -> String {
        let head = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {name: demo}\nspec:\n  ";
        let path = self.place.write("demo.yaml", &format!("{head}{}", spec.replace('\n', "\n  ")));
        path.to_str().unwrap().to_owned()
    }

    /// A kubeconfig of an account of this namespace: the administrator's, with another user.
    pub(crate) fn kubeconfig_of(&self, account: &str) -> String {
        let token = self.kubectl(&["create", "token", account]);
        let config = self.kubectl(&["config", "view", "--raw", "--minify", "--flatten"]);
        let path = self.place.write(&format!("{account}.kubeconfig"), &config);
        let path = path.to_str().unwrap().to_owned();
        let user = format!("--token={}", token.trim());
        self.kubectl(&["--kubeconfig", &path, "config", "set-credentials", account, &user]);
        self.kubectl(&["--kubeconfig", &path, "config", "set-context", "--current", "--user", account]);
        path
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // It goes with all that is in it, also when a test failed half-way; nobody has to wait for that.
        kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
    }
}

fn kubectl(args: &[&str]) {
    let output = Command::new("kubectl").args(args).output().unwrap();
    assert!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}
