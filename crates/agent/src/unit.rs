//! The agent's one loop: what is heard, what ends and what is due, each taken in turn; then whatever the fold says is
//! next.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    os::fd::OwnedFd,
    rc::Rc,
    time::Duration,
};

use testudo_core::{
    duration,
    expr::{self, Finalizer, Scope},
    frame::{Down, Hello, Numbered, PROTOCOL, Up},
    plan::{Operation, Surroundings, containers},
    run::veil::veil,
    run::{Ending, Next, Outcome, Report, RunScope, Status, Told, UnitRun, Values, Word, WordId},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    door::{self, Door},
    family::{self, Shelf},
    habitat::Habitat,
    journal::Journal,
    lend::News,
    link::{Served, Writer},
    mask::Mask,
    operations::{self, Hand},
    output::Output,
    processes::{Processes, open_below},
    scope::{Environment, HostScope, environment, final_text},
    settings::Settings,
    sys::Caller,
};

mod clock;
mod control;
mod guests;
mod service;

pub(crate) use clock::Pace;
use clock::{Clock, Limit};
use control::{Activity, Killing};
use service::Service;

/// Everything that can wake the agent.
pub(crate) enum Input {
    Linked(u64, Writer),
    Unlinked(u64),
    Down(u64, Box<Down>),
    /// Bytes that answer a read of the agent's.
    Data(u64, Vec<u8>),
    /// A fact that an operation found out.
    Report(Box<Report>),
    /// An operation ended: the step, and which activity it was.
    Ended(u64, Outcome),
    /// Another container of the unit has something to say.
    Guest(News),
    /// An operation wants bytes that the engine keeps.
    Pull(operations::packs::Pull),
    /// An artifact for an expression.
    Artifact(family::Artifact, Result<String, String>),
    /// The service that this activity is has become ready.
    Ready(u64),
}

/// How long operations that always run may go on in a group whose time is up.
const ALWAYS_WINDOW: Duration = Duration::from_mins(1);
/// How long a line may be held back because its end might begin a sensitive word.
const MASK_PATIENCE: Duration = Duration::from_millis(100);
/// Heartbeats to whoever is connected.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One unit's agent.
pub(crate) struct Agent {
    settings: Settings,
    habitat: Habitat,
    folder: Rc<OwnedFd>,
    journal: Journal,
    output: Rc<RefCell<Output>>,
    grown: Rc<watch::Sender<u64>>,
    kept: Rc<watch::Sender<u64>>,
    processes: Processes,
    /// By step, where the unit is a pod.
    containers: Vec<Option<usize>>,
    inbox: mpsc::UnboundedReceiver<Input>,
    sender: mpsc::UnboundedSender<Input>,
    links: BTreeMap<u64, Writer>,
    welcomed: BTreeSet<u64>,
    heard: BTreeSet<WordId>,
    run: Option<UnitRun>,
    values: Values,
    activity: Option<Activity>,
    activities: u64,
    clock: Clock,
    /// Paused steps: the step that said so, and whether it said so itself.
    pause: Option<(usize, bool)>,
    limits: BTreeMap<usize, Limit>,
    window: Option<Instant>,
    not_before: Option<Limit>,
    service: Service,
    over: bool,
    bye: bool,
    /// Whoever runs the place has told this process to go: it is not started again.
    told_to_go: bool,
    last_heard: Instant,
    pulls: HashMap<u64, operations::packs::Pull>,
    next_read: u64,
    shelf: Shelf,
}

impl Agent {
    /// An agent that idles until it is told to begin.
    pub(crate) fn new(settings: Settings, habitat: Habitat, folder: OwnedFd) -> io::Result<Self> {
        let journal = Journal::open(open_below(&folder, "journal", true)?)?;
        let output = Output::new(open_below(&folder, "output", true)?, Mask::default(), habitat.echo)?;
        let (grown, _) = watch::channel(output.length());
        let (sender, inbox) = mpsc::unbounded_channel();
        Ok(Agent {
            settings,
            habitat,
            folder: Rc::new(folder),
            journal,
            output: Rc::new(RefCell::new(output)),
            grown: Rc::new(grown),
            kept: Rc::new(watch::channel(0).0),
            processes: Processes::default(),
            containers: Vec::new(),
            inbox,
            sender,
            links: BTreeMap::new(),
            welcomed: BTreeSet::new(),
            heard: BTreeSet::new(),
            run: None,
            values: Values::default(),
            activity: None,
            activities: 0,
            clock: Clock::default(),
            pause: None,
            limits: BTreeMap::new(),
            window: None,
            not_before: None,
            service: Service::default(),
            over: false,
            bye: false,
            told_to_go: false,
            last_heard: Instant::now(),
            pulls: HashMap::new(),
            next_read: 0,
            shelf: Shelf::default(),
        })
    }

    /// Serves until it is no longer needed.
    pub(crate) async fn run(mut self, door: Door) -> io::Result<()> {
        let mut children = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child())?;
        let terminate = tokio::signal::unix::SignalKind::terminate();
        let mut ends = if self.habitat.ends_by_signal { Some(tokio::signal::unix::signal(terminate)?) } else { None };
        let mut beat = tokio::time::interval(HEARTBEAT);
        let mut connections = 0;
        if self.habitat.caller == Caller::Container {
            let inbox = self.sender.clone();
            self.processes.guests.listen(move |news| drop(inbox.send(Input::Guest(news))))?;
        }
        if self.journal.has_history() {
            // An earlier agent of this life is gone with what it ran: nothing of it is run again.
            self.finish(Status::Aborted)?;
        }
        loop {
            self.proceed()?;
            if self.bye {
                // What was said last has to reach the other side before this one is gone.
                tokio::task::yield_now().await;
                self.leave(&mut ends).await;
                return Ok(());
            }
            let due = self.due();
            tokio::select! {
                caller = door.next() => {
                    connections += 1;
                    self.connect(connections, caller?);
                }
                input = self.inbox.recv() => {
                    if let Some(input) = input {
                        self.hear(input)?;
                    }
                }
                _ = children.recv() => self.processes.reap(),
                Some(()) = signalled(&mut ends) => {
                    self.told_to_go = true;
                    self.told_to_go()?;
                }
                _ = beat.tick() => self.links.values().for_each(|link| link.say(&Up::Heartbeat)),
                () = sleep_until(due) => self.act_on_time()?,
            }
        }
    }

    fn connect(&mut self, id: u64, caller: door::Caller) {
        let hello = Hello {
            protocol: PROTOCOL,
            unit: self.settings.unit.clone(),
            life: self.journal.life.clone(),
            seq: self.journal.seq(),
        };
        let served = Served {
            output: self.output.clone(),
            grown: self.grown.subscribe(),
            kept: self.kept.clone(),
            folder: self.folder.clone(),
            inbox: self.sender.clone(),
        };
        tokio::task::spawn_local(caller.serve(id, hello, served));
    }

    fn hear(&mut self, input: Input) -> io::Result<()> {
        match input {
            Input::Linked(id, writer) => {
                self.links.insert(id, writer);
            }
            Input::Unlinked(id) => {
                self.links.remove(&id);
                self.welcomed.remove(&id);
            }
            Input::Down(id, down) => {
                self.last_heard = Instant::now();
                self.hear_down(id, *down)?;
            }
            Input::Data(read, bytes) => {
                if let Some(pull) = self.pulls.get_mut(&read) {
                    pull.take(&bytes);
                }
            }
            Input::Report(report) => self.report(*report)?,
            Input::Ended(activity, outcome) => {
                if self.activity.as_ref().is_some_and(|current| current.id == activity) {
                    self.ended(outcome)?;
                }
            }
            Input::Pull(pull) => {
                self.next_read += 1;
                self.pulls.insert(self.next_read, pull);
                self.ask(self.next_read);
            }
            Input::Artifact(artifact, text) => self.shelf.put(artifact, text),
            // Whatever waits for it goes on by itself.
            Input::Guest(News::Here) => {}
            Input::Guest(News::ToldToGo) => self.told_to_go()?,
            Input::Ready(activity) => self.is_ready(activity)?,
        }
        Ok(())
    }

    fn hear_down(&mut self, id: u64, down: Down) -> io::Result<()> {
        match down {
            Down::Welcome { seq } => {
                if let Some(link) = self.links.get(&id) {
                    self.journal.after(seq).iter().for_each(|report| link.say(&Up::Report(report.clone())));
                    self.welcomed.insert(id);
                }
                let reads: Vec<u64> = self.pulls.keys().copied().collect();
                for read in reads {
                    self.ask(read);
                }
            }
            Down::Word { id, word } => {
                let late = id.comes_late(&self.heard);
                if self.heard.insert(id.clone()) {
                    if late {
                        self.report(Report::Heard { word: id })?;
                    } else if let Word::Begin { .. } = word {
                        self.obey(word)?;
                        self.report(Report::Heard { word: id })?;
                    } else {
                        self.report(Report::Heard { word: id })?;
                        self.obey(word)?;
                    }
                }
            }
            Down::Answered(answered) => {
                if let Some(pull) = self.pulls.get_mut(&answered.read) {
                    if pull.answered(&answered) {
                        self.pulls.remove(&answered.read);
                    } else {
                        self.ask(answered.read);
                    }
                }
            }
            // Reads are answered where they arrive.
            Down::Ask(_) | Down::Heartbeat => {}
        }
        Ok(())
    }

    fn ask(&mut self, read: u64) {
        let Some(pull) = self.pulls.get_mut(&read) else { return };
        if let Some(link) = self.welcomed.last().and_then(|id| self.links.get(id)) {
            link.say(&Up::Ask(pull.ask(read)));
        }
    }

    /// Writes a fact down, believes it, then tells whoever listens.
    fn report(&mut self, report: Report) -> io::Result<()> {
        let numbered = self.journal.write(report)?.clone();
        let Numbered { at, report, .. } = &numbered;
        if let Some(run) = &mut self.run {
            run.apply(report, *at);
        }
        for id in &self.welcomed {
            if let Some(link) = self.links.get(id) {
                link.say(&Up::Report(numbered.clone()));
            }
        }
        Ok(())
    }

    fn obey(&mut self, word: Word) -> io::Result<()> {
        match word {
            Word::Begin { plan, mut values } => {
                for (path, value) in self.habitat.values(&plan) {
                    values.references.entry(path).or_insert(value);
                }
                let words = values.references.iter().filter(|(path, _)| !path.starts_with("configMap/"));
                let words = words.map(|(_, value)| value.as_str()).chain(values.sensitive.iter().map(String::as_str));
                self.output.borrow_mut().set_mask(Mask::new(words))?;
                self.values = *values;
                if self.habitat.caller == Caller::Container {
                    self.containers = containers(&plan).of_step;
                }
                let mut run = UnitRun::new(plan);
                for (name, value) in std::mem::take(&mut self.values.known) {
                    run.remember(name, value);
                }
                self.run = Some(run);
                self.begin_service();
            }
            Word::Tell { step, told: Told::Failed { reason }, .. } => self.group_failed(step, &reason)?,
            Word::Tell { step, attempt, told } => self.tell(step, attempt, told),
            Word::Pause => self.pause_all()?,
            Word::Resume { gate } => self.resume(gate)?,
            Word::Refuse { reason } => self.refuse(&reason)?,
            Word::Stop { ending, reason, grace, window } => self.stop(ending, reason, grace, window)?,
            Word::Bye => self.bye = true,
        }
        Ok(())
    }

    fn tell(&mut self, step: usize, attempt: u32, told: Told) {
        if let Told::Done { values, .. } = &told
            && let Some(run) = &mut self.run
        {
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
    fn proceed(&mut self) -> io::Result<()> {
        while !self.over && self.activity.is_none() && self.pause.is_none() && !self.shelf.is_waiting() {
            let Some(run) = &self.run else { return Ok(()) };
            match run.next() {
                Next::Decide(step) => {
                    if self.looks_at_variables(step) && !self.has_arrived(step) {
                        return Ok(());
                    }
                    self.decide(step)?;
                }
                Next::Skip(step) => self.report(Report::Skipped { step })?,
                Next::Attempt(step, attempt) => {
                    if self.not_before.is_some_and(|limit| !self.clock.is_over(limit)) {
                        return Ok(());
                    }
                    if !self.has_arrived(step) {
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

    fn finish(&mut self, status: Status) -> io::Result<()> {
        if let Some(activity) = self.activity.take() {
            activity.task.abort();
        }
        self.processes.signal_all(libc::SIGKILL);
        self.output.borrow_mut().flush()?;
        self.over = true;
        let output = self.output.borrow().length();
        self.grown.send_replace(output);
        self.habitat.write_epitaph(status);
        self.report(Report::Over { status, output })
    }

    /// Evaluates a step's conditions.
    fn decide(&mut self, step: usize) -> io::Result<()> {
        let holds = self.holds(step);
        if self.misses_artifacts() {
            return Ok(());
        }
        match holds {
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
    fn fail_fatally(&mut self, step: usize, message: String) -> io::Result<()> {
        self.say(step, &message)?;
        let Some(run) = &self.run else { return Ok(()) };
        // A group cannot end by itself: its first operation does.
        let range = step..run.step(step).end;
        let leaf = range.clone().find(|inner| run.step(*inner).operation.is_some()).unwrap_or(step);
        for inner in step + 1..=leaf {
            self.report(Report::Entered { step: inner })?;
        }
        let outcome = Outcome::Fatal { message, code: None };
        self.report(Report::Attempted { step: leaf, attempt: 0, outcome, again: false })
    }

    /// Asks for the artifacts that an expression read and that are not here; whether there are any. Then it is
    /// evaluated again when they have come.
    fn misses_artifacts(&mut self) -> bool {
        let misses = self.shelf.fetch(&self.sender);
        if !misses {
            self.shelf.clear();
        }
        misses
    }

    fn holds(&self, step: usize) -> Result<bool, String> {
        let Some(run) = &self.run else { return Ok(false) };
        let plan = run.step(step);
        let needs_env = self.looks_at_variables(step);
        let no_surroundings = Surroundings::default();
        let around = plan.surroundings.as_deref().unwrap_or(&no_surroundings);
        let surroundings = if needs_env {
            environment(run, step, around, &self.values, &self.shelf, &self.place(step))
                .map_err(|error| error.to_string())?
        } else {
            Environment { variables: BTreeMap::new(), working_dir: "/".into(), warning: None, sources: BTreeMap::new() }
        };
        let dir = surroundings.working_dir.to_string_lossy();
        let known = RunScope {
            run,
            step,
            env: &surroundings.variables,
            references: &self.values.references,
            working_dir: &dir,
            own: None,
        };
        let host = HostScope { working_dir: &surroundings.working_dir, run, shelf: Some(&self.shelf) };
        for condition in &plan.conditions {
            let holds = match condition.as_str() {
                "passed" => run.passed_before(step),
                "always" | "true" => true,
                condition => evaluate(condition, &[&known, &host])
                    .map_err(|error| format!("the condition `{condition}` cannot be computed: {error}"))?,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Begins a step's clock, and makes its folder for results.
    fn enter(&mut self, step: usize) -> io::Result<()> {
        let Some(run) = &self.run else { return Ok(()) };
        let plan = run.step(step);
        if let Some(id) = &plan.id {
            // Whoever needs the folder hears of it from the command that does.
            let _ = std::fs::create_dir_all(testudo_core::run::results(id));
        }
        if plan.operation.is_none()
            && let Some(text) = plan.timeout.clone()
        {
            match self.duration(step, &text) {
                Ok(limit) => {
                    self.limits.insert(step, self.clock.limit(limit));
                }
                Err(message) => return self.fail_fatally(step, message),
            }
        }
        Ok(())
    }

    fn duration(&self, step: usize, text: &str) -> Result<Duration, String> {
        let Some(run) = &self.run else { return Ok(Duration::ZERO) };
        let env = BTreeMap::new();
        let text = final_text(text, run, step, &env, &self.values.references, "/".as_ref())
            .map_err(|error| format!("timeout: {error}"))?;
        let nanos = duration::parse_spaced(&text).map_err(|error| format!("timeout `{text}`: {error}"))?;
        Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
    }

    /// Begins an attempt of an operation.
    fn attempt(&mut self, step: usize, attempt: u32) -> io::Result<()> {
        let Some(run) = &self.run else { return Ok(()) };
        let plan = run.step(step).clone();
        let Some(operation) = plan.operation.clone() else { return Ok(()) };
        if attempt == 0 {
            self.output.borrow_mut().enter(step)?;
        }
        let around = plan.surroundings.as_deref().cloned().unwrap_or_default();
        let environment = match environment(run, step, &around, &self.values, &self.shelf, &self.place(step)) {
            Ok(environment) => environment,
            Err(_) if self.misses_artifacts() => return Ok(()),
            Err(error) => return self.fail_fatally(step, error.to_string()),
        };
        let mut limit = match plan.timeout.as_deref().map(|text| self.duration(step, text)).transpose() {
            Ok(limit) => limit,
            Err(message) => return self.fail_fatally(step, message),
        };
        if run.is_cut_short(step) {
            limit = Some(limit.map_or(ALWAYS_WINDOW, |limit| limit.min(ALWAYS_WINDOW)));
        }
        let warning = environment.warning.clone();
        let hand = Hand {
            inbox: self.sender.clone(),
            output: self.output.clone(),
            grown: self.grown.clone(),
            kept: self.kept.clone(),
            references: Rc::new(self.values.references.clone()),
            processes: self.processes.clone(),
            caller: self.habitat.caller,
            container: self.container(step),
            pace: self.clock.pace(),
            folder: self.folder.clone(),
            unit: self.settings.unit.clone(),
            step,
            attempt,
            r#ref: plan.r#ref.clone(),
        };
        let run = self.run.as_ref().expect("looked at above");
        let prepared = operations::prepare(&hand, run, &operation, &around, environment, &self.values, &self.shelf);
        if self.misses_artifacts() {
            return Ok(());
        }
        if let Some(warning) = warning {
            self.say(step, &warning)?;
        }
        let job = match prepared {
            Ok(job) => job,
            Err(Outcome::Fatal { message, code }) => {
                self.say(step, &message)?;
                let outcome = Outcome::Fatal { message, code };
                return self.report(Report::Attempted { step, attempt, outcome, again: false });
            }
            Err(outcome) => {
                self.report(Report::Started { step, attempt })?;
                return self.conclude(step, attempt, &outcome);
            }
        };
        self.report(Report::Started { step, attempt })?;
        self.activities += 1;
        let id = self.activities;
        let (told, hears) = mpsc::unbounded_channel();
        let inbox = self.sender.clone();
        let task = tokio::task::spawn_local(async move {
            let outcome = job.carry_out(hand, hears).await;
            let _ = inbox.send(Input::Ended(id, outcome));
        });
        let runs = matches!(operation, Operation::Run { .. } | Operation::Shell { .. });
        let watch = if runs { self.watch_service(id) } else { None };
        let limit = limit.map(|limit| self.clock.limit(limit));
        let gentle = matches!(operation, Operation::Run { .. } | Operation::Shell { .. } | Operation::Git(_));
        self.activity = Some(Activity {
            id,
            step,
            attempt,
            task,
            watch,
            told,
            limit,
            killing: None,
            gentle,
            always: plan.is_always(),
        });
        Ok(())
    }

    fn say(&mut self, step: usize, text: &str) -> io::Result<()> {
        let mut output = self.output.borrow_mut();
        output.enter(step)?;
        output.line(text)?;
        self.grown.send_replace(output.length());
        Ok(())
    }

    /// An activity ended by itself, or was taken down.
    fn ended(&mut self, outcome: Outcome) -> io::Result<()> {
        let Some(activity) = self.activity.take() else { return Ok(()) };
        activity.task.abort();
        if let Some(watch) = activity.watch {
            watch.abort();
        }
        self.output.borrow_mut().flush()?;
        let outcome = match activity.killing {
            Some(Killing { outcome, .. }) => outcome,
            None => outcome,
        };
        self.conclude(activity.step, activity.attempt, &outcome)
    }

    /// Writes an attempt's end down, and whether there is another.
    fn conclude(&mut self, step: usize, attempt: u32, outcome: &Outcome) -> io::Result<()> {
        self.grown.send_replace(self.output.borrow().length());
        let Some(run) = &self.run else { return Ok(()) };
        let plan = run.step(step).clone();
        if let Outcome::Error { message } = outcome {
            let message = message.clone();
            self.say(step, &message)?;
        }
        if let Outcome::Killed { signal } = outcome
            && !matches!(signal.as_str(), "SIGKILL" | "SIGTERM")
        {
            self.say(step, &format!("The process has been corrupted: signal: {signal}."))?;
        }
        let values = operations::outputs::collect();
        for warning in &values.warnings {
            self.say(step, warning)?;
        }
        let again = self.again(step, attempt, outcome)?;
        self.report(Report::Attempted { step, attempt, outcome: outcome.clone(), again })?;
        if again {
            if let Some(retry) = &plan.retry {
                if retry.delay > 0 {
                    self.not_before = Some(self.clock.limit(Duration::from_millis(retry.delay)));
                }
                let how = match outcome {
                    Outcome::TimedOut { .. } => "Timed out".to_owned(),
                    Outcome::Exit { code } => format!("Exit code: {code}"),
                    _ => "Exit code: 1".to_owned(),
                };
                let count = retry.count;
                self.say(step, &format!("\n{how} • Retrying: attempt #{} (of {count}):", attempt + 1))?;
            }
        } else if !values.values.is_empty() {
            // Written down without the sensitive words in them; whoever uses them puts the words back in.
            let veiled = values.values.into_iter().map(|(key, text)| (key, veil(&text, &self.values.references)));
            let values = veiled.collect();
            self.report(Report::Outputs { step, values })?;
        }
        Ok(())
    }

    /// Whether the plan's retry asks for another attempt.
    fn again(&mut self, step: usize, attempt: u32, outcome: &Outcome) -> io::Result<bool> {
        let Some(run) = &self.run else { return Ok(false) };
        let plan = run.step(step);
        let own = match outcome {
            Outcome::Exit { code } if (*code == 0) != plan.negative => Status::Passed,
            Outcome::Error { .. } if plan.negative => Status::Passed,
            Outcome::Exit { .. } | Outcome::Error { .. } => Status::Failed,
            Outcome::TimedOut { by: None } => Status::Timeout,
            Outcome::TimedOut { by: Some(_) }
            | Outcome::Failed { .. }
            | Outcome::Killed { .. }
            | Outcome::Stopped
            | Outcome::Fatal { .. } => return Ok(false),
        };
        if run.stopping().is_some() {
            return Ok(false);
        }
        if let Some(service) = self.service_plan() {
            return self.starts_again(own, service.restart);
        }
        let Some(retry) = plan.retry.clone().filter(|retry| attempt < retry.count) else { return Ok(false) };
        let env = BTreeMap::new();
        let known =
            RunScope { run, step, env: &env, references: &self.values.references, working_dir: "/", own: Some(own) };
        let host = HostScope { working_dir: "/".as_ref(), run, shelf: None };
        match evaluate(&retry.until, &[&known, &host]) {
            Ok(enough) => Ok(!enough),
            Err(error) => {
                self.say(step, &format!("failed to execute retry condition: {error}"))?;
                Ok(false)
            }
        }
    }

    fn stop(&mut self, ending: Ending, reason: String, grace: u64, window: u64) -> io::Result<()> {
        if self.over {
            return Ok(());
        }
        self.report(Report::Stopping { ending, reason })?;
        self.window = Some(Instant::now() + Duration::from_millis(window));
        // Whoever would bring what an expression waits for may be gone.
        self.shelf = Shelf::default();
        self.lift_pause()?;
        if self.activity.as_ref().is_some_and(|activity| !activity.always) {
            self.take_down(Outcome::Stopped, Duration::from_millis(grace))?;
        }
        Ok(())
    }
}

/// Evaluates an expression that has to be final; empty text is false.
fn evaluate(text: &str, scopes: &[&dyn Scope]) -> Result<bool, expr::ExprError> {
    let result = expr::compile(text)?.finish(scopes, Finalizer::Fail)?;
    match result.value() {
        Some(value) => Ok(value.bool_form()),
        None => Err(expr::ExprError::new(format!("expression should be static: {}", result.text()))),
    }
}

async fn signalled(signal: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
