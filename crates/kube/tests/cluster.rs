//! Pods do what all units do, on the cluster that KUBECONFIG leads to: `scripts/test cluster`. `TESTUDO_IMAGE` names our
//! image where its nodes have it under another name than the default.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::{
    Api, Client, ResourceExt,
    api::{AttachParams, DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use testudo_engine::{Runner, UnitSpec, suites::Premises};
use testudo_kube::{KubeRunner, RootKey, Settings};
use tokio::{io::AsyncReadExt, runtime::Handle, task::block_in_place, time::sleep};

testudo_engine::runner_suite!(
    #[ignore = "needs a cluster"]
    pods,
    Pods,
    Pods::new()
);

/// A namespace, and a runner that has it for itself.
struct Pods {
    runner: KubeRunner,
    client: Client,
    namespace: String,
}

/// Waits, where a test may not.
fn wait<T>(future: impl Future<Output = T>) -> T {
    block_in_place(|| Handle::current().block_on(future))
}

impl Pods {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Any other way to a cluster may lead to one that somebody needs.
        assert!(std::env::var_os("KUBECONFIG").is_some(), "KUBECONFIG has to name a cluster to be tried on");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("testudo-suite-{}-{count}", std::process::id());
        wait(async {
            let client = Client::try_default().await.unwrap();
            prepare(&client, &namespace).await;
            let runner = KubeRunner::new(Some(&namespace), settings).await.unwrap();
            Pods { runner, client, namespace }
        })
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

fn settings(namespace: String) -> Settings {
    let version = env!("CARGO_PKG_VERSION");
    let image = std::env::var("TESTUDO_IMAGE").unwrap_or_else(|_| format!("docker.io/testudo/testudo:{version}"));
    Settings {
        namespace,
        image,
        root: "suite".to_owned(),
        workflow: "suite".to_owned(),
        key: RootKey::new([7; 32]),
        orphan_limit: Duration::from_mins(2),
        grace: Duration::from_secs(5),
        ttl: Duration::from_mins(5),
        queue: None,
        provided: BTreeSet::new(),
    }
}

/// Makes a namespace in which pods are admitted.
async fn prepare(client: &Client, name: &str) {
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), name);
    while accounts.get_opt("default").await.unwrap().is_none() {
        sleep(Duration::from_millis(50)).await;
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        // It goes with all that is in it, also when a test failed half-way; nobody has to wait for that.
        let _ = wait(namespaces.delete(&self.namespace, &DeleteParams::default()));
    }
}

impl Premises for Pods {
    fn runner(&self) -> &dyn Runner {
        &self.runner
    }

    fn kill(&self, _: &UnitSpec) {
        let at_once = DeleteParams::default().grace_period(0);
        wait(self.pods().delete_collection(&at_once, &ListParams::default())).unwrap();
    }

    fn runs(&self, _: &UnitSpec, mark: &str) -> bool {
        let commands = async {
            let pods = self.pods();
            let mut found = String::new();
            for pod in pods.list(&ListParams::default()).await.unwrap() {
                let look = ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"];
                // Of a pod that is on its way out nobody can say more than that.
                let Ok(mut inside) = pods.exec(&pod.name_any(), look, &AttachParams::default()).await else { continue };
                let _ = inside.stdout().unwrap().read_to_string(&mut found).await;
            }
            found
        };
        wait(commands).contains(&format!("sleep {mark}"))
    }

    fn carry<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(test)
    }
}
