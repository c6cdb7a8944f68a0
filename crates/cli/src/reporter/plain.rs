//! Lines that each stand alone, for pipes, files and CI systems.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use jiff::Timestamp;
use testudo_core::{
    plan::{Operation, Role, Step, UnitPlan},
    run::{Event, Execution, Outcome, Report, Seen, Status, StopHow, Timer, UnitKey},
};
use testudo_engine::News;
use testudo_store::Folder;

use super::{
    Ending, Show,
    end::{self, View as EndView},
    fold::Fold,
    header, naming,
    out::Out,
    rows,
    streams::{Meeting, Opener, Place, Shape, Streams},
    style::{Marks, paint},
    why, words,
};
use crate::{args::View, environment, run::INTERRUPTED};

pub(super) struct Plain {
    folder: Arc<Folder>,
    view: View,
    marks: Marks,
    fold: Fold,
    out: Out,
    streams: Streams,
    /// Names of the executions that have been heard of.
    runs: BTreeMap<String, String>,
    met: BTreeSet<(String, UnitKey)>,
    /// What somebody is waiting for has been said.
    paused: bool,
}

impl Plain {
    pub(super) fn new(view: View, folder: Arc<Folder>) -> Self {
        let marks = environment::marks();
        let mut out = Out::stdout();
        out.text(&header::text(&folder, marks, usize::MAX));
        out.flush();
        let streams = Streams::new(view.timestamps);
        Plain {
            folder,
            view,
            marks,
            fold: environment::fold(),
            out,
            streams,
            runs: BTreeMap::new(),
            met: BTreeSet::new(),
            paused: false,
        }
    }

    fn events(&mut self, execution: &Execution, events: &[Event]) {
        let id = &execution.plan().execution.id;
        if !self.runs.contains_key(id) {
            // First comes the log as it stood: what is over needs no telling.
            self.runs.insert(id.clone(), execution.plan().execution.name.clone());
            if !events.is_empty() {
                let text = format!("{} carried on where it stood\n", self.marks.bullet());
                self.out.text(&text);
            }
            for (key, _) in execution.units() {
                self.meet(execution, key);
            }
            return;
        }
        for event in events {
            self.tell(execution, event);
        }
        let paused = execution.status() == Status::Paused;
        if paused && !self.paused {
            self.streams.settle(true, &mut self.out);
            let text = header::paused(execution, &self.folder.meta.name);
            self.out.text(&format!("{} {text}\n", self.marks.bullet()));
        }
        self.paused = paused;
    }

    /// Gets to know a unit: what its lines start with.
    fn meet(&mut self, execution: &Execution, key: &UnitKey) {
        let id = execution.plan().execution.id.clone();
        if !self.met.insert((id.clone(), key.clone())) {
            return;
        }
        let Some(unit) = execution.unit(key) else { return };
        let plan = unit.run.plan();
        let alone = is_top(&self.folder, execution) && key == &UnitKey::main();
        let prefix = naming::prefix(&self.folder.meta.id, execution, key);
        let bullet = self.marks.bullet();
        let lead = (key != &UnitKey::main()).then(|| self.lead(execution, key));
        let opener = has_sections(plan).then(|| {
            // Groups do not nest, so only the run's own steps fold.
            let fold = if alone { self.fold } else { Fold::None };
            opener(plan.clone(), format!("{prefix}{bullet} "), fold)
        });
        let shape = if alone && naming::is_alone(plan) { Shape::Chunks } else { Shape::Lines(prefix) };
        self.streams.meet(&id, key, Meeting { shape, filter: naming::repeats(plan), lead, opener });
    }

    /// What is said of a unit before anything else.
    fn lead(&self, execution: &Execution, key: &UnitKey) -> String {
        let node = execution.unit(key).and_then(|unit| unit.node.as_ref());
        let on = node.map(|node| format!(" on {node}")).unwrap_or_default();
        format!("{}{} started{on}\n", naming::prefix(&self.folder.meta.id, execution, key), self.marks.bullet())
    }

    fn say(&mut self, execution: &Execution, key: &UnitKey, place: Place, text: &str) {
        self.meet(execution, key);
        let line = format!("{}{} {text}\n", naming::prefix(&self.folder.meta.id, execution, key), self.marks.bullet());
        let line = self.marks.plain(line);
        self.streams.line(&execution.plan().execution.id, key, place, line, &mut self.out);
    }

    fn tell(&mut self, execution: &Execution, event: &Event) {
        let id = &execution.plan().execution.id;
        match event {
            Event::Met { unit, .. } => {
                self.meet(execution, unit);
                self.streams.lead(id, unit, self.lead(execution, unit));
                self.streams.begin(id, unit, &mut self.out);
            }
            Event::Reported { unit, report, at, .. } => self.report(execution, unit, report, *at),
            Event::Seen { unit, seen: Seen::Waiting { reason }, .. } => {
                self.say(execution, unit, Place::Behind, &format!("waiting: {reason}"));
            }
            Event::Seen { unit, seen: Seen::Leaving { reason }, .. } => {
                self.say(execution, unit, Place::Behind, &format!("taken away: {reason}"));
            }
            Event::Reaped { unit, left: Some(reason), .. } => {
                self.say(execution, unit, Place::Behind, &format!("something of it may be left: {reason}"));
            }
            Event::Lost { unit, reason, .. } => self.say(execution, unit, Place::Behind, &format!("lost: {reason}")),
            Event::Kept { unit, source, error, .. } => {
                if let Some(error) = error {
                    let what = if *source == testudo_core::frame::Source::Output { "its output" } else { "files" };
                    self.say(execution, unit, Place::Behind, &format!("{what} could not be kept: {error}"));
                }
                if *source == testudo_core::frame::Source::Output {
                    self.streams.finish(id, unit, &mut self.out);
                }
            }
            Event::ChildStarted { unit, name, .. } => {
                self.say(execution, unit, Place::Behind, &format!("{name} started"));
            }
            Event::ChildEnded { unit, step, index, end, .. } => {
                let block = execution.block(unit, *step);
                let name = block.and_then(|block| block.instances.get(*index)).map(|one| one.group.clone());
                let text = format!("{} {}", name.unwrap_or_default(), Execution::end_of(end));
                self.say(execution, unit, Place::Behind, &text);
            }
            Event::StopRequested { how: StopHow::Abort, reason, .. } => {
                self.say(execution, &UnitKey::main(), Place::Behind, &format!("stopping: {reason}"));
            }
            Event::Expired { timer, .. } => {
                let deadline = execution.plan().limits.deadline.as_ref().map(|deadline| deadline.reason.as_str());
                let why = match timer {
                    Timer::Deadline => deadline.unwrap_or("out of time"),
                    Timer::Pause => "nobody resumed the run in time",
                };
                self.say(execution, &UnitKey::main(), Place::Behind, &format!("stopping: {why}"));
            }
            Event::ResumeRequested { .. } => self.say(execution, &UnitKey::main(), Place::Behind, "resumed"),
            Event::StopRequested { how, reason, .. } if is_top(&self.folder, execution) && reason != INTERRUPTED => {
                let what = if *how == StopHow::Kill { "killing" } else { "stopping" };
                self.say(execution, &UnitKey::main(), Place::Behind, &format!("{what}: {reason}"));
            }
            // A person who asks to stop is answered at once.
            Event::StopRequested { how: StopHow::Cancel | StopHow::Kill, .. }
            | Event::Seen { seen: Seen::Placed { .. }, .. }
            | Event::Created { .. }
            | Event::Reaped { .. }
            | Event::PauseRequested { .. }
            | Event::Ended { .. } => {}
        }
    }

    fn attempted(&mut self, execution: &Execution, key: &UnitKey, step: usize, outcome: &Outcome, at: Timestamp) {
        let Some(unit) = execution.unit(key) else { return };
        let run = &unit.run;
        let status = run.status(step);
        if status.is_fine() && !is_section(run.step(step)) {
            return;
        }
        if key == &UnitKey::main()
            && is_top(&self.folder, execution)
            && let Some(marker) = self.fold.close(step, at)
        {
            let id = &execution.plan().execution.id;
            self.streams.line(id, key, Place::Behind, marker, &mut self.out);
        }
        // An error has been said where the output of the step would be.
        let why = match outcome {
            Outcome::Error { .. } => String::new(),
            _ if status.is_fine() => String::new(),
            _ => why::of_leaf(execution, key, step),
        };
        let took = rows::took(rows::span(run, step), at).unwrap_or_default();
        let mut text = verdict(status, &words::duration(took), &why);
        if !status.is_fine() && run.step(step).optional {
            text.push_str(" (ignored)");
        }
        self.say(execution, key, Place::Behind, &text);
    }

    fn report(&mut self, execution: &Execution, key: &UnitKey, report: &Report, at: Timestamp) {
        let Some(unit) = execution.unit(key) else { return };
        let run = &unit.run;
        let plan = run.plan();
        let in_sections = has_sections(plan);
        let is_main = key == &UnitKey::main();
        match report {
            Report::Started { step, attempt: 0 } if in_sections && *step < plan.steps.len() => {
                self.meet(execution, key);
                let nanos = u64::try_from(at.as_nanosecond()).unwrap_or(0);
                let step = u32::try_from(*step).unwrap_or(u32::MAX);
                self.streams.open(&execution.plan().execution.id, key, step, nanos, &mut self.out);
            }
            Report::Attempted { step, again: false, outcome, .. } if in_sections && *step < plan.steps.len() => {
                self.attempted(execution, key, *step, outcome, at);
            }
            Report::Skipped { step } if is_main && *step < plan.steps.len() => {
                let text = format!("{}: skipped", title(plan, *step));
                self.say(execution, key, Place::Behind, &text);
            }
            Report::Paused { gate, .. } if !is_main => {
                let what = if *gate { "waits for the others" } else { "paused" };
                self.say(execution, key, Place::Behind, what);
            }
            Report::Resumed { .. } if !is_main => self.say(execution, key, Place::Behind, "goes on"),
            Report::Ready => {
                let took = rows::took((unit.met_at, Some(at)), at).unwrap_or_default();
                let place = unit.address.as_ref().map(|address| format!(" at {address}")).unwrap_or_default();
                self.say(execution, key, Place::Behind, &format!("ready after {}{place}", words::duration(took)));
            }
            Report::Restarted { count } => {
                self.say(execution, key, Place::Behind, &format!("ended, and is started again ({count})"));
            }
            Report::Warned { text } => self.say(execution, key, Place::Behind, &format!("warning: {text}")),
            Report::TimedOut { step } if *step < plan.steps.len() => {
                let limit = run.step(*step).timeout.clone().unwrap_or_default();
                let text = format!("{} is out of time after {limit}", run.step(*step).label());
                self.say(execution, key, Place::Behind, &text);
            }
            Report::Failed { step, reason } if *step < plan.steps.len() => {
                let text = match step {
                    0 => format!("failed: {reason}"),
                    _ => format!("{} has failed: {reason}", run.step(*step).label()),
                };
                self.say(execution, key, Place::Behind, &text);
            }
            Report::Over { status, .. } if !is_main => {
                let took = words::duration(rows::took(rows::unit_span(unit), at).unwrap_or_default());
                let text = match &plan.role {
                    Role::Service(_) if run.stopping().is_some() => "stopped".to_owned(),
                    Role::Main | Role::Worker | Role::Service(_) => {
                        let tests = rows::tests(unit);
                        let why = match (status.is_fine(), tests.is_empty()) {
                            (true, _) => tests,
                            (false, true) => why::of_unit_shortly(execution, key),
                            (false, false) => format!("{}, {tests}", why::of_unit_shortly(execution, key)),
                        };
                        verdict(*status, &took, &why)
                    }
                };
                self.say(execution, key, Place::Last, &text);
            }
            Report::Heard { .. }
            | Report::Entered { .. }
            | Report::Skipped { .. }
            | Report::Started { .. }
            | Report::Attempted { .. }
            | Report::TimedOut { .. }
            | Report::Failed { .. }
            | Report::Paused { .. }
            | Report::Resumed { .. }
            | Report::Stopping { .. }
            | Report::Closed
            | Report::Outputs { .. }
            | Report::Emitted { .. }
            | Report::Requested { .. }
            | Report::Packed { .. }
            | Report::Cases { .. }
            | Report::Over { .. } => {}
        }
    }
}

impl Show for Plain {
    fn hear(&mut self, news: News<'_>) {
        match news {
            News::Events { execution, events } => self.events(execution, events),
            News::Queued { execution, behind } => {
                self.say(execution, &UnitKey::main(), Place::Behind, &header::queued(behind));
            }
            News::Output { execution, unit, records, .. } => {
                self.streams.output(execution, unit, records, &mut self.out);
            }
        }
        self.out.flush();
    }

    fn tick(&mut self) {
        self.streams.settle(false, &mut self.out);
        self.out.flush();
    }

    fn end(&mut self, ending: Ending) -> io::Result<()> {
        self.streams.settle(true, &mut self.out);
        self.streams.fresh_line(&mut self.out);
        if let Ending::Over(_) = ending {
            let view = EndView { marks: self.marks, show_failures: self.view.show_failures, width: 100 };
            let text = end::of_folder(&self.folder, view)?;
            self.out.text(&format!("\n{text}"));
        }
        self.out.flush();
        Ok(())
    }

    fn interrupt(&mut self, count: u32) {
        self.streams.fresh_line(&mut self.out);
        self.out.text(&format!("{} {}\n", self.marks.bullet(), header::interrupted(count)));
        self.out.flush();
    }
}

fn is_top(folder: &Folder, execution: &Execution) -> bool {
    folder.meta.id == execution.plan().execution.id
}

/// What an author gave a unit to do; files that it is handed or hands back are no steps to speak of.
fn is_section(step: &Step) -> bool {
    match &step.operation {
        None | Some(Operation::Unpack { .. } | Operation::Fetch { .. }) => false,
        Some(_) => true,
    }
}

/// Whether a unit's steps are told one by one: a worker with a single one is told as a whole.
fn has_sections(plan: &UnitPlan) -> bool {
    match plan.role {
        Role::Main => true,
        Role::Worker => {
            // What it keeps for people says so itself.
            let work = |step: &&Step| is_section(step) && !matches!(step.operation, Some(Operation::Artifacts(_)));
            plan.steps.iter().filter(work).count() > 1
        }
        Role::Service(_) => false,
    }
}

/// Makes the lines that the steps of a unit open with.
fn opener(plan: Arc<UnitPlan>, lead: String, fold: Fold) -> Opener {
    Box::new(move |step, nanos| {
        let step = usize::try_from(step).ok().filter(|step| *step < plan.steps.len())?;
        if !is_section(&plan.steps[step]) {
            return None;
        }
        let title = title(&plan, step);
        let at = Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH);
        Some(fold.open(step, &title, at).unwrap_or_else(|| format!("{lead}{title}\n")))
    })
}

/// `(2/5) label`, with the group that the step belongs to.
fn title(plan: &UnitPlan, step: usize) -> String {
    let leaves: Vec<usize> =
        plan.steps.iter().enumerate().filter(|(_, step)| is_section(step)).map(|(at, _)| at).collect();
    let place = leaves.iter().filter(|leaf| **leaf <= step).count() + usize::from(plan.steps[step].operation.is_none());
    // A group that nobody named stands for what it begins with.
    let nameless = |step: &Step| step.operation.is_none() && step.name.is_none();
    let end = plan.steps[step].end;
    let own = plan.steps[step..end].iter().find(|step| !nameless(step)).unwrap_or(&plan.steps[step]);
    let around = own.parent.and_then(|parent| plan.steps.get(parent)).and_then(|parent| parent.name.as_deref());
    let label = match around {
        Some(group) if own.name.is_none() => format!("{group}: {}", own.label()),
        _ => own.label().to_owned(),
    };
    format!("({place}/{}) {label}", leaves.len())
}

/// `passed in 3.2s`, `failed in 3.2s: exit code 1`.
fn verdict(status: Status, took: &str, why: &str) -> String {
    let style = paint(status);
    let reset = super::style::RESET;
    let word = match status {
        Status::Timeout => "timed out",
        other => other.word(),
    };
    let colon = if why.is_empty() {
        ""
    } else if status.is_fine() {
        ", "
    } else {
        ": "
    };
    let why = why.lines().next().unwrap_or_default();
    format!("{style}{word}{reset} in {took}{colon}{why}")
}
