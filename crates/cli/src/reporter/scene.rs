//! What a terminal shows of a run at one moment, as lines. Pure: the fold, the window and the time give the text.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use testudo_core::{
    plan::{Operation, Role},
    run::{Block, BlockKind, Execution, InstancePhase, Status, Unit, UnitKey, UnitPhase, UnitRun},
};

use super::{
    naming,
    rows::{self, Progress},
    screen::Size,
    style::{DIM, Marks, RESET, dim},
    tail::Tails,
    why, words,
};

/// Lines of output under the step that writes them.
const TAIL: usize = 6;
/// A step that wrote no more than this is shown with what it wrote when it is over.
const SHORT: usize = 10;
/// The widest that rows get: eyes lose the line on wider ones.
const WIDEST: usize = 88;
const TIME: usize = 8;

/// All that a scene is drawn from.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) execution: &'a Execution,
    pub(super) tails: &'a Tails,
    pub(super) marks: Marks,
    pub(super) size: Size,
    pub(super) now: Timestamp,
    /// Turns of the spinner.
    pub(super) beat: usize,
    /// Output is shown elsewhere.
    pub(super) log: bool,
    /// How long services took to be ready: the fold keeps no moment for it.
    pub(super) ready: &'a BTreeMap<UnitKey, Duration>,
}

/// One line in columns.
struct Row<'a> {
    status: Status,
    name: &'a str,
    detail: &'a str,
    time: Option<Duration>,
    indent: usize,
    /// Columns of the name.
    name_width: usize,
}

impl Scene<'_> {
    fn run(&self) -> Option<&UnitRun> {
        self.execution.unit(&UnitKey::main()).map(|unit| &unit.run)
    }

    /// The steps that have a line of their own.
    pub(super) fn steps(&self) -> Vec<usize> {
        self.run().map(|run| run.children(0).collect()).unwrap_or_default()
    }

    fn width(&self) -> usize {
        self.size.columns.saturating_sub(1).min(WIDEST)
    }

    fn name_width(&self) -> usize {
        let Some(run) = self.run() else { return 12 };
        let longest = run.children(0).map(|step| words::width(run.step(step).label())).max().unwrap_or(0);
        longest.clamp(10, (self.width() / 3).max(10))
    }

    fn line(&self, row: &Row<'_>) -> String {
        let mark = self.marks.painted(row.status, self.beat);
        let time = row.time.map(words::duration).unwrap_or_default();
        let used = row.indent + self.marks.width() + 1 + row.name_width + 2 + 1 + TIME;
        let room = self.width().saturating_sub(used);
        let name = words::padded(row.name, row.name_width);
        let detail = words::padded(row.detail, room);
        let detail = if row.status == Status::Failed { detail } else { dim(&detail) };
        let space = " ".repeat(row.indent);
        self.marks.plain(format!("{space}{mark} {name}  {detail} {DIM}{}{RESET}", words::right(&time, TIME)))
    }

    /// A step that is over: a line, and what it wrote where that is little.
    pub(super) fn finished(&self, step: usize) -> Vec<String> {
        let Some(run) = self.run() else { return Vec::new() };
        let status = run.status(step);
        let optional = run.step(step).optional && !status.is_fine();
        let detail = rows::detail(self.execution, &UnitKey::main(), step, self.marks, self.ready);
        let time = (status != Status::Skipped).then(|| rows::took(rows::span(run, step), self.now)).flatten();
        let status_shown = if optional { Status::Skipped } else { status };
        let detail = if status == Status::Skipped { "skipped".to_owned() } else { detail };
        let row = Row {
            status: status_shown,
            name: run.step(step).label(),
            detail: &detail,
            time,
            indent: 0,
            name_width: self.name_width(),
        };
        let mut lines = vec![self.line(&row)];
        if status.is_fine() && !self.log && naming::is_alone(run.plan()) {
            let inner = step..run.step(step).end;
            let wrote = inner.flat_map(|inner| self.tails.whole(&UnitKey::main(), inner, SHORT));
            lines.extend(wrote.map(|line| format!("    {line}")));
        }
        lines
    }

    /// What is under way, in no more lines than the window has.
    pub(super) fn running(&self) -> Vec<String> {
        let Some(run) = self.run() else { return Vec::new() };
        let step = run.children(0).find(|step| matches!(run.status(*step), Status::Running | Status::Paused));
        let Some(step) = step else { return self.held_up().into_iter().collect() };
        let height = self.size.rows.saturating_sub(3).max(2);
        let leaf = (step..run.step(step).end).find(|inner| {
            run.step(*inner).operation.is_some() && matches!(run.status(*inner), Status::Running | Status::Paused)
        });
        let block = leaf.and_then(|leaf| self.execution.block(&UnitKey::main(), leaf));
        let detail = match (block, leaf) {
            (Some(block), Some(leaf)) if !matches!(run.step(leaf).operation, Some(Operation::StopServices { .. })) => {
                self.progress(block)
            }
            (_, Some(leaf)) => self.doing(run, step, leaf),
            (_, None) => String::new(),
        };
        let row = Row {
            status: run.status(step),
            name: run.step(step).label(),
            detail: &detail,
            time: rows::took(rows::span(run, step), self.now),
            indent: 0,
            name_width: self.name_width(),
        };
        let mut lines = vec![self.line(&row)];
        if let Some(block) = block {
            lines.extend(self.instances(block, height - 1));
        }
        if !self.log
            && let Some((unit, at)) = self.only_writer(leaf)
        {
            let room = (height.saturating_sub(lines.len())).min(TAIL);
            let indent = if unit == UnitKey::main() { 4 } else { 8 };
            let wrote = self.tails.last(&unit, at, room);
            let columns = self.width().saturating_sub(indent);
            lines
                .extend(wrote.iter().map(|line| format!("{}{}", " ".repeat(indent), dim(&words::clip(line, columns)))));
        }
        lines
    }

    /// What keeps the run from beginning.
    fn held_up(&self) -> Option<String> {
        let reason = self.execution.unit(&UnitKey::main()).and_then(held_up)?;
        let room = self.width().saturating_sub(self.marks.width() + 1);
        let text = words::clip(&format!("waiting: {reason}"), room);
        Some(self.marks.plain(format!("{} {text}", self.marks.painted(Status::Running, self.beat))))
    }

    /// The leaf that runs in a group, and at which attempt.
    fn doing(&self, run: &UnitRun, step: usize, leaf: usize) -> String {
        let mut facts = Vec::new();
        if leaf != step {
            facts.push(run.step(leaf).label().to_owned());
        }
        if run.state(leaf).attempts > 1 {
            facts.push(format!("attempt {}", run.state(leaf).attempts));
        }
        facts.join(&format!(" {} ", self.marks.dot()))
    }

    /// `5/8 done · 1 failed`.
    fn progress(&self, block: &Block) -> String {
        let Progress { total, done, failed, .. } = rows::progress(block);
        if block.kind == BlockKind::Services {
            let waits =
                block.instances.iter().filter(|one| self.execution.unit(&one.key).is_none_or(|unit| !unit.ready));
            let waits: Vec<_> = waits.collect();
            return match waits.as_slice() {
                [] => String::new(),
                [one] => match self.execution.unit(&one.key).and_then(held_up) {
                    Some(reason) => format!("{}: {reason}", one.group),
                    None => format!("{} is starting", one.group),
                },
                [..] => format!("{} are starting", words::counted(waits.len() as u64, "service")),
            };
        }
        let mut facts = vec![format!("{done}/{total} done")];
        if failed > 0 {
            facts.push(format!("{failed} failed"));
        }
        facts.join(&format!(" {} ", self.marks.dot()))
    }

    /// Instances that ask for attention: failed ones, then those that run, the slowest first; the rest as a count.
    fn instances(&self, block: &Block, room: usize) -> Vec<String> {
        if block.kind == BlockKind::Services {
            return Vec::new();
        }
        // Of those that began in the same second the order stays as it is.
        let mut shown: Vec<(u8, i64, usize, Status)> = Vec::new();
        let mut waiting = 0;
        for (at, instance) in block.instances.iter().enumerate() {
            let unit = self.execution.unit(&instance.key);
            let began = unit.and_then(|unit| unit.met_at).map_or(i64::MAX, Timestamp::as_second);
            let (rank, status) = match instance.phase {
                InstancePhase::Waiting => {
                    waiting += 1;
                    continue;
                }
                InstancePhase::Active if unit.is_some_and(|unit| unit.run.overall() == Status::Paused) => {
                    (1, Status::Paused)
                }
                InstancePhase::Active => (2, Status::Running),
                InstancePhase::Judged(status) | InstancePhase::Gone(status) if status == Status::Passed => continue,
                InstancePhase::Judged(status) | InstancePhase::Gone(status) => (0, status),
            };
            shown.push((rank, began, at, status));
        }
        shown.sort();
        let fits = if shown.len() + usize::from(waiting > 0) <= room { shown.len() } else { room.saturating_sub(1) };
        let names: Vec<String> =
            shown.iter().take(fits).map(|(_, _, at, _)| rows::instance_name(self.execution, block, *at)).collect();
        let details: Vec<String> = shown
            .iter()
            .take(fits)
            .map(|(_, _, at, status)| {
                let key = &block.instances[*at].key;
                self.execution.unit(key).map(|unit| self.of_worker(key, unit, *status)).unwrap_or_default()
            })
            .collect();
        let widest = |texts: &[String]| texts.iter().map(|text| words::width(text)).max().unwrap_or(0);
        let room = self.width().saturating_sub(4 + self.marks.width() + 4 + TIME);
        let name_width = widest(&names).min(room.saturating_sub(widest(&details).min(room / 2)));
        let mut lines: Vec<String> = shown
            .iter()
            .zip(names.iter().zip(&details))
            .map(|((_, _, at, status), (name, detail))| {
                let unit = self.execution.unit(&block.instances[*at].key);
                let time = unit.and_then(|unit| rows::took(rows::unit_span(unit), self.now));
                self.line(&Row { status: *status, name, detail, time, indent: 4, name_width })
            })
            .collect();
        let mut rest = Vec::new();
        if shown.len() > fits {
            rest.push(format!("{} more", shown.len() - fits));
        }
        if waiting > 0 {
            rest.push(format!("{} waiting", words::count(waiting)));
        }
        if !rest.is_empty() {
            let mark = self.marks.painted(Status::Queued, 0);
            lines.push(format!("    {mark} {}", dim(&rest.join(", "))));
        }
        lines
    }

    /// What holds it up, or what it is at and where.
    fn of_worker(&self, key: &UnitKey, unit: &Unit, status: Status) -> String {
        if let Some(reason) = held_up(unit) {
            return reason.to_owned();
        }
        let at = self.at(key, unit, status);
        let facts = [Some(at.as_str()).filter(|at| !at.is_empty()), unit.node.as_deref()];
        facts.into_iter().flatten().collect::<Vec<_>>().join(&format!(" {} ", self.marks.dot()))
    }

    /// Its tests where it has told of some, else the step it is at, or why it failed.
    fn at(&self, key: &UnitKey, unit: &Unit, status: Status) -> String {
        let tests = rows::tests(unit);
        if !tests.is_empty() {
            return tests;
        }
        if status.is_final() {
            let why = why::of_unit_shortly(self.execution, key);
            return why.lines().next().unwrap_or_default().to_owned();
        }
        let steps = unit.run.plan().steps.iter().enumerate();
        let leaves: Vec<usize> = steps.filter(|(_, step)| step.operation.is_some()).map(|(at, _)| at).collect();
        match leaves.iter().find(|leaf| unit.run.status(**leaf) == Status::Running) {
            Some(leaf) if leaves.len() > 1 => unit.run.step(*leaf).label().to_owned(),
            _ => String::new(),
        }
    }

    /// The unit and the step whose output can be shown, where only one may write.
    fn only_writer(&self, leaf: Option<usize>) -> Option<(UnitKey, usize)> {
        let mut active = self.execution.units().filter(|(key, unit)| {
            let is_service = matches!(unit.run.plan().role, Role::Service(_));
            *key != &UnitKey::main() && !is_service && unit.over.is_none() && matches!(unit.phase, UnitPhase::Met(_))
        });
        let main = UnitKey::main();
        match (active.next(), active.next()) {
            (None, None) if leaf.is_some_and(|leaf| self.execution.block(&main, leaf).is_none()) => {
                leaf.map(|leaf| (main, leaf))
            }
            (Some((key, unit)), None) => {
                let block = self.execution.block(&main, leaf?)?;
                let alone = rows::progress(block).total == 1;
                let mut steps = unit.run.plan().steps.iter().enumerate();
                let at =
                    steps.find(|(at, step)| step.operation.is_some() && unit.run.status(*at) == Status::Running)?.0;
                // Lines of one among many would not say whose they are.
                alone.then(|| (key.clone(), at))
            }
            _ => None,
        }
    }
}

/// What keeps a unit from starting; of one that was met it is no news any more.
fn held_up(unit: &Unit) -> Option<&str> {
    unit.held_up.as_deref().filter(|_| unit.phase == UnitPhase::Wanted).and_then(|reason| reason.lines().next())
}
