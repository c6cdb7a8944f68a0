//! What a step can do: made final first, then carried out as a task of its own that reports back to the loop.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use testudo_core::{
    expr::ExprError,
    frame::PackId,
    plan::{Operation, Platform, expand_execute, expand_parallel, expand_services, pack_sources},
    run::{Entries, Outcome, PackPurpose, Recorder, Report, Request, Told, pack_origin},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep},
};

use super::{
    Disk, Input,
    ask::{Ask, matching},
};
use crate::{
    Clock,
    sim::{
        At,
        memory::{digest_of, lock},
        script::Script,
    },
};

/// What an operation has in hand.
#[derive(Clone)]
pub(super) struct Hand {
    pub(super) at: At,
    pub(super) inbox: mpsc::UnboundedSender<Input>,
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) clock: Clock,
    /// Whether everything stands still.
    pub(super) frozen: watch::Receiver<bool>,
    pub(super) step: usize,
    pub(super) attempt: u32,
    pub(super) r#ref: String,
}

impl Hand {
    fn say(&self, bytes: &[u8]) {
        lock(&self.disk).say(self.step, self.clock.now(), bytes);
        let _ = self.inbox.send(Input::Said);
    }

    fn report(&self, report: Report) {
        // The loop outlives its operations.
        let _ = self.inbox.send(Input::Report(Box::new(report)));
    }

    fn pack_name(&self) -> String {
        format!("{}.{}.{}", self.at.unit.folder(), self.r#ref, self.attempt)
    }

    fn pack(&self, pack: &PackId, files: &BTreeMap<String, String>, purpose: impl FnOnce(Entries) -> PackPurpose) {
        let bytes = serde_json::to_vec(files).expect("texts by text always serialize");
        let entries = Entries { files: files.len() as u64, bytes: files.values().map(|text| text.len() as u64).sum() };
        let (length, digest) = (bytes.len() as u64, digest_of(&bytes));
        lock(&self.disk).packs.insert(pack.clone(), bytes);
        self.report(Report::Packed { pack: pack.clone(), length, digest, purpose: purpose(entries) });
    }

    /// Takes time, but none while everything stands still.
    async fn take(&mut self, mut time: Duration) {
        loop {
            if self.frozen.wait_for(|frozen| !frozen).await.is_err() {
                return;
            }
            let begun = Instant::now();
            tokio::select! {
                biased;
                () = sleep(time) => return,
                _ = self.frozen.changed() => time = time.saturating_sub(begun.elapsed()),
            }
        }
    }
}

/// News from the engine about the step.
pub(super) type Hears = mpsc::UnboundedReceiver<Told>;

/// A pack on its way from the engine.
pub(in crate::sim) struct Pull {
    pub(super) pack: PackId,
    pub(super) bytes: Vec<u8>,
    pub(super) done: oneshot::Sender<Result<Vec<u8>, String>>,
}

/// An operation with everything in it final.
pub(super) enum Job {
    Command(Script),
    Delay(Duration),
    Done,
    Artifacts(BTreeMap<String, String>),
    Unpack(Vec<(PackId, String)>),
    Fetch(Vec<(BTreeMap<String, String>, String)>),
    Engine { request: Request, packs: Vec<(PackId, BTreeMap<String, String>)> },
}

impl Job {
    pub(super) async fn carry_out(self, mut hand: Hand, hears: Hears) -> Outcome {
        match self {
            Job::Command(script) => command(&mut hand, script).await,
            Job::Delay(time) => {
                hand.take(time).await;
                Outcome::Exit { code: 0 }
            }
            Job::Done => Outcome::Exit { code: 0 },
            Job::Artifacts(files) => artifacts(&hand, hears, &files).await,
            Job::Unpack(packs) => unpack(&hand, packs).await,
            Job::Fetch(entries) => {
                for (number, (files, to)) in entries.into_iter().enumerate() {
                    let pack = PackId(format!("{}.{number}", hand.pack_name()));
                    hand.pack(&pack, &files, |_| PackPurpose::Fetch { to });
                }
                Outcome::Exit { code: 0 }
            }
            Job::Engine { request, packs } => engine(&hand, hears, request, packs).await,
        }
    }
}

async fn command(hand: &mut Hand, script: Script) -> Outcome {
    let Script { takes, outcome, said, outputs, files, .. } = script;
    let half = said.len() / 2;
    hand.say(&said[..half]);
    hand.take(takes).await;
    hand.say(&said[half..]);
    let mut disk = lock(&hand.disk);
    disk.outputs = outputs;
    disk.files.extend(files);
    outcome
}

async fn artifacts(hand: &Hand, mut hears: Hears, files: &BTreeMap<String, String>) -> Outcome {
    if files.is_empty() {
        hand.say(b"No artifacts found.\n");
        return Outcome::Exit { code: 0 };
    }
    let own = PackId(hand.pack_name());
    let (step, attempt) = (hand.step, hand.attempt);
    hand.pack(&own, files, |entries| PackPurpose::Artifacts { step, attempt, entries });
    while let Some(told) = hears.recv().await {
        match told {
            Told::Kept { pack, error: None } if pack == own => return Outcome::Exit { code: 0 },
            Told::Kept { pack, error: Some(message) } if pack == own => return Outcome::Error { message },
            _ => {}
        }
    }
    Outcome::Error { message: "nobody kept the artifacts".to_owned() }
}

async fn unpack(hand: &Hand, packs: Vec<(PackId, String)>) -> Outcome {
    for (pack, to) in packs {
        let (done, whole) = oneshot::channel();
        let _ = hand.inbox.send(Input::Pull(Pull { pack, bytes: Vec::new(), done }));
        let bytes = match whole.await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(message)) => return Outcome::Error { message },
            Err(_) => return Outcome::Error { message: "the agent is gone".to_owned() },
        };
        match serde_json::from_slice::<BTreeMap<String, String>>(&bytes) {
            Ok(files) => {
                let files =
                    files.into_iter().map(|(name, text)| (format!("{}/{name}", to.trim_end_matches('/')), text));
                lock(&hand.disk).files.extend(files);
            }
            Err(error) => return Outcome::Error { message: error.to_string() },
        }
    }
    Outcome::Exit { code: 0 }
}

async fn engine(
    hand: &Hand,
    mut hears: Hears,
    request: Request,
    packs: Vec<(PackId, BTreeMap<String, String>)>,
) -> Outcome {
    for (pack, files) in packs {
        hand.pack(&pack, &files, |_| PackPurpose::Transfer);
    }
    hand.report(Report::Requested { step: hand.step, attempt: hand.attempt, request });
    let mut intact = true;
    while let Some(told) = hears.recv().await {
        match told {
            Told::Line { text } => hand.say(format!("{text}\n").as_bytes()),
            Told::Unpack { pack, to } => intact &= unpack(hand, vec![(pack, to)]).await == Outcome::Exit { code: 0 },
            Told::Kept { .. } | Told::Failed { .. } => {}
            Told::Done { passed, .. } => return Outcome::Exit { code: i32::from(!passed || !intact) },
        }
    }
    Outcome::Error { message: "the engine's answer was lost".to_owned() }
}

/// Makes an operation final, or says how its attempt ended before it began.
pub(super) fn prepare(ask: &Ask<'_>, hand: &Hand, operation: &Operation) -> Result<Job, Outcome> {
    let fatal = |error: ExprError| Outcome::Fatal { message: error.to_string(), code: None };
    let script = |text: &str| Job::Command(Script::read(text, hand.attempt));
    Ok(match operation {
        Operation::Delay { millis } => Job::Delay(Duration::from_millis(*millis)),
        Operation::Gate | Operation::Git(_) | Operation::Tarball { .. } => Job::Done,
        Operation::Run { command, args } => {
            let words = command.iter().chain(args).map(|word| ask.text(word)).collect::<Result<Vec<_>, _>>();
            script(&words.map_err(fatal)?.join(" "))
        }
        Operation::Shell { script: text } => script(&ask.text(text).map_err(fatal)?),
        Operation::Artifacts(artifacts) => {
            let patterns = artifacts.paths.iter().map(|path| ask.text(path)).collect::<Result<Vec<_>, _>>();
            Job::Artifacts(gather(ask, "/", &patterns.map_err(fatal)?).map_err(fatal)?)
        }
        Operation::Unpack { packs } => {
            let packs = packs.iter().map(|one| Ok((one.pack.clone(), ask.path(&one.to)?)));
            Job::Unpack(packs.collect::<Result<_, _>>().map_err(fatal)?)
        }
        Operation::Fetch { entries } => {
            let entries = entries.iter().map(|entry| {
                let files = gather(ask, &ask.path(&entry.from)?, &entry.files)?;
                Ok((files, ask.text(&entry.to)?))
            });
            Job::Fetch(entries.collect::<Result<_, _>>().map_err(fatal)?)
        }
        Operation::StopServices { start, .. } => return stop_services(ask, start),
        Operation::StartServices { .. } | Operation::Parallel(_) | Operation::Execute(_) => {
            return block(ask, hand, operation);
        }
    })
}

/// Files below a folder, by their names in it.
fn gather(ask: &Ask<'_>, from: &str, patterns: &[String]) -> Result<BTreeMap<String, String>, ExprError> {
    let inside = |path: &str| path.strip_prefix(from).map(|name| name.trim_start_matches('/').to_owned());
    let found = matching(ask.files, from, patterns)?;
    Ok(found.iter().filter_map(|path| Some((inside(path)?, ask.files[path].clone()))).collect())
}

fn stop_services(ask: &Ask<'_>, start: &str) -> Result<Job, Outcome> {
    let found = ask.run.plan().steps.iter().position(|step| step.r#ref == start);
    let Some(start) = found else {
        let message = "the step that started the services is not there".to_owned();
        return Err(Outcome::Fatal { message, code: None });
    };
    if ask.run.state(start).attempts == 0 {
        return Ok(Job::Done);
    }
    let group = ask.run.step(ask.step).parent.unwrap_or(0);
    let mut before = ask.run.children(group).take_while(|step| *step != ask.step);
    let failed = ask.run.state(group).failed.is_some()
        || before.any(|step| {
            let status = ask.run.status(step);
            status.is_final() && !status.is_fine()
        });
    Ok(Job::Engine { request: Request::StopServices { start, failed }, packs: Vec::new() })
}

/// Expands a block on the unit's own files, and remembers what it asked for.
fn block(ask: &Ask<'_>, hand: &Hand, operation: &Operation) -> Result<Job, Outcome> {
    let origin = pack_origin(&hand.at.unit, &hand.r#ref, hand.attempt);
    let platform = Platform::default();
    let (expanded, request) = ask.with(|scopes| {
        let no_secrets = BTreeMap::new();
        let recorder = Recorder::new(scopes.to_vec(), &no_secrets);
        let expanded = match operation {
            Operation::Parallel(parallel) => expand_parallel(parallel, &recorder, &origin, &platform),
            Operation::StartServices { services } => expand_services(services, &recorder, &origin, &platform),
            Operation::Execute(execute) => expand_execute(execute, &recorder, &origin, ""),
            _ => Ok(Vec::new()),
        };
        let answers = recorder.into_answers();
        let request = match operation {
            Operation::Parallel(_) => Request::Parallel { answers },
            Operation::StartServices { .. } => Request::Services { answers },
            _ => Request::Execute { answers },
        };
        expanded.map(|expanded| (expanded, request)).map_err(|failure| Outcome::Error { message: failure.to_string() })
    })?;
    if expanded.is_empty() {
        return Ok(Job::Done);
    }
    let packs = pack_sources(&expanded).into_iter().map(|(pack, source)| {
        let from = ask.path(&source.from)?;
        Ok((pack, gather(ask, &from, &source.files)?))
    });
    let packs = packs.collect::<Result<_, ExprError>>();
    let packs = packs.map_err(|error| Outcome::Fatal { message: error.to_string(), code: None })?;
    Ok(Job::Engine { request, packs })
}

/// Tells the loop something after a while, in which time may stand still.
pub(super) async fn later(mut hand: Hand, after: Duration, input: Input) {
    hand.take(after).await;
    // The agent may have gone.
    let _ = hand.inbox.send(input);
}
