//! An agent without a machine: the loop of a real one, over tasks instead of processes.
//!
//! It keeps the same rules: it idles until it is told to begin, writes a report down before it sends it, sends again
//! what was missed after `Welcome`, obeys a word once, asks the engine for blocks with the answers that it got, ends
//! when it hears `bye` or when nobody has spoken for too long.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use testudo_core::{
    frame::{Down, Up},
    run::{Ending, Next, Outcome, Report, Status, Told, UnitRun, Values, Word, WordId},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};

use super::{AgentEnd, At, memory::lock, runner::Place};

mod ask;
mod attempt;
mod clock;
mod control;
mod disk;
mod guest;
mod hear;
mod work;

use clock::{Clock, Limit};
use control::Activity;
pub(super) use disk::Disk;
pub(super) use guest::Guest;
use guest::Linked;
use work::Pull;

/// Heartbeats to whoever is connected.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// An agent came to an early end.
#[derive(Debug)]
pub(super) struct Fall(pub(super) AgentEnd);

/// Everything that can wake the agent.
pub(super) enum Input {
    Unlinked(u64),
    Down(u64, Box<Down>),
    /// Bytes that answer a read of the agent's.
    Data(u64, Vec<u8>),
    /// A fact that an operation found out.
    Report(Box<Report>),
    /// The output has grown.
    Said,
    /// An operation ended: which activity it was, and how.
    Ended(u64, Outcome),
    /// An operation wants bytes that the engine keeps.
    Pull(Pull),
    /// The service that is this activity is ready.
    Ready(u64),
    /// A service has had all the time that it has to become ready.
    Late,
}

pub(super) struct Agent {
    place: Arc<Place>,
    at: At,
    disk: Arc<Mutex<Disk>>,
    inbox: mpsc::UnboundedReceiver<Input>,
    sender: mpsc::UnboundedSender<Input>,
    tasks: JoinSet<()>,
    links: BTreeMap<u64, Linked>,
    connections: u64,
    heard: BTreeSet<WordId>,
    run: Option<UnitRun>,
    values: Values,
    activity: Option<Activity>,
    activities: u64,
    clock: Clock,
    frozen: watch::Sender<bool>,
    /// The step that is paused, and whether it said so itself.
    pause: Option<(usize, bool)>,
    limits: BTreeMap<usize, Limit>,
    window: Option<Instant>,
    not_before: Option<Limit>,
    ready: bool,
    /// The service was not ready in time: it is not started again.
    late: bool,
    restarts: u32,
    over: bool,
    bye: bool,
    last_heard: Instant,
    pulls: BTreeMap<u64, Pull>,
    next_read: u64,
}

impl Agent {
    pub(super) fn new(place: Arc<Place>, at: At, disk: Arc<Mutex<Disk>>) -> Self {
        let (sender, inbox) = mpsc::unbounded_channel();
        Agent {
            place,
            at,
            disk,
            inbox,
            sender,
            tasks: JoinSet::new(),
            links: BTreeMap::new(),
            connections: 0,
            heard: BTreeSet::new(),
            run: None,
            values: Values::default(),
            activity: None,
            activities: 0,
            clock: Clock::default(),
            frozen: watch::channel(false).0,
            pause: None,
            limits: BTreeMap::new(),
            window: None,
            not_before: None,
            ready: false,
            late: false,
            restarts: 0,
            over: false,
            bye: false,
            last_heard: Instant::now(),
            pulls: BTreeMap::new(),
            next_read: 0,
        }
    }

    /// Serves until it is no longer needed, or falls.
    pub(super) async fn run(mut self, mut door: mpsc::UnboundedReceiver<Guest>) -> Result<(), Fall> {
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.reset();
        if lock(&self.disk).seq() > 0 {
            // An earlier agent of this life is gone with what it ran: nothing of it is run again.
            self.finish(Status::Aborted)?;
        }
        loop {
            self.proceed()?;
            if self.bye {
                // What was said last has to reach the other side before this one is gone.
                tokio::time::sleep(Duration::from_millis(1)).await;
                return Ok(());
            }
            let length = lock(&self.disk).output.len() as u64;
            self.links.values_mut().for_each(|link| link.announce(length));
            let due = self.due();
            tokio::select! {
                biased;
                Some(guest) = door.recv() => self.welcome(guest),
                Some(input) = self.inbox.recv() => self.hear(input)?,
                _ = beat.tick() => self.links.values().for_each(|link| link.say(Up::Heartbeat)),
                () = sleep_until(due) => self.act_on_time()?,
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Writes a fact down, believes it, then tells whoever listens.
    fn report(&mut self, report: Report) -> Result<(), Fall> {
        let (numbered, earlier) = {
            let mut disk = lock(&self.disk);
            let numbered = disk.write(report, self.place.clock.now());
            let earlier = usize::try_from(self.place.below(numbered.seq)).unwrap_or(0);
            (numbered, disk.reports[earlier].clone())
        };
        if let Some(run) = &mut self.run {
            run.apply(&numbered.report, numbered.at);
        }
        let repeats = self.place.repeats();
        for link in self.links.values().filter(|link| link.welcomed) {
            link.say(Up::Report(numbered.clone()));
            if repeats {
                link.say(Up::Report(earlier.clone()));
            }
        }
        self.place.fault(&self.at, numbered.seq).map_or(Ok(()), |how| Err(Fall(how)))
    }

    fn obey(&mut self, word: Word) -> Result<(), Fall> {
        match word {
            Word::Begin { plan, values } => {
                let life = lock(&self.disk).life.clone();
                self.place.note(|book| book.begun.entry(self.at.clone()).or_default().insert(life));
                self.values = *values;
                self.run = Some(UnitRun::new(plan));
            }
            Word::Tell { step, told: Told::Failed { reason }, .. } => self.group_failed(step, &reason)?,
            Word::Tell { step, attempt, told } => self.tell(step, attempt, told),
            Word::Pause => self.pause_all()?,
            Word::Resume { gate } => self.resume(gate)?,
            Word::Refuse { .. } => self.refuse()?,
            Word::Stop { ending, reason, grace, window } => self.stop(ending, reason, grace, window)?,
            Word::Bye => self.bye = true,
        }
        Ok(())
    }

    /// Does what the fold says is next, until something has to be waited for.
    fn proceed(&mut self) -> Result<(), Fall> {
        while !self.over && self.activity.is_none() && self.pause.is_none() {
            let Some(run) = &self.run else { return Ok(()) };
            match run.next() {
                Next::Decide(step) => self.decide(step)?,
                Next::Skip(step) => self.report(Report::Skipped { step })?,
                Next::Attempt(step, attempt) => {
                    if self.not_before.is_some_and(|limit| !self.clock.is_over(limit)) {
                        return Ok(());
                    }
                    self.not_before = None;
                    if !self.gate(step)? {
                        self.attempt(step, attempt)?;
                    }
                }
                Next::Over => {
                    let status = run.overall();
                    self.finish(status)?;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, status: Status) -> Result<(), Fall> {
        if let Some(activity) = self.activity.take() {
            activity.task.abort();
        }
        self.over = true;
        let output = lock(&self.disk).output.len() as u64;
        self.report(Report::Over { status, output })
    }

    /// Evaluates a step's conditions.
    fn decide(&mut self, step: usize) -> Result<(), Fall> {
        match self.holds(step) {
            Ok(true) => {
                self.report(Report::Entered { step })?;
                self.enter(step)
            }
            Ok(false) => self.report(Report::Skipped { step }),
            Err(message) => {
                self.report(Report::Entered { step })?;
                self.fail_fatally(step, message)
            }
        }
    }

    /// The plan cannot be carried out any further, and the log says why.
    fn fail_fatally(&mut self, step: usize, message: String) -> Result<(), Fall> {
        let Some(run) = &self.run else { return Ok(()) };
        // A group cannot end by itself: its first operation does.
        let leaf = (step..run.step(step).end).find(|inner| run.step(*inner).operation.is_some()).unwrap_or(step);
        for inner in step + 1..=leaf {
            self.report(Report::Entered { step: inner })?;
        }
        let outcome = Outcome::Fatal { message, code: None };
        self.report(Report::Attempted { step: leaf, attempt: 0, outcome, again: false })
    }

    fn stop(&mut self, ending: Ending, reason: String, grace: u64, window: u64) -> Result<(), Fall> {
        if self.over {
            return Ok(());
        }
        self.report(Report::Stopping { ending, reason })?;
        self.window = Some(Instant::now() + Duration::from_millis(window));
        self.lift_pause()?;
        if self.activity.as_ref().is_some_and(|activity| !activity.always) {
            self.take_down(Outcome::Stopped, Duration::from_millis(grace))?;
        }
        Ok(())
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
