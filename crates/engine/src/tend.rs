//! One unit, looked after: made, met, listened to, read from, and in the end reaped.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use testudo_core::{
    plan::Identity,
    run::{Event, ReapHow, UnitKey, UnitWant},
};
use tokio::sync::{mpsc, watch};

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
    let plan = wants.borrow().plan.clone();
    let spec = UnitSpec { execution: shared.execution.id.clone(), key: key.clone(), plan };
    let mut pause = SHORTEST;
    let mut ensured = false;
    loop {
        let want = wants.borrow_and_update().clone();
        if let Some(how) = want.reap {
            if reap(&shared, &spec, how, &mut wants).await {
                return;
            }
            continue;
        }
        if !ensured {
            match shared.runner.ensure(&spec).await {
                Ok(()) => ensured = true,
                Err(RunnerError::Unreachable(_)) => {
                    wait(&mut pause, &mut wants).await;
                    continue;
                }
                Err(error @ (RunnerError::Refused(_) | RunnerError::Gone(_))) => {
                    if !lost(&shared, &key, error.to_string(), &mut wants).await {
                        return;
                    }
                    continue;
                }
            }
        }
        let mut sightings = shared.runner.observe(&spec);
        let mut address = None;
        let ended = match shared.runner.connect(&spec).await {
            Ok(stream) => {
                pause = SHORTEST;
                if let Some(Sighting::Present { address: known }) = sightings.next().await {
                    address = known;
                }
                let mut session = Session::new(&shared, &key, address.clone(), stream);
                session.run(&mut wants).await
            }
            Err(_) => Ended::Broken,
        };
        match ended {
            Ended::Over => return,
            Ended::Reap => {}
            Ended::Stranger => {
                let reason = "another agent answers in its place".to_owned();
                if !lost(&shared, &key, reason, &mut wants).await {
                    return;
                }
            }
            Ended::Broken => {
                // Whoever is gone stays gone: a place says so at once, or not at all.
                let look = tokio::time::timeout(Duration::from_millis(200), gone(&mut sightings)).await;
                if wants.borrow().reap.is_none()
                    && let Ok(Some(reason)) = look
                {
                    if !lost(&shared, &key, reason, &mut wants).await {
                        return;
                    }
                } else {
                    wait(&mut pause, &mut wants).await;
                }
            }
        }
    }
}

async fn gone(sightings: &mut futures::stream::BoxStream<'static, Sighting>) -> Option<String> {
    while let Some(sighting) = sightings.next().await {
        if let Sighting::Gone { reason } = sighting {
            return Some(reason);
        }
    }
    None
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
async fn lost(shared: &Shared, key: &UnitKey, reason: String, wants: &mut watch::Receiver<Arc<UnitWant>>) -> bool {
    let event = Event::Lost { unit: key.clone(), at: shared.clock.now(), reason };
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

/// Ends a unit; whether that is done with.
async fn reap(shared: &Shared, spec: &UnitSpec, how: ReapHow, wants: &mut watch::Receiver<Arc<UnitWant>>) -> bool {
    let how = match how {
        ReapHow::Gently => Reap::Gently,
        ReapHow::Now => Reap::Now,
    };
    let name = wants.borrow().log_artifact.clone();
    if let Some(name) = name {
        // A log that could not be copied is still in its own place.
        let _ = shared.blobs.publish_output(&spec.key, &name).await;
    }
    if shared.runner.reap(spec, how).await.is_ok() {
        let event = Event::Reaped { unit: spec.key.clone(), at: shared.clock.now() };
        let _ = shared.inbox.send(event).await;
        return true;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    false
}
