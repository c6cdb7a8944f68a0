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
    names::{EXECUTION, ROOT, UNIT, label},
    observe::{View, removal},
};

/// A unit as its objects name it: the execution's label and the unit's own name.
type Name = (String, String);

/// What is known of a run's units. The lock is held for a look or a change of one entry and never across a wait.
type Units = Arc<Mutex<BTreeMap<Name, watch::Sender<View>>>>;

/// Both watches of a run.
pub(crate) struct Watches {
    units: Units,
    listed: watch::Receiver<(bool, bool)>,
    /// They end with whoever looks.
    _tasks: JoinSet<()>,
}

impl Watches {
    /// Begins to watch what belongs to a run.
    pub(crate) fn begin(client: &Client, namespace: &str, root: &str) -> Self {
        let units = Units::default();
        let (listed, hears) = watch::channel((false, false));
        let listed = Arc::new(listed);
        let config = watcher::Config::default().labels(&format!("{ROOT}={}", label(root)));
        let mut tasks = JoinSet::new();
        let (known, done) = (units.clone(), listed.clone());
        let pods = watcher(Api::<Pod>::namespaced(client.clone(), namespace), config.clone());
        tasks.spawn(async move {
            let mut listing = Listing::new(known, |view: &mut View, pod| match pod {
                Found::There(pod) if concerns(view, &pod) => view.pod = Some(pod),
                Found::Removed(pod) if concerns(view, &pod) => view.removed = Some(removal(&pod)),
                Found::There(_) | Found::Removed(_) => {}
                Found::Unlisted if view.pod.is_some() => view.removed = view.pod.as_deref().map(removal),
                Found::Unlisted => {}
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
        let known = units.clone();
        let jobs = watcher(Api::<Job>::namespaced(client.clone(), namespace), config);
        tasks.spawn(async move {
            let gone = |view: &mut View| {
                // Its pod may still say how it ended.
                if view.pod.is_none() && view.job.take().is_some() {
                    view.removed = Some("its Job was deleted".to_owned());
                }
            };
            let mut listing = Listing::new(known, move |view: &mut View, job| match job {
                Found::There(job) => view.job = Some(job),
                Found::Removed(job) if view.job.as_ref().is_some_and(|known| known.uid() != job.uid()) => {}
                Found::Removed(_) | Found::Unlisted => gone(view),
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
        Watches { units, listed: hears, _tasks: tasks }
    }

    /// Waits until what was there before is known.
    pub(crate) fn listed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut listed = self.listed.clone();
        async move {
            // The watches end with this value, and not before.
            let _ = listed.wait_for(|(pods, jobs)| *pods && *jobs).await;
        }
    }

    /// Knows of a Job before the watch does.
    pub(crate) fn made(&self, unit: &UnitSpec, job: Arc<Job>) {
        let name = (label(&unit.execution), unit.key.to_string());
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        let view = units.entry(name).or_insert_with(|| watch::channel(View::default()).0);
        view.send_modify(|view| {
            view.job.get_or_insert(job);
        });
    }

    /// What is known of a unit, now and from now on.
    pub(crate) fn of(&self, unit: &UnitSpec) -> watch::Receiver<View> {
        let name = (label(&unit.execution), unit.key.to_string());
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        units.entry(name).or_insert_with(|| watch::channel(View::default()).0).subscribe()
    }

    /// Forgets a unit of which nothing is left.
    pub(crate) fn forget(&self, unit: &UnitSpec) {
        let name = (label(&unit.execution), unit.key.to_string());
        self.units.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    }
}

/// What a watch found of one object.
enum Found<K> {
    There(Arc<K>),
    Removed(Arc<K>),
    /// It was known, and a new listing did not have it.
    Unlisted,
}

/// Brings what a watch says into the units' views.
struct Listing<K, F> {
    units: Units,
    change: F,
    /// Units that have an object of this kind.
    known: BTreeSet<Name>,
    /// Those of the listing under way.
    listed: BTreeSet<Name>,
    kind: std::marker::PhantomData<K>,
}

impl<K: ResourceExt, F: FnMut(&mut View, Found<K>)> Listing<K, F> {
    fn new(units: Units, change: F) -> Self {
        Listing { units, change, known: BTreeSet::new(), listed: BTreeSet::new(), kind: std::marker::PhantomData }
    }

    fn hear(&mut self, event: Event<K>, listed: impl FnOnce()) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.extend(name(&object));
                self.there(object);
            }
            Event::InitDone => {
                let missing: Vec<Name> = self.known.difference(&self.listed).cloned().collect();
                for name in missing {
                    self.known.remove(&name);
                    self.change(&name, Found::Unlisted, false);
                }
                listed();
            }
            Event::Apply(object) => self.there(object),
            Event::Delete(object) => {
                if let Some(name) = name(&object) {
                    self.known.remove(&name);
                    self.change(&name, Found::Removed(Arc::new(object)), false);
                }
            }
        }
    }

    fn there(&mut self, object: K) {
        let Some(name) = name(&object) else { return };
        // What is on its way out does not bring a unit back that was forgotten.
        let may_be_new = object.meta().deletion_timestamp.is_none();
        self.known.insert(name.clone());
        self.change(&name, Found::There(Arc::new(object)), may_be_new);
    }

    fn change(&mut self, name: &Name, found: Found<K>, may_be_new: bool) {
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = units.get(name) {
            sender.send_modify(|view| (self.change)(view, found));
        } else if may_be_new {
            let mut view = View::default();
            (self.change)(&mut view, found);
            units.insert(name.clone(), watch::channel(view).0);
        }
    }
}

/// Whether a pod is one of the unit as it is now, and not of one of that name that was reaped and goes its way.
fn concerns(view: &View, pod: &Pod) -> bool {
    match &view.job {
        Some(job) => pod.owner_references().iter().any(|owner| Some(&owner.uid) == job.metadata.uid.as_ref()),
        None => view.pod.is_some() || pod.metadata.deletion_timestamp.is_none(),
    }
}

/// The unit that an object belongs to.
fn name<K: ResourceExt>(object: &K) -> Option<Name> {
    let execution = object.labels().get(EXECUTION)?.clone();
    Some((execution, object.annotations().get(UNIT)?.clone()))
}
