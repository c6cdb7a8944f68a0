//! The loop.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use testudo_core::{
    frame::PackId,
    plan::{ArtifactFetch, Identity, Plan},
    run::{ChildEnd, ChildWant, Corrupt, Event, Execution, Fetched, Status, StopHow, Timer, UnitKey, UnitWant, Wanted},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

pub use crate::values::Given;
use crate::{
    Audience, Blobs, Catalog, Clock, Groups, Journal, JournalError, News, Parent, Runner,
    queue::{admitted, displaced},
    tend::{Shared, tend},
};

/// Something that a person asks of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    Stop(StopHow, String),
    Pause,
    Resume,
}

/// Where runs happen, for all of them.
#[derive(Clone)]
pub struct Drive {
    pub runner: Arc<dyn Runner>,
    pub catalog: Arc<dyn Catalog>,
    pub groups: Arc<dyn Groups>,
    pub audience: Arc<dyn Audience>,
    pub clock: Clock,
}

/// One execution to drive.
#[derive(Clone)]
pub struct Job {
    pub plan: Arc<Plan>,
    pub journal: Arc<dyn Journal>,
    pub blobs: Arc<dyn Blobs>,
    pub given: Given,
}

/// Why a run cannot be driven any further. What is under way is left to whoever recovers it.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    #[error("the log could not be written or read")]
    Journal(#[from] JournalError),
    #[error("the log does not fit its plan")]
    Corrupt(#[from] Corrupt),
    #[error("where the others of its group stand could not be kept")]
    Groups(#[source] std::io::Error),
}

/// Events that wait for the loop: enough for a burst of reports, and a limit on what a slow disk lets pile up.
const INBOX: usize = 1024;

/// Drives an execution to its end, wherever its log stands. One that has not begun waits for its turn; its log stays
/// empty so long.
pub fn drive(
    drive: Drive,
    job: Job,
    mut controls: mpsc::Receiver<Control>,
) -> BoxFuture<'static, Result<Status, DriveError>> {
    Box::pin(async move {
        let log = job.journal.read().await?;
        let mut execution = Execution::replay(job.plan.clone(), &log)?;
        drive.audience.hear(News::Events { execution: &execution, events: &log });
        let admitted = admitted(&*drive.groups, &*drive.audience, drive.clock, &execution, &mut controls);
        let (ticket, mut asked_meanwhile) = admitted.await.map_err(DriveError::Groups)?;
        let mut displaced = std::pin::pin!(displaced(ticket.as_deref()).fuse());
        let (inbox, mut events) = mpsc::channel(INBOX);
        let shared = Arc::new(Shared {
            execution: job.plan.execution.clone(),
            catalog: drive.catalog.clone(),
            runner: drive.runner.clone(),
            blobs: job.blobs.clone(),
            audience: drive.audience.clone(),
            given: job.given.clone(),
            clock: drive.clock,
            inbox: inbox.clone(),
        });
        let mut tasks = Tasks {
            drive: drive.clone(),
            shared,
            inbox,
            units: BTreeMap::new(),
            children: BTreeMap::new(),
            set: JoinSet::new(),
        };
        let mut batch = Vec::new();
        if execution.offset() == 0 {
            batch.push(Event::Created { at: drive.clock.now() });
            batch.append(&mut asked_meanwhile);
        }
        let mut open = true;
        loop {
            if !batch.is_empty() {
                let news = execution.unseen(std::mem::take(&mut batch));
                if !news.is_empty() {
                    job.journal.append(execution.offset(), &news).await?;
                    for event in &news {
                        execution.apply(event)?;
                    }
                    drive.audience.hear(News::Events { execution: &execution, events: &news });
                }
            }
            let Some(wanted) = execution.changes() else { break };
            if let Some(status) = wanted.end {
                batch.push(Event::Ended { status, at: drive.clock.now() });
                continue;
            }
            let timer = wanted.timers.iter().min_by_key(|(_, moment)| **moment).map(|(timer, at)| (timer.clone(), *at));
            tasks.reconcile(&execution, wanted);
            // In order: what is rare and urgent is not kept waiting by what is frequent, and a run is the same each time.
            tokio::select! {
                biased;
                control = controls.recv(), if open => match control {
                    Some(control) => {
                        tasks.pass_on(&control);
                        batch.push(asked(control, drive.clock.now()));
                    }
                    None => open = false,
                },
                reason = &mut displaced => {
                    // Whoever stops already makes room as fast as it was asked to.
                    if execution.stop_reason().is_none() {
                        batch.push(Event::StopRequested { how: StopHow::Cancel, reason, at: drive.clock.now() });
                    }
                }
                timer = due(drive.clock, timer) => batch.push(Event::Expired { timer, at: drive.clock.now() }),
                Some(done) = tasks.set.join_next() => match done {
                    Ok(done) => done?,
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    // Nobody stops one of them alone.
                    Err(_) => {}
                },
                received = events.recv_many(&mut batch, INBOX) => {
                    debug_assert!(received > 0, "the loop itself holds a sender");
                }
            }
        }
        tasks.set.shutdown().await;
        Ok(execution.ended().map_or(Status::Aborted, |(status, _)| status))
    })
}

pub(crate) fn asked(control: Control, at: Timestamp) -> Event {
    match control {
        Control::Stop(how, reason) => Event::StopRequested { how, reason, at },
        Control::Pause => Event::PauseRequested { at },
        Control::Resume => Event::ResumeRequested { at },
    }
}

async fn due(clock: Clock, timer: Option<(Timer, Timestamp)>) -> Timer {
    match timer {
        Some((timer, moment)) => {
            let left = clock.now().duration_until(moment);
            tokio::time::sleep(Duration::try_from(left).unwrap_or(Duration::ZERO)).await;
            timer
        }
        None => std::future::pending().await,
    }
}

/// Everything that is under way for one execution.
struct Tasks {
    drive: Drive,
    shared: Arc<Shared>,
    inbox: mpsc::Sender<Event>,
    units: BTreeMap<UnitKey, watch::Sender<Arc<UnitWant>>>,
    children: BTreeMap<UnitKey, mpsc::Sender<Control>>,
    set: JoinSet<Result<(), DriveError>>,
}

impl Tasks {
    /// Pauses and resumes are for all executions that hang below this one; stops find them by way of what is wanted.
    fn pass_on(&self, control: &Control) {
        if let Control::Pause | Control::Resume = control {
            for child in self.children.values() {
                // One that is busy with others of these hears the next.
                let _ = child.try_send(control.clone());
            }
        }
    }

    /// Makes what is under way match what is wanted.
    fn reconcile(&mut self, execution: &Execution, wanted: Wanted) {
        for key in &wanted.gone {
            self.units.remove(key);
        }
        self.children.retain(|key, _| wanted.children.contains_key(key));
        for (key, want) in wanted.units {
            let want = Arc::new(want);
            if let Some(known) = self.units.get(&key) {
                known.send_replace(want);
            } else {
                let (sender, receiver) = watch::channel(want);
                self.units.insert(key.clone(), sender);
                self.set.spawn(tend(self.shared.clone(), key, receiver).map(Ok));
            }
        }
        for (key, want) in wanted.children {
            let stop = want.stop;
            if !self.children.contains_key(&key) {
                // Room for a stop and a harder stop.
                let (sender, receiver) = mpsc::channel(4);
                self.children.insert(key.clone(), sender);
                let parent = Parent { identity: execution.plan().execution.clone(), outputs: published(execution) };
                let task = child(self.drive.clone(), parent, self.inbox.clone(), want, receiver);
                self.set.spawn(task);
            }
            if let (Some(how), Some(child)) = (stop, self.children.get(&key)) {
                // Said already when it is full.
                let _ = child.try_send(Control::Stop(how, "the execution that started it was stopped".to_owned()));
            }
        }
    }
}

/// Drives a child execution, and tells its parent how it began and ended.
async fn child(
    outer: Drive,
    parent: Parent,
    inbox: mpsc::Sender<Event>,
    want: ChildWant,
    controls: mpsc::Receiver<Control>,
) -> Result<(), DriveError> {
    let ChildWant { unit, step, attempt, index, request, id, .. } = want;
    let clock = outer.clock;
    let end = match outer.catalog.prepare(&request, &id, &parent).await {
        Err(error) => unstarted(Status::Failed, error),
        Ok(prepared) => {
            let name = prepared.plan.execution.name.clone();
            let started =
                Event::ChildStarted { unit: unit.clone(), step, attempt, index, id: id.clone(), name, at: clock.now() };
            if inbox.send(started).await.is_err() {
                return Ok(());
            }
            let crate::Prepared { plan, journal, blobs, given } = prepared;
            let job = Job { plan: plan.clone(), journal: journal.clone(), blobs, given };
            let catalog = outer.catalog.clone();
            match drive(outer, job, controls).await {
                Ok(status) => {
                    let outputs = outputs(&plan, &*journal).await;
                    let fetched = fetch(&*catalog, &parent.identity, &id, &request.fetch).await;
                    ChildEnd { status, outputs, error: None, fetched }
                }
                // Whatever keeps this engine from driving a child says nothing about the child: whoever drives the
                // parent next, perhaps already, finds it as it is.
                Err(error @ DriveError::Journal(JournalError::Stale { .. } | JournalError::Io(_))) => {
                    return Err(error);
                }
                Err(error) => unstarted(Status::Aborted, error.to_string()),
            }
        }
    };
    let _ = inbox.send(Event::ChildEnded { unit, step, attempt, index, end, at: clock.now() }).await;
    Ok(())
}

fn unstarted(status: Status, error: String) -> ChildEnd {
    ChildEnd { status, outputs: BTreeMap::new(), error: Some(error), fetched: Vec::new() }
}

/// Packs the artifacts of a child that its parent takes.
async fn fetch(catalog: &dyn Catalog, parent: &Identity, child: &str, wanted: &[ArtifactFetch]) -> Vec<Fetched> {
    let mut fetched = Vec::new();
    for (number, fetch) in wanted.iter().enumerate() {
        let pack = PackId(format!("{child}.{number}"));
        let (files, error) = match catalog.fetch(parent, child, fetch, &pack).await {
            Ok(files) => (files, None),
            Err(error) => (0, Some(error)),
        };
        let pack = (files > 0).then_some(pack);
        fetched.push(Fetched { pack, to: fetch.to.clone(), files, error });
    }
    fetched
}

/// What an execution published: what its own steps wrote, the latest winning.
async fn outputs(plan: &Arc<Plan>, journal: &dyn Journal) -> BTreeMap<String, String> {
    let Ok(log) = journal.read().await else { return BTreeMap::new() };
    let Ok(execution) = Execution::replay(plan.clone(), &log) else { return BTreeMap::new() };
    published(&execution)
}

fn published(execution: &Execution) -> BTreeMap<String, String> {
    let Some(main) = execution.unit(&UnitKey::main()) else { return BTreeMap::new() };
    (0..execution.plan().main.steps.len()).flat_map(|step| main.run.state(step).outputs.clone()).collect()
}
