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
    frame::{Answered, Ask as Reading, Down, Hello, MAX_READ, PROTOCOL, Source, Up},
    plan::{Role, ServicePlan},
    run::{Ending, Next, Outcome, Report, Status, Told, UnitRun, Values, Word, WordId},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};

use super::{AgentEnd, At, memory::lock, runner::Place};

mod ask;
mod clock;
mod control;
mod disk;
mod guest;
mod work;

use ask::Ask;
use clock::{Clock, Limit};
use control::{Activity, Killing};
pub(super) use disk::Disk;
pub(super) use guest::Guest;
use guest::Linked;
use work::{Hand, Job, Pull};

/// How long operations that always run may go on in a group whose time is up.
const ALWAYS_WINDOW: Duration = Duration::from_mins(1);
/// Restarts of a service that keeps failing.
const RESTARTS: u32 = 6;
/// How long a service without a probe is watched before it counts as ready.
const SETTLE: Duration = Duration::from_secs(2);
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
    not_before: Option<Instant>,
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

    fn welcome(&mut self, guest: Guest) {
        self.connections += 1;
        let link = Linked::open(self.connections, guest, self.sender.clone(), &mut self.tasks);
        let disk = lock(&self.disk);
        let (unit, life, seq) = (self.at.unit.to_string(), disk.life.clone(), disk.seq());
        link.say(Up::Hello(Hello { protocol: PROTOCOL, unit, life, seq }));
        self.links.insert(self.connections, link);
    }

    fn hear(&mut self, input: Input) -> Result<(), Fall> {
        match input {
            Input::Unlinked(id) => {
                self.links.remove(&id);
            }
            Input::Down(id, down) => {
                self.last_heard = Instant::now();
                self.hear_down(id, *down)?;
            }
            Input::Data(read, bytes) => {
                if let Some(pull) = self.pulls.get_mut(&read) {
                    pull.bytes.extend(bytes);
                }
            }
            Input::Report(report) => self.report(*report)?,
            Input::Said => {}
            Input::Ended(activity, outcome) => {
                if self.is_current(activity) {
                    self.ended(outcome)?;
                }
            }
            Input::Pull(pull) => {
                self.next_read += 1;
                self.pulls.insert(self.next_read, pull);
                self.ask(self.next_read);
            }
            Input::Ready(activity) => {
                if self.is_current(activity) && !self.ready {
                    self.ready = true;
                    self.report(Report::Ready)?;
                }
            }
            Input::Late => self.is_late()?,
        }
        Ok(())
    }

    fn is_current(&self, activity: u64) -> bool {
        self.activity.as_ref().is_some_and(|current| current.id == activity)
    }

    fn hear_down(&mut self, id: u64, down: Down) -> Result<(), Fall> {
        match down {
            Down::Welcome { seq } => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.welcomed = true;
                    for report in lock(&self.disk).after(seq) {
                        link.say(Up::Report(report));
                    }
                }
                let reads: Vec<u64> = self.pulls.keys().copied().collect();
                for read in reads {
                    self.ask(read);
                }
            }
            Down::Word { id, word } => {
                if self.heard.insert(id.clone()) {
                    let heard = Report::Heard { word: id };
                    if let Word::Begin { .. } = word {
                        self.obey(word)?;
                        self.report(heard)?;
                    } else {
                        self.report(heard)?;
                        self.obey(word)?;
                    }
                }
            }
            Down::Answered(answered) => self.answered(&answered),
            Down::Ask(Reading::Read { read, source, from, length }) => self.answer(id, read, &source, from, length),
            Down::Heartbeat => {}
        }
        Ok(())
    }

    fn ask(&mut self, read: u64) {
        let Some(pull) = self.pulls.get(&read) else { return };
        let source = Source::Pack(pull.pack.clone());
        let (from, length) = (pull.bytes.len() as u64, MAX_READ);
        if let Some(link) = self.links.values().rev().find(|link| link.welcomed) {
            link.say(Up::Ask(Reading::Read { read, source, from, length }));
        }
    }

    fn answered(&mut self, answered: &Answered) {
        let read = answered.read;
        if !answered.end && answered.error.is_none() {
            return self.ask(read);
        }
        if let Some(Pull { bytes, done, .. }) = self.pulls.remove(&read) {
            // An operation that was taken down reads no more.
            let _ = done.send(answered.error.clone().map_or(Ok(bytes), Err));
        }
    }

    fn answer(&mut self, link: u64, read: u64, source: &Source, from: u64, length: u64) {
        let Some(link) = self.links.get_mut(&link) else { return };
        let disk = lock(&self.disk);
        let found = match source {
            Source::Output => Some((&disk.output, false)),
            Source::Pack(pack) => disk.packs.get(pack).map(|bytes| (bytes, true)),
        };
        let answered = match found {
            Some((bytes, whole)) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                let length = usize::try_from(length.min(MAX_READ)).unwrap_or(usize::MAX);
                let upto = bytes.len().min(from.saturating_add(length));
                link.send(read, bytes[from..upto].to_vec());
                if *source == Source::Output {
                    link.has_read(upto as u64);
                }
                Answered { read, end: whole && upto == bytes.len(), error: None }
            }
            None => Answered { read, end: true, error: Some("there is no such pack".to_owned()) },
        };
        link.say(Up::Answered(answered));
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
            Word::Tell { step, attempt, told } => self.tell(step, attempt, told),
            Word::Pause => self.pause_all()?,
            Word::Resume { gate } => self.resume(gate)?,
            Word::Stop { ending, reason, grace, window } => self.stop(ending, reason, grace, window)?,
            Word::Bye => self.bye = true,
        }
        Ok(())
    }

    fn tell(&mut self, step: usize, attempt: u32, told: Told) {
        if let (Told::Done { values, .. }, Some(run)) = (&told, &mut self.run) {
            for (name, value) in values {
                run.remember(name.clone(), value.clone());
            }
        }
        if let Some(activity) = &self.activity
            && (activity.step, activity.attempt) == (step, attempt)
        {
            // The operation may have ended on its own account.
            let _ = activity.told.send(told);
        }
    }

    /// Does what the fold says is next, until something has to be waited for.
    fn proceed(&mut self) -> Result<(), Fall> {
        while !self.over && self.activity.is_none() && self.pause.is_none() {
            let Some(run) = &self.run else { return Ok(()) };
            match run.next() {
                Next::Decide(step) => self.decide(step)?,
                Next::Skip(step) => self.report(Report::Skipped { step })?,
                Next::Attempt(step, attempt) => {
                    if self.not_before.is_some_and(|moment| moment > Instant::now()) {
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

    /// Whoever can be asked about a step, and its surroundings.
    fn with_ask<T>(&self, step: usize, own: Option<Status>, then: impl FnOnce(&mut Ask<'_>) -> T) -> Option<T> {
        let run = self.run.as_ref()?;
        let disk = lock(&self.disk);
        let mut ask = Ask {
            run,
            step,
            values: &self.values,
            files: &disk.files,
            now: self.place.clock.now(),
            env: BTreeMap::new(),
            working_dir: "/".to_owned(),
            own,
        };
        Some(then(&mut ask))
    }

    fn holds(&self, step: usize) -> Result<bool, String> {
        let asked = self.with_ask(step, None, |ask| {
            let plan = ask.run.step(step);
            if let Some(around) = &plan.surroundings {
                ask.enter(around).map_err(|error| error.to_string())?;
            }
            for condition in &plan.conditions {
                let holds = match condition.as_str() {
                    "passed" => ask.run.passed_before(step),
                    "always" | "true" => true,
                    condition => ask
                        .holds(condition)
                        .map_err(|error| format!("the condition `{condition}` cannot be computed: {error}"))?,
                };
                if !holds {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        asked.unwrap_or(Ok(false))
    }

    /// Begins the clock of a group.
    fn enter(&mut self, step: usize) -> Result<(), Fall> {
        let Some(run) = &self.run else { return Ok(()) };
        let plan = run.step(step);
        let Some(text) = plan.timeout.clone().filter(|_| plan.operation.is_none()) else { return Ok(()) };
        match self.with_ask(step, None, |ask| ask.duration(&text)) {
            Some(Err(message)) => self.fail_fatally(step, message),
            Some(Ok(limit)) => {
                self.limits.insert(step, self.clock.limit(limit));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Begins an attempt of an operation.
    fn attempt(&mut self, step: usize, attempt: u32) -> Result<(), Fall> {
        let Some(run) = &self.run else { return Ok(()) };
        let plan = run.step(step).clone();
        let Some(operation) = plan.operation.clone() else { return Ok(()) };
        let hand = Hand {
            at: self.at.clone(),
            inbox: self.sender.clone(),
            disk: self.disk.clone(),
            clock: self.place.clock,
            frozen: self.frozen.subscribe(),
            step,
            attempt,
            r#ref: plan.r#ref.clone(),
        };
        let prepared = self.with_ask(step, None, |ask| {
            if let Some(around) = &plan.surroundings {
                ask.enter(around).map_err(|error| (error.to_string(), None))?;
            }
            let limit = plan.timeout.as_deref().map(|text| ask.duration(text)).transpose();
            let limit = limit.map_err(|message| (message, None))?;
            match work::prepare(ask, &hand, &operation) {
                Ok(job) => Ok((Ok(job), limit)),
                Err(Outcome::Fatal { message, code }) => Err((message, code)),
                Err(outcome) => Ok((Err(outcome), limit)),
            }
        });
        let (job, mut limit) = match prepared {
            None => return Ok(()),
            Some(Err((message, code))) => {
                let outcome = Outcome::Fatal { message, code };
                return self.report(Report::Attempted { step, attempt, outcome, again: false });
            }
            Some(Ok(prepared)) => prepared,
        };
        if run.ancestors(step).any(|group| run.state(group).timed_out) {
            limit = Some(limit.map_or(ALWAYS_WINDOW, |limit| limit.min(ALWAYS_WINDOW)));
        }
        self.report(Report::Started { step, attempt })?;
        lock(&self.disk).outputs.clear();
        match job {
            Ok(job) => self.begin(step, attempt, job, hand, limit, plan.is_always()),
            Err(outcome) => self.conclude(step, attempt, outcome)?,
        }
        Ok(())
    }

    fn begin(&mut self, step: usize, attempt: u32, job: Job, hand: Hand, limit: Option<Duration>, always: bool) {
        self.activities += 1;
        let id = self.activities;
        let (told, hears) = mpsc::unbounded_channel();
        let mut lingers = None;
        if let Job::Command(script) = &job {
            let at = (self.at.clone(), step, attempt);
            self.place.note(|book| *book.ran.entry(at).or_default() += 1);
            lingers = Some(script.lingers);
            if let Some(service) = self.service().filter(|_| !self.ready) {
                let ready = match &service.probe {
                    None => Some(SETTLE),
                    Some(probe) => script.ready.map(|ready| ready + Duration::from_secs(probe.initial_delay)),
                };
                if let Some(ready) = ready {
                    self.tasks.spawn(work::later(hand.clone(), ready, Input::Ready(id)));
                }
                // The limit is the service's, however often it is started.
                if let Some(limit) = service.timeout.filter(|_| attempt == 0) {
                    self.tasks.spawn(work::later(hand.clone(), Duration::from_millis(limit), Input::Late));
                }
            }
        }
        let inbox = self.sender.clone();
        let task = self.tasks.spawn(async move {
            let outcome = job.carry_out(hand, hears).await;
            let _ = inbox.send(Input::Ended(id, outcome));
        });
        let limit = limit.map(|limit| self.clock.limit(limit));
        self.activity = Some(Activity { id, step, attempt, task, told, limit, killing: None, lingers, always });
    }

    /// A service was not ready in time: it has failed, whether it runs now or waits to be started again.
    fn is_late(&mut self) -> Result<(), Fall> {
        if self.ready || self.over {
            return Ok(());
        }
        self.late = true;
        let outcome = Outcome::Error { message: "timed out".to_owned() };
        if self.activity.is_some() {
            return self.ended(outcome);
        }
        match self.run.as_ref().map(UnitRun::next) {
            Some(Next::Attempt(step, attempt)) => self.conclude(step, attempt, outcome),
            _ => Ok(()),
        }
    }

    /// An activity ended by itself, or was taken down.
    fn ended(&mut self, outcome: Outcome) -> Result<(), Fall> {
        let Some(activity) = self.activity.take() else { return Ok(()) };
        activity.task.abort();
        let outcome = activity.killing.map_or(outcome, |Killing { outcome, .. }| outcome);
        self.conclude(activity.step, activity.attempt, outcome)
    }

    /// Writes an attempt's end down, and whether there is another.
    fn conclude(&mut self, step: usize, attempt: u32, outcome: Outcome) -> Result<(), Fall> {
        let values = std::mem::take(&mut lock(&self.disk).outputs);
        let again = self.again(step, attempt, &outcome)?;
        self.report(Report::Attempted { step, attempt, outcome, again })?;
        if again {
            let delay = self.run.as_ref().and_then(|run| run.step(step).retry.as_ref()).map_or(0, |retry| retry.delay);
            if delay > 0 {
                self.not_before = Some(Instant::now() + Duration::from_millis(delay));
            }
        } else if !values.is_empty() {
            self.report(Report::Outputs { step, values })?;
        }
        Ok(())
    }

    /// Whether the plan's retry asks for another attempt.
    fn again(&mut self, step: usize, attempt: u32, outcome: &Outcome) -> Result<bool, Fall> {
        let Some(run) = &self.run else { return Ok(false) };
        let plan = run.step(step);
        let own = match outcome {
            Outcome::Exit { code } if (*code == 0) != plan.negative => Status::Passed,
            Outcome::Error { .. } if plan.negative => Status::Passed,
            Outcome::Exit { .. } | Outcome::Error { .. } => Status::Failed,
            Outcome::TimedOut { by: None } => Status::Timeout,
            Outcome::TimedOut { by: Some(_) } | Outcome::Killed { .. } | Outcome::Stopped | Outcome::Fatal { .. } => {
                return Ok(false);
            }
        };
        if run.stopping().is_some() {
            return Ok(false);
        }
        if let Some(service) = self.service() {
            if own == Status::Passed || self.late || !service.restart || self.restarts >= RESTARTS {
                return Ok(false);
            }
            self.restarts += 1;
            self.not_before = Some(Instant::now() + Duration::from_secs(1 << (self.restarts - 1)));
            self.report(Report::Restarted { count: self.restarts })?;
            return Ok(true);
        }
        let Some(retry) = plan.retry.clone().filter(|retry| attempt < retry.count) else { return Ok(false) };
        let enough = self.with_ask(step, Some(own), |ask| ask.holds(&retry.until));
        Ok(matches!(enough, Some(Ok(false))))
    }

    fn service(&self) -> Option<ServicePlan> {
        match &self.run.as_ref()?.plan().role {
            Role::Service(service) => Some(service.clone()),
            Role::Main | Role::Worker => None,
        }
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
