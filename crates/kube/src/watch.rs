//! One watch for the Pods of a run and one for its Jobs, shared by all who look after its units.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Preconditions},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use testudo_engine::UnitSpec;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep,
};

use crate::{
    events,
    manifest::INDEX,
    names::{self, EXECUTION, PLACE, ROOT, label},
    observe::{self, JobView, Silent, View, removal},
};

/// A Job as its objects name it: the execution's label, and where in the execution it hangs.
type JobName = (String, String);
/// A unit: a pod of a Job, by its number.
type Name = (JobName, usize);
/// A pod, by its unit and its uid.
type PodName = (Name, String);

/// What is known of a run. The lock is held for a look or a change and never across a wait.
#[derive(Clone, Default)]
pub(crate) struct Known(Arc<Mutex<Objects>>);

impl Known {
    /// Objects that hold units up and do not say themselves why.
    pub(crate) fn silent(&self) -> BTreeSet<Silent> {
        lock(self).units.values().filter_map(|view| observe::silent(&view.borrow())).collect()
    }

    /// Brings what was told of objects, by their uid, to the units that wait for them.
    pub(crate) fn tell(&self, told: &BTreeMap<String, String>) {
        for view in lock(self).units.values() {
            view.send_if_modified(|view| {
                let Some(silent) = observe::silent(view) else { return false };
                let Some(text) = told.get(silent.uid()) else { return false };
                let known = view.told.as_ref().filter(|(of, _)| of == silent.uid());
                let changes = known.is_none_or(|(_, known)| !observe::repeats(known, text));
                if changes {
                    view.told = Some((silent.uid().to_owned(), text.clone()));
                }
                changes
            });
        }
    }
}

#[derive(Default)]
struct Objects {
    units: BTreeMap<Name, watch::Sender<View>>,
    /// All pods that there are of a unit: one, but for moments in which the cluster has lost count.
    pods: BTreeMap<Name, Vec<Arc<Pod>>>,
    jobs: BTreeMap<JobName, JobView>,
    /// Jobs that were removed here, by their ids, until the watch has heard of it.
    removed: BTreeSet<String>,
}

impl Objects {
    /// A unit's view, which knows of its Job what is known.
    fn unit(&mut self, name: Name) -> &mut watch::Sender<View> {
        let job = self.jobs.get(&name.0).cloned();
        self.units.entry(name).or_insert_with(|| watch::channel(View { job, ..View::default() }).0)
    }

    /// Brings what was found of a pod to its unit; the pods of it that are too many.
    fn pod(&mut self, (name, uid): &PodName, found: &Found<Pod>) -> Vec<Arc<Pod>> {
        if let Some(siblings) = self.pods.get_mut(name) {
            siblings.retain(|known| known.metadata.uid.as_ref() != Some(uid));
        }
        let Found::There(pod) = found else {
            self.pods.retain(|_, siblings| !siblings.is_empty());
            if let Some(view) = self.units.get(name) {
                view.send_if_modified(|view| is_gone(view, uid, found));
            }
            return Vec::new();
        };
        self.pods.entry(name.clone()).or_default().push(pod.clone());
        // What is on its way out does not bring a unit back that was forgotten.
        if pod.metadata.deletion_timestamp.is_some() && !self.units.contains_key(name) {
            return Vec::new();
        }
        let siblings = self.pods[name].clone();
        let mut surplus = Vec::new();
        self.unit(name.clone()).send_if_modified(|view| {
            let of_view: Vec<&Arc<Pod>> = siblings.iter().filter(|pod| concerns(view, pod)).collect();
            let known = view.pod.as_ref().and_then(|pod| pod.metadata.uid.clone());
            // Times have the grain of a second.
            let age = |pod: &&&Arc<Pod>| (pod.creation_timestamp(), pod.uid() != known, pod.name_any());
            let Some(first) = of_view.iter().min_by_key(age) else { return false };
            let others = of_view.iter().filter(|other| other.uid() != first.uid());
            surplus.extend(others.filter(|other| observe::may_run(other)).map(|other| Arc::clone(other)));
            let changes = first.uid() != known || Arc::ptr_eq(first, pod);
            if changes {
                view.pod = Some(Arc::clone(first));
            }
            changes
        });
        surplus
    }

    /// Brings what has changed about a Job to all its units.
    fn job(&mut self, name: &JobName, job: Option<&JobView>) {
        let before = match job {
            Some(job) => self.jobs.insert(name.clone(), job.clone()),
            None => self.jobs.remove(name),
        };
        if before.as_ref() == job {
            return;
        }
        for (_, view) in self.units.range((name.clone(), 0)..=(name.clone(), usize::MAX)) {
            view.send_modify(|view| {
                view.job = job.cloned();
                // Its pod may still say how it ended.
                if job.is_none() && view.pod.is_none() {
                    view.removed = Some("its Job was deleted".to_owned());
                }
            });
        }
    }
}

/// Both watches of a run.
pub(crate) struct Watches {
    known: Known,
    listed: watch::Receiver<(bool, bool)>,
    /// They end with whoever looks.
    _tasks: JoinSet<()>,
}

impl Watches {
    /// Begins to watch what belongs to a run.
    pub(crate) fn begin(client: &Client, namespace: &str, root: &str) -> Self {
        let known = Known::default();
        let (listed, hears) = watch::channel((false, false));
        let listed = Arc::new(listed);
        let config = watcher::Config::default().labels(&format!("{ROOT}={}", label(root)));
        let mut tasks = JoinSet::new();
        let (objects, done) = (known.clone(), listed.clone());
        let (too_many, surplus) = mpsc::unbounded_channel();
        let all = Api::<Pod>::namespaced(client.clone(), namespace);
        let pods = watcher(all.clone(), config.clone());
        tasks.spawn(remove(all, surplus));
        tasks.spawn(async move {
            let mut listing = Listing::new(pod_of, |name: &PodName, found| {
                for pod in lock(&objects).pod(name, &found) {
                    // Whoever removes them ends with this.
                    let _ = too_many.send(pod);
                }
            });
            let mut pods = pods.default_backoff().boxed();
            loop {
                match pods.try_next().await {
                    Ok(Some(event)) => listing.hear(event, || done.send_modify(|listed| listed.0 = true)),
                    Ok(None) => return,
                    // The watcher resumes by itself, after a while that grows.
                    Err(_) => {}
                }
            }
        });
        let objects = known.clone();
        let jobs = watcher(Api::<Job>::namespaced(client.clone(), namespace), config);
        tasks.spawn(async move {
            let mut listing = Listing::new(job_of, |name: &JobName, found| {
                let mut objects = lock(&objects);
                match found {
                    Found::There(job) => {
                        let job = JobView::of(&job);
                        if !objects.removed.contains(&job.uid) {
                            objects.job(name, Some(&job));
                        }
                    }
                    Found::Removed(job) => {
                        let JobView { uid, .. } = JobView::of(&job);
                        objects.removed.remove(&uid);
                        if objects.jobs.get(name).is_some_and(|known| known.uid == uid) {
                            objects.job(name, None);
                        }
                    }
                    Found::Unlisted => objects.job(name, None),
                }
            });
            let mut jobs = jobs.default_backoff().boxed();
            loop {
                match jobs.try_next().await {
                    Ok(Some(event)) => listing.hear(event, || listed.send_modify(|listed| listed.1 = true)),
                    Ok(None) => return,
                    Err(_) => {}
                }
            }
        });
        tasks.spawn(events::listen(client.clone(), namespace.to_owned(), known.clone()));
        Watches { known, listed: hears, _tasks: tasks }
    }

    /// Waits until what was there before is known.
    pub(crate) fn listed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut listed = self.listed.clone();
        async move {
            // The watches end with this value, and not before.
            let _ = listed.wait_for(|(pods, jobs)| *pods && *jobs).await;
        }
    }

    /// Knows of a unit's Job before the watch does.
    pub(crate) fn made(&self, unit: &UnitSpec, job: &JobView) {
        lock(&self.known).job(&name(unit).0, Some(job));
    }

    /// Knows that a unit's Job is removed before the watch does.
    pub(crate) fn removed(&self, unit: &UnitSpec) {
        let mut known = lock(&self.known);
        if let Some(job) = known.jobs.remove(&name(unit).0) {
            known.removed.insert(job.uid);
        }
    }

    /// What is known of a unit, now and from now on.
    pub(crate) fn of(&self, unit: &UnitSpec) -> watch::Receiver<View> {
        lock(&self.known).unit(name(unit)).subscribe()
    }

    /// Whether an execution has other Jobs than a unit's.
    pub(crate) fn others(&self, unit: &UnitSpec) -> bool {
        let (execution, own) = (label(&unit.execution), names::place(unit).0);
        let known = lock(&self.known);
        let all = known.jobs.range((execution.clone(), String::new())..).take_while(|((of, _), _)| *of == execution);
        all.into_iter().any(|((_, place), _)| *place != own)
    }

    /// Forgets a unit of which nothing is left.
    pub(crate) fn forget(&self, unit: &UnitSpec) {
        lock(&self.known).units.remove(&name(unit));
    }
}

fn lock(known: &Known) -> std::sync::MutexGuard<'_, Objects> {
    known.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(unit: &UnitSpec) -> Name {
    let (place, index) = names::place(unit);
    ((label(&unit.execution), place), index)
}

/// Whether a pod is one of the unit as it is now, and not of one of that name that was reaped and goes its way.
fn concerns(view: &View, pod: &Pod) -> bool {
    match &view.job {
        Some(job) => pod.owner_references().iter().any(|owner| owner.uid == job.uid),
        None => view.pod.is_some() || pod.metadata.deletion_timestamp.is_none(),
    }
}

fn job_of<K: ResourceExt>(object: &K) -> Option<JobName> {
    Some((object.labels().get(EXECUTION)?.clone(), object.annotations().get(PLACE)?.clone()))
}

fn pod_of(pod: &Pod) -> Option<PodName> {
    let index = pod.annotations().get(INDEX)?.parse().ok()?;
    Some(((job_of(pod)?, index), pod.uid()?))
}

/// Brings to a unit that a pod of it is not there any more; whether that says anything about the unit.
fn is_gone(view: &mut View, uid: &str, found: &Found<Pod>) -> bool {
    let is_known = view.pod.as_ref().is_some_and(|pod| pod.metadata.uid.as_deref() == Some(uid));
    let last = match found {
        Found::Removed(pod) if (is_known || view.pod.is_none()) && concerns(view, pod) => Some(pod.clone()),
        Found::Unlisted if is_known => view.pod.clone(),
        Found::There(_) | Found::Removed(_) | Found::Unlisted => None,
    };
    let Some(last) = last else { return false };
    view.removed = Some(removal(&last));
    true
}

/// Removes pods of units that have another one already. A Job's controller that was cut off from the API server may
/// make a unit's pod twice; the later one has no command to run and would take up a place of the Job's `parallelism`.
async fn remove(pods: Api<Pod>, mut surplus: mpsc::UnboundedReceiver<Arc<Pod>>) {
    while let Some(pod) = surplus.recv().await {
        let preconditions = Preconditions { uid: pod.uid(), ..Preconditions::default() };
        let how = DeleteParams::default().grace_period(0).preconditions(preconditions);
        while let Err(error) = pods.delete(&pod.name_any(), &how).await {
            if matches!(&error, kube::Error::Api(status) if matches!(status.code, 403 | 404 | 409)) {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What a watch found of one object.
enum Found<K> {
    There(Arc<K>),
    Removed(Arc<K>),
    /// It was known, and a new listing did not have it.
    Unlisted,
}

/// Makes changes of what a watch says, also where it begins anew with a list.
struct Listing<K, N, O, F> {
    name: O,
    change: F,
    known: BTreeSet<N>,
    /// Those of the listing under way.
    listed: BTreeSet<N>,
    kind: std::marker::PhantomData<K>,
}

impl<K, N, O, F> Listing<K, N, O, F>
where
    N: Clone + Ord,
    O: Fn(&K) -> Option<N>,
    F: FnMut(&N, Found<K>),
{
    fn new(name: O, change: F) -> Self {
        let (known, listed) = (BTreeSet::new(), BTreeSet::new());
        Listing { name, change, known, listed, kind: std::marker::PhantomData }
    }

    fn hear(&mut self, event: Event<K>, listed: impl FnOnce()) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.extend((self.name)(&object));
                self.there(object);
            }
            Event::InitDone => {
                let missing: Vec<N> = self.known.difference(&self.listed).cloned().collect();
                for name in missing {
                    self.known.remove(&name);
                    (self.change)(&name, Found::Unlisted);
                }
                listed();
            }
            Event::Apply(object) => self.there(object),
            Event::Delete(object) => {
                if let Some(name) = (self.name)(&object) {
                    self.known.remove(&name);
                    (self.change)(&name, Found::Removed(Arc::new(object)));
                }
            }
        }
    }

    fn there(&mut self, object: K) {
        let Some(name) = (self.name)(&object) else { return };
        self.known.insert(name.clone());
        (self.change)(&name, Found::There(Arc::new(object)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, second: u32, phase: &str) -> Pod {
        let owner = json!({"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j"});
        let object = json!({
            "metadata": {
                "name": name,
                "uid": name,
                "labels": {EXECUTION: "e"},
                "annotations": {PLACE: "workers", INDEX: "1"},
                "creationTimestamp": format!("2026-11-25T14:00:{second:02}Z"),
                "ownerReferences": [owner],
            },
            "status": {"phase": phase},
        });
        serde_json::from_value(object).expect("it is a pod")
    }

    /// What a watch says of pods, in turn: which are too many, and which one is the unit's in the end.
    fn told(pods: &[Pod]) -> (Vec<Vec<String>>, Value) {
        let mut objects = Objects::default();
        let name = (("e".to_owned(), "workers".to_owned()), 1);
        objects.job(&name.0, Some(&JobView { uid: "j".to_owned(), suspended: false, failure: None }));
        let surplus = pods.iter().map(|pod| {
            let name = pod_of(pod).expect("it is a unit's");
            let surplus = objects.pod(&name, &Found::There(Arc::new(pod.clone())));
            surplus.iter().map(|pod| pod.name_any()).collect()
        });
        let surplus = surplus.collect();
        let view = objects.unit(name).borrow().clone();
        (surplus, json!([view.pod.map(|pod| pod.name_any()), view.removed]))
    }

    #[test]
    fn a_second_pod_of_a_unit_is_one_too_many() {
        let (ended, second) = (pod("a", 1, "Succeeded"), pod("b", 9, "Pending"));
        let (none, too_many) = (Vec::<String>::new(), vec!["b".to_owned()]);
        let in_turn = told(&[ended.clone(), second.clone()]);
        assert_eq!(in_turn, (vec![none.clone(), too_many.clone()], json!(["a", null])));
        // As a list has them, by their names.
        assert_eq!(told(&[second, ended]), (vec![none, too_many], json!(["a", null])));
    }

    #[test]
    fn of_two_pods_of_the_same_second_the_known_one_stays() {
        let (known, other) = (pod("b", 1, "Running"), pod("a", 1, "Pending"));
        assert_eq!(told(&[known, other]), (vec![vec![], vec!["a".to_owned()]], json!(["b", null])));
    }
}
