//! One watch for the Pods of a run and one for its Jobs, shared by all who look after its units.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use testudo_engine::UnitSpec;
use tokio::{sync::watch, task::JoinSet};

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
        let pods = watcher(Api::<Pod>::namespaced(client.clone(), namespace), config.clone());
        tasks.spawn(async move {
            let mut listing = Listing::new(unit_of, |name: &Name, found| {
                let mut objects = lock(&objects);
                // What is on its way out does not bring a unit back that was forgotten.
                let may_be_new = matches!(&found, Found::There(pod) if pod.metadata.deletion_timestamp.is_none());
                if !may_be_new && !objects.units.contains_key(name) {
                    return;
                }
                objects.unit(name.clone()).send_modify(|view| match found {
                    Found::There(pod) if concerns(view, &pod) => view.pod = Some(pod),
                    Found::Removed(pod) if concerns(view, &pod) => view.removed = Some(removal(&pod)),
                    Found::There(_) | Found::Removed(_) => {}
                    Found::Unlisted => view.removed = view.pod.as_deref().map(removal),
                });
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

fn unit_of(pod: &Pod) -> Option<Name> {
    let index = pod.annotations().get(INDEX)?.parse().ok()?;
    Some((job_of(pod)?, index))
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
