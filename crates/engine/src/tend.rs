//! One unit, looked after: made, met, listened to, read from, and in the end reaped.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use testudo_core::{
    duration::GoDuration,
    plan::{Identity, Role},
    run::{Event, ReapHow, Seen, Status, UnitKey, UnitWant, Word},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{Audience, Blobs, Catalog, Clock, Given, Reap, Runner, RunnerError, Sighting, UnitSpec};

mod session;

use session::Session;

/// What all units of an execution share.
pub(crate) struct Shared {
    pub(crate) execution: Identity,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) audience: Arc<dyn Audience>,
    pub(crate) given: Given,
    pub(crate) clock: Clock,
    pub(crate) inbox: mpsc::Sender<Event>,
}

/// Waits between attempts to reach a unit.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(2);
/// How long something may hold a unit up before people are told, and how long there may be no way to it.
const PATIENCE: Duration = Duration::from_secs(2);
const CUT_OFF: Duration = Duration::from_secs(20);
/// For how long it is tried to end a unit in a place that does not answer, or does not let it happen.
const GENTLY: Duration = Duration::from_mins(2);
const NOW: Duration = Duration::from_secs(30);

/// Why a session ended.
enum Ended {
    /// The unit is to be reaped.
    Reap,
    /// The connection is of no more use; another may be.
    Broken,
    /// The unit is not the one that was met.
    Stranger,
    /// The engine is gone.
    Over,
}

/// Looks after one unit until nothing is left of it.
pub(crate) async fn tend(shared: Arc<Shared>, key: UnitKey, mut wants: watch::Receiver<Arc<UnitWant>>) {
    let (plan, block) = {
        let want = wants.borrow();
        (want.plan.clone(), want.block.clone())
    };
    let spec = UnitSpec { execution: shared.execution.id.clone(), key: key.clone(), plan, block, leave: false };
    let mut pause = SHORTEST;
    let mut ensured = false;
    let mut reaping = Reaping::default();
    // Time in which no engine was there does not count.
    let patience = Duration::from_millis(wants.borrow().start);
    let overdue = Instant::now() + patience;
    let mut held_up = None;
    let mut stopped_by = None;
    loop {
        let want = wants.borrow_and_update().clone();
        if let Some(how) = want.reap {
            // Its block may be another by now: one that closes.
            let spec = UnitSpec { block: want.block.clone(), leave: want.leave, ..spec.clone() };
            if reaping.attempt(&shared, &spec, how, &mut wants).await {
                return;
            }
            continue;
        }
        let late = if want.life.is_none() {
            Some(overdue)
        } else {
            time_to_stop(&want).map(|time| *stopped_by.get_or_insert_with(|| Instant::now() + time + CUT_OFF))
        };
        if late.is_some_and(|moment| moment <= Instant::now()) {
            let why = held_up.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let reason = match want.life {
                None => format!("it did not start within {}{why}", spell(patience)),
                Some(_) => format!("it was to stop, and could not be told in time{why}"),
            };
            if !lost(&shared, &key, reason, None, &mut wants).await {
                return;
            }
            continue;
        }
        if !ensured {
            match shared.runner.ensure(&spec).await {
                Ok(()) => ensured = true,
                Err(RunnerError::Unreachable(error)) => {
                    held_up = Some(error.to_string());
                    wait(&mut pause, &mut wants).await;
                    continue;
                }
                Err(error @ (RunnerError::Refused(_) | RunnerError::Gone(_))) => {
                    if !lost(&shared, &key, error.to_string(), None, &mut wants).await {
                        return;
                    }
                    continue;
                }
            }
        }
        let ended = match reach(&shared, &spec, late, &mut held_up, &mut pause, &mut wants).await {
            Reached::Agent(stream, address, sightings) => {
                pause = SHORTEST;
                let mut session = Session::new(&shared, &key, address, stream);
                tokio::select! {
                    ended = session.run(&mut wants) => ended,
                    () = attend(&shared, &key, sightings) => Ended::Over,
                }
            }
            Reached::Gone(reason, status) => {
                if !lost(&shared, &key, reason, status, &mut wants).await {
                    return;
                }
                continue;
            }
            Reached::Other => continue,
            Reached::Over => return,
        };
        match ended {
            Ended::Over => return,
            Ended::Reap => {}
            // Whoever is gone is seen to be on the next way there.
            Ended::Broken => wait(&mut pause, &mut wants).await,
            Ended::Stranger => {
                let reason = "another agent answers in its place".to_owned();
                if !lost(&shared, &key, reason, None, &mut wants).await {
                    return;
                }
            }
        }
    }
}

/// How long a unit may take to stop, if it is to and has not been heard to know it.
fn time_to_stop(want: &UnitWant) -> Option<Duration> {
    want.words.iter().find_map(|(_, word)| {
        let Word::Stop { grace, window, .. } = word else { return None };
        Some(Duration::from_millis(grace + window))
    })
}

type Sightings = futures::stream::BoxStream<'static, Sighting>;

/// How an attempt to reach a unit's agent ended.
enum Reached {
    /// It answers; other units reach it at the address. Its place goes on telling what it sees.
    Agent(Box<dyn crate::Duplex>, Option<String>, Sightings),
    /// How it had ended before, if anybody knows.
    Gone(String, Option<Status>),
    /// Something else is wanted of the unit, or there has been time enough.
    Other,
    /// The engine is gone.
    Over,
}

/// Reaches a unit's agent as soon as it can be, and tells what holds it up.
async fn reach(
    shared: &Shared,
    spec: &UnitSpec,
    overdue: Option<Instant>,
    held_up: &mut Option<String>,
    pause: &mut Duration,
    wants: &mut watch::Receiver<Arc<UnitWant>>,
) -> Reached {
    let mut sightings = shared.runner.observe(spec);
    let mut stream = None;
    let mut address = None;
    // Whoever looks for a service needs to know where.
    let needs_address = matches!(spec.plan.role, Role::Service(_));
    // Until when what holds it up may pass without being told.
    let mut patience = None;
    *held_up = None;
    let stops = time_to_stop(&wants.borrow());
    let mut connecting = shared.runner.connect(spec);
    let mut again = None;
    loop {
        if let Some(found) = stream.take_if(|_| address.is_some() || !needs_address) {
            return Reached::Agent(found, address, sightings);
        }
        tokio::select! {
            biased;
            changed = wants.changed() => {
                if changed.is_err() {
                    return Reached::Over;
                }
                let want = wants.borrow_and_update();
                if want.reap.is_some() || time_to_stop(&want) != stops {
                    return Reached::Other;
                }
            }
            Some(sighting) = sightings.next() => match sighting {
                Sighting::Gone { reason } => return Reached::Gone(reason, None),
                Sighting::Ended { status } => {
                    let reason = format!("its agent is gone; before that the unit had ended: {status}");
                    return Reached::Gone(reason, Some(status));
                }
                Sighting::Waiting { reason, node } => {
                    if held_up.as_ref() != Some(&reason) {
                        *held_up = Some(reason);
                        patience = Some(Instant::now() + PATIENCE);
                    }
                    if !shared.placed(&spec.key, node).await {
                        return Reached::Over;
                    }
                }
                Sighting::Leaving { reason } => {
                    if !shared.see(&spec.key, Seen::Leaving { reason }).await {
                        return Reached::Over;
                    }
                }
                Sighting::Present { address: known, node } => {
                    patience = None;
                    address = known;
                    if !shared.placed(&spec.key, node).await {
                        return Reached::Over;
                    }
                }
            },
            connected = &mut connecting, if stream.is_none() && again.is_none() => match connected {
                Ok(found) => stream = Some(found),
                Err(RunnerError::Gone(reason)) => return Reached::Gone(reason, None),
                Err(error @ (RunnerError::Refused(_) | RunnerError::Unreachable(_))) => {
                    if held_up.is_none() {
                        *held_up = Some(explained(&error));
                        patience = Some(Instant::now() + CUT_OFF);
                    }
                    again = Some(Instant::now() + *pause);
                    *pause = (*pause * 2).min(LONGEST);
                }
            },
            () = until(overdue), if overdue.is_some() => return Reached::Other,
            () = until(again), if again.is_some() => {
                again = None;
                connecting = shared.runner.connect(spec);
            }
            // What passes by itself at once is no news.
            () = until(patience), if patience.is_some() => {
                patience = None;
                if let Some(reason) = held_up.clone()
                    && !shared.see(&spec.key, Seen::Waiting { reason }).await
                {
                    return Reached::Over;
                }
            }
        }
    }
}

fn spell(time: Duration) -> GoDuration {
    GoDuration::from_nanos(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}

/// Passes on what a place says of a unit whose agent is spoken to, until there is no engine. What the agent says of
/// itself comes first: that it is gone shows in its silence.
async fn attend(shared: &Shared, key: &UnitKey, mut sightings: Sightings) {
    let mut held_up = None;
    let mut patience = None;
    loop {
        let seen = tokio::select! {
            Some(sighting) = sightings.next() => match sighting {
                Sighting::Waiting { reason, .. } => {
                    held_up = Some(reason);
                    patience = Some(Instant::now() + PATIENCE);
                    continue;
                }
                Sighting::Present { node, .. } => {
                    patience = None;
                    let Some(node) = node else { continue };
                    Seen::Placed { node }
                }
                Sighting::Leaving { reason } => Seen::Leaving { reason },
                Sighting::Gone { .. } | Sighting::Ended { .. } => continue,
            },
            () = until(patience) => {
                patience = None;
                let Some(reason) = held_up.take() else { continue };
                Seen::Waiting { reason }
            }
        };
        if !shared.see(key, seen).await {
            return;
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Shared {
    /// Writes down where a unit is, where that is known. Whether there is still an engine.
    async fn placed(&self, unit: &UnitKey, node: Option<String>) -> bool {
        match node {
            Some(node) => self.see(unit, Seen::Placed { node }).await,
            None => true,
        }
    }

    /// Writes down what a place says of a unit. Whether there is still an engine.
    async fn see(&self, unit: &UnitKey, seen: Seen) -> bool {
        let event = Event::Seen { unit: unit.clone(), seen, at: self.clock.now() };
        self.inbox.send(event).await.is_ok()
    }
}

async fn wait(pause: &mut Duration, wants: &mut watch::Receiver<Arc<UnitWant>>) {
    tokio::select! {
        biased;
        () = tokio::time::sleep(*pause) => {}
        _ = wants.changed() => {}
    }
    *pause = (*pause * 2).min(LONGEST);
}

/// Writes a loss down and waits for what follows from it. Whether there is still an engine.
async fn lost(
    shared: &Shared,
    key: &UnitKey,
    reason: String,
    status: Option<Status>,
    wants: &mut watch::Receiver<Arc<UnitWant>>,
) -> bool {
    let event = Event::Lost { unit: key.clone(), at: shared.clock.now(), reason, status };
    if shared.inbox.send(event).await.is_err() {
        return false;
    }
    while wants.borrow_and_update().reap.is_none() {
        if wants.changed().await.is_err() {
            return false;
        }
    }
    true
}

fn explained(error: &RunnerError) -> String {
    match error {
        RunnerError::Unreachable(cause) => format!("{error}: {cause}"),
        RunnerError::Refused(_) | RunnerError::Gone(_) => error.to_string(),
    }
}

/// The attempts to end a unit.
#[derive(Default)]
struct Reaping {
    /// Since when they fail, and how long to wait before the next one.
    failing: Option<(Instant, Duration)>,
}

impl Reaping {
    /// Ends a unit; whether that is done with. A place that cannot do it for long has to see to it later.
    async fn attempt(
        &mut self,
        shared: &Shared,
        spec: &UnitSpec,
        how: ReapHow,
        wants: &mut watch::Receiver<Arc<UnitWant>>,
    ) -> bool {
        let (how, patience) = match how {
            ReapHow::Gently => (Reap::Gently, GENTLY),
            ReapHow::Now => (Reap::Now, NOW),
        };
        let name = wants.borrow().log_artifact.clone();
        if let Some(name) = name.filter(|_| self.failing.is_none()) {
            // A log that could not be copied is still in its own place.
            let _ = shared.blobs.publish_output(&spec.key, &name).await;
        }
        let left = match shared.runner.reap(spec, how).await {
            Ok(()) => None,
            Err(error) => {
                let (since, pause) = self.failing.get_or_insert_with(|| (Instant::now(), 10 * SHORTEST));
                if since.elapsed() < patience {
                    wait(pause, wants).await;
                    return false;
                }
                Some(explained(&error))
            }
        };
        let event = Event::Reaped { unit: spec.key.clone(), at: shared.clock.now(), left };
        let _ = shared.inbox.send(event).await;
        true
    }
}
