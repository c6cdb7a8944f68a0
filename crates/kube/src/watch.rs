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
                Found::There(pod) => view.pod = Some(pod),
                Found::Removed(pod) => view.removed = Some(removal(&pod)),
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
    pub(crate) async fn listed(&self) {
        let mut listed = self.listed.clone();
        // The watches end with this value, and not before.
        let _ = listed.wait_for(|(pods, jobs)| *pods && *jobs).await;
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

/// The unit that an object belongs to.
fn name<K: ResourceExt>(object: &K) -> Option<Name> {
    let execution = object.labels().get(EXECUTION)?.clone();
    Some((execution, object.annotations().get(UNIT)?.clone()))
}
