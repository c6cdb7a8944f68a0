//! A namespace of its own for a test, and the binary in it.

use crate::harness::{Ended, Place, cluster::Namespace};

pub(crate) struct Room {
    /// Its runs are told each time that a cluster carries them out: not all that is tried here is a run.
    pub(crate) place: Place,
    own: Namespace,
}

impl Room {
    /// A namespace in which pods are admitted.
    pub(crate) fn new() -> Self {
        Room { place: Place::new(), own: Namespace::new() }
    }

    pub(crate) fn namespace(&self) -> &str {
        self.own.name()
    }

    /// `kubectl` in this namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.own.kubectl(args)
    }

    /// Makes objects that are written down.
    pub(crate) fn apply(&self, documents: &str) {
        self.feed(&["apply", "-f", "-"], documents);
    }

    pub(crate) fn feed(&self, args: &[&str], documents: &str) {
        self.own.feed(args, documents);
    }

    /// Runs a workflow of this text here.
    pub(crate) fn run(&self, spec: &str, args: &[&str]) -> Ended {
        let file = self.workflow(spec);
        let fixed = ["run", &file, "--runner", "kube", "-N", self.namespace()];
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
