//! The runner: the only one here that waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{
    FutureExt, StreamExt,
    stream::{BoxStream, unfold},
};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{PersistentVolumeClaim, Pod, Secret},
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PropagationPolicy},
};
use serde_json::{Value, json};
use testudo_core::plan::Role;
use testudo_engine::{Duplex, Reap, Runner, RunnerError, Sighting, UnitSpec};
use tokio::time::{Instant, sleep};

use crate::{
    RootKey,
    cluster::{Cluster, KubeError},
    jobs::Jobs,
    manifest,
    manifest::INDEX,
    names::{self, EXECUTION, FIELD_MANAGER},
    observe::{self, JobView},
    reach::{Way, reach},
    watch::Watches,
};

/// How units are set up in a cluster.
#[derive(Clone)]
pub struct Settings {
    pub namespace: String,
    /// Our own image: the agent in it is what runs in every pod.
    pub image: String,
    /// The execution that all others of the run hang below.
    pub root: String,
    pub workflow: String,
    pub key: RootKey,
    /// Without a word from anybody for so long a unit stops by itself.
    pub orphan_limit: Duration,
    /// What a unit gets to end in order when the cluster takes it away.
    pub grace: Duration,
    /// How long the cluster keeps a Job that has ended and was not removed.
    pub ttl: Duration,
    /// The Kueue queue that admits Jobs.
    pub queue: Option<String>,
    /// References whose values travel in `begin`; all others are the cluster's own.
    pub provided: BTreeSet<String>,
}

/// Units as Jobs of a cluster.
pub struct KubeRunner {
    client: Client,
    way: Way,
    settings: Settings,
    /// By namespace: that of the run, and those that workflows name.
    watches: Mutex<BTreeMap<String, Arc<Watches>>>,
    jobs: Jobs,
    /// How many pods are about to start.
    starting: AtomicUsize,
}

/// Before the first attempt to reach a pod that is not known to run yet: none is there sooner. What the kubelet says of
/// it comes a second late, which is half of a short run; but each attempt costs the cluster 15 ms of CPU.
const FIRST: Duration = Duration::from_millis(250);
/// Before the second one; later ones wait longer.
const EAGER: Duration = Duration::from_millis(150);
/// For how long that is tried. Where a pod takes longer to start, the second matters less.
const EAGERNESS: Duration = Duration::from_millis(1200);
/// Nor is it tried where more of them are about to start, and the nodes have enough to do.
const EAGER_PODS: usize = 3;

impl KubeRunner {
    /// Runs units in the cluster and namespace that the environment leads to: see [`Cluster::find`].
    pub async fn new(namespace: Option<&str>, settings: impl FnOnce(String) -> Settings) -> Result<Self, KubeError> {
        let Cluster { client, way, namespace, server: _ } = Cluster::find(namespace).await?;
        let settings = settings(namespace);
        let (watches, jobs, starting) = (Mutex::default(), Jobs::default(), AtomicUsize::new(0));
        let runner = KubeRunner { client, way, settings, watches, jobs, starting };
        runner.watching(&runner.settings.namespace);
        Ok(runner)
    }

    /// What is known of a namespace, which is looked at from the first unit in it on.
    fn watching(&self, namespace: &str) -> Arc<Watches> {
        let mut all = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watches) = all.get(namespace) {
            return watches.clone();
        }
        let watches = Arc::new(Watches::begin(&self.client, namespace, &self.settings.root));
        all.insert(namespace.to_owned(), watches.clone());
        watches
    }

    /// What is known of the namespace of a unit.
    fn around(&self, unit: &UnitSpec) -> Arc<Watches> {
        self.watching(names::namespace(unit, &self.settings))
    }

    fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Makes an object be as it should.
    async fn apply<K>(&self, unit: &UnitSpec, name: &str, object: &Value) -> Result<K, RunnerError>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
        K::DynamicType: Default,
    {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match self.api::<K>(names::namespace(unit, &self.settings)).patch(name, &params, &Patch::Apply(object)).await {
            Ok(object) => Ok(object),
            Err(error) => Err(failed(error).await),
        }
    }
}

impl KubeRunner {
    /// Makes a Job, unless it is there, and what goes with it.
    async fn make(&self, unit: &UnitSpec, known: Option<JobView>) -> Result<(), RunnerError> {
        let name = names::job(unit);
        let uid = if let Some(job) = known {
            job.uid
        } else {
            let job = JobView::of(&self.apply(unit, &name, &manifest::job(unit, &self.settings)).await?);
            self.around(unit).made(unit, &job);
            job.uid
        };
        // The Job comes first, so that all else goes with it; the kubelet asks for the Secret later than this.
        let owners = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}]);
        let mut secret = manifest::secret(unit, &self.settings);
        secret["metadata"]["ownerReferences"] = owners.clone();
        self.apply::<Secret>(unit, &name, &secret).await?;
        for (name, mut claim) in manifest::claims(unit, &self.settings) {
            claim["metadata"]["ownerReferences"] = owners.clone();
            self.apply::<PersistentVolumeClaim>(unit, &name, &claim).await?;
        }
        Ok(())
    }

    /// Removes a Job and all that goes with it. With an execution's own unit goes whatever is left of the execution.
    async fn remove(&self, unit: &UnitSpec, name: &str) -> Result<(), RunnerError> {
        let background = Some(PropagationPolicy::Background);
        let how = DeleteParams { propagation_policy: background, ..DeleteParams::default() };
        let namespace = names::namespace(unit, &self.settings);
        if matches!(unit.plan.role, Role::Main) && !self.jobs.any_stays() {
            let all = self.watches.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for (namespace, _) in all.iter().filter(|(_, watches)| watches.others(unit)) {
                let labels = format!("{EXECUTION}={}", names::label(&unit.execution));
                self.remove_all::<Job>(namespace, &how, &labels).await?;
            }
            if all.get(namespace).is_some_and(|watches| watches.others(unit)) {
                return Ok(());
            }
        }
        match self.api::<Job>(namespace).delete(name, &how).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(failed(error).await),
        }
    }

    async fn remove_all<K>(&self, namespace: &str, how: &DeleteParams, labels: &str) -> Result<(), RunnerError>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
        K::DynamicType: Default,
    {
        match self.api::<K>(namespace).delete_collection(how, &ListParams::default().labels(labels)).await {
            Ok(_) => Ok(()),
            // Nor is the namespace there.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(failed(error).await),
        }
    }
}

#[async_trait]
impl Runner for KubeRunner {
    async fn ensure(&self, unit: &UnitSpec) -> Result<(), RunnerError> {
        let watches = self.around(unit);
        watches.listed().await;
        let known = watches.of(unit).borrow().clone();
        if known.removed.is_some() || known.pod.is_some() {
            return Ok(());
        }
        // All units of a Job ask for it; the first makes it.
        let made = self.jobs.of(unit);
        made.begun.get_or_try_init(|| self.make(unit, known.job)).await?;
        made.enter(unit);
        Ok(())
    }

    fn observe(&self, unit: &UnitSpec) -> BoxStream<'static, Sighting> {
        let watches = self.around(unit);
        let (view, listed) = (watches.of(unit), watches.listed());
        // Not yet said, said before, or over.
        let state = Some((view, None::<Sighting>));
        let sightings = unfold(state, |state| async move {
            let (mut view, mut last) = state?;
            loop {
                let now = observe::sighting(&view.borrow_and_update());
                if last.as_ref() != Some(&now) {
                    last = Some(now.clone());
                    let over = matches!(now, Sighting::Gone { .. } | Sighting::Ended { .. });
                    return Some((now, (!over).then_some((view, last))));
                }
                view.changed().await.ok()?;
            }
        });
        // What is not known yet may be there all the same.
        listed.map(|()| sightings).flatten_stream().boxed()
    }

    async fn connect(&self, unit: &UnitSpec) -> Result<Box<dyn Duplex>, RunnerError> {
        let key = self.settings.key.of(&unit.execution, &unit.key.to_string());
        let watches = self.around(unit);
        let mut views = watches.of(unit);
        let mut eager = None;
        watches.listed().await;
        loop {
            let view = views.borrow_and_update().clone();
            match observe::sighting(&view) {
                Sighting::Gone { reason } => return Err(RunnerError::Gone(reason)),
                // What it told the kubelet comes by the other way.
                Sighting::Ended { .. } => std::future::pending().await,
                Sighting::Waiting { .. } | Sighting::Leaving { .. } | Sighting::Present { .. } => {}
            }
            let gone = || RunnerError::Gone("it was reaped".to_owned());
            let Some(pod) = view.pod.filter(|pod| observe::may_answer(pod)) else {
                views.changed().await.map_err(|_| gone())?;
                continue;
            };
            let running = observe::leads(&pod);
            if !running {
                tokio::select! {
                    biased;
                    changed = views.changed() => {
                        changed.map_err(|_| gone())?;
                        continue;
                    }
                    () = eager.get_or_insert_with(|| Eager::new(&self.starting)).turn() => {}
                }
            }
            match reach(self.way, &self.client, names::namespace(unit, &self.settings), &pod, &key).await {
                Ok(stream) => return Ok(stream),
                Err(error) if running => return Err(RunnerError::Unreachable(error)),
                Err(_) => {}
            }
        }
    }

    async fn reap(&self, unit: &UnitSpec, how: Reap) -> Result<(), RunnerError> {
        let name = names::job(unit);
        if how == Reap::Now && !unit.leave {
            let (_, index) = names::place(unit);
            let pods = format!("batch.kubernetes.io/job-name={name},{INDEX}={index}");
            let at_once = DeleteParams::default().grace_period(0);
            self.remove_all::<Pod>(names::namespace(unit, &self.settings), &at_once, &pods).await?;
        }
        // A pod that has heard that it may go ends by itself, and the next unit of its Job takes its turn.
        let made = self.jobs.of(unit);
        if made.leave(unit) {
            self.remove(unit, &name).await?;
            self.around(unit).removed(unit);
            self.jobs.forget(unit);
        }
        self.around(unit).forget(unit);
        Ok(())
    }
}

/// The attempts to reach a pod that is not known to run yet.
struct Eager<'a> {
    /// How many pods are waited for so.
    starting: &'a AtomicUsize,
    began: Option<Instant>,
    attempts: u32,
}

impl<'a> Eager<'a> {
    fn new(starting: &'a AtomicUsize) -> Self {
        starting.fetch_add(1, Ordering::Relaxed);
        Eager { starting, began: None, attempts: 0 }
    }

    /// Waits until the next attempt; for ever once there were enough.
    async fn turn(&mut self) {
        let began = *self.began.get_or_insert_with(Instant::now);
        sleep(self.attempts.checked_sub(1).map_or(FIRST, |more| EAGER * 5_u32.pow(more) / 4_u32.pow(more))).await;
        if self.starting.load(Ordering::Relaxed) > EAGER_PODS || began.elapsed() > EAGERNESS {
            std::future::pending::<()>().await;
        }
        self.attempts += 1;
    }
}

impl Drop for Eager<'_> {
    fn drop(&mut self) {
        self.starting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a failed request means for whoever asked. Waits for as long as the cluster asks to be left alone.
async fn failed(error: kube::Error) -> RunnerError {
    match error {
        kube::Error::Api(status) if status.code != 429 && (400..500).contains(&status.code) => {
            RunnerError::Refused(format!("the cluster refuses: {}", status.message))
        }
        kube::Error::Api(status) => {
            let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            sleep(Duration::from_secs(u64::from(asked))).await;
            RunnerError::Unreachable(io::Error::other(status.message))
        }
        error => RunnerError::Unreachable(io::Error::other(error)),
    }
}
