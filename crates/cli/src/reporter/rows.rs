//! What stands on the line of a step: how it is, what is special about it, how long it took.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use testudo_core::{
    plan::{Labels, Operation},
    run::{Block, BlockKind, Case, CaseStatus, Execution, InstancePhase, Status, Unit, UnitKey, UnitRun},
    summary::label_of,
};

use super::{style::Marks, why, words};

/// How far a block is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) total: usize,
    pub(super) done: usize,
    pub(super) failed: usize,
    pub(super) waiting: usize,
}

pub(super) fn progress(block: &Block) -> Progress {
    let mut progress = Progress { total: block.instances.len(), ..Progress::default() };
    for instance in &block.instances {
        match instance.phase {
            InstancePhase::Waiting => progress.waiting += 1,
            InstancePhase::Active => {}
            InstancePhase::Judged(status) | InstancePhase::Gone(status) => {
                progress.done += 1;
                progress.failed += usize::from(status != Status::Passed);
            }
        }
    }
    progress
}

/// From when to when a step ran; without an end it still does.
pub(super) fn span(run: &UnitRun, step: usize) -> (Option<Timestamp>, Option<Timestamp>) {
    let end = if run.status(step).is_final() {
        (step..run.step(step).end).filter_map(|inner| run.state(inner).finished_at).max()
    } else {
        None
    };
    (run.state(step).entered_at, end)
}

/// From when to when a unit ran.
pub(super) fn unit_span(unit: &Unit) -> (Option<Timestamp>, Option<Timestamp>) {
    let end = unit.verdict().and_then(|_| unit.run.last_heard());
    (unit.met_at, end)
}

/// How long something took, or takes until now. Skipped things took no time.
pub(super) fn took((start, end): (Option<Timestamp>, Option<Timestamp>), now: Timestamp) -> Option<Duration> {
    let length = end.unwrap_or(now).duration_since(start?);
    Some(Duration::try_from(length).unwrap_or_default())
}

/// What is special about a step that is over.
pub(super) fn detail(
    execution: &Execution,
    key: &UnitKey,
    step: usize,
    marks: Marks,
    ready: &BTreeMap<UnitKey, Duration>,
) -> String {
    let Some(unit) = execution.unit(key) else { return String::new() };
    let run = &unit.run;
    let (plan, status) = (run.step(step), run.status(step));
    if status == Status::Skipped {
        return String::new();
    }
    let mut facts: Vec<String> = Vec::new();
    for inner in step..plan.end {
        match (&run.step(inner).operation, execution.block(key, inner)) {
            (Some(Operation::Parallel(_) | Operation::StartServices { .. } | Operation::Execute(_)), Some(block)) => {
                facts.push(of_block(block, ready));
            }
            (Some(Operation::Artifacts(_)), _) if inner == step && key == &UnitKey::main() => {
                let kept = unit.artifacts;
                if kept.files > 0 {
                    facts.push(words::counted(kept.files, "file"));
                }
            }
            _ => {}
        }
    }
    if !status.is_fine() {
        facts.extend(failing_leaf(execution, key, run, step));
        if plan.optional {
            facts.push("ignored".to_owned());
        }
    } else if run.state(step).attempts > 1 {
        facts.push(format!("passed at attempt {}", run.state(step).attempts));
    }
    facts.join(&format!(" {} ", marks.dot()))
}

/// The first failing leaf that is not about workers, and why.
fn failing_leaf(execution: &Execution, key: &UnitKey, run: &UnitRun, step: usize) -> Option<String> {
    let end = run.step(step).end;
    let leaf = (step..end).find(|inner| {
        let status = run.status(*inner);
        run.step(*inner).operation.is_some() && status.is_final() && !status.is_fine()
    })?;
    if execution.block(key, leaf).is_some_and(|block| progress(block).failed > 0) {
        return None;
    }
    let why = why::of_step(run, leaf);
    let why = why.lines().next().unwrap_or_default();
    Some(if leaf == step { why.to_owned() } else { format!("{}: {why}", run.step(leaf).label()) })
}

/// A block that is over, in a few words.
fn of_block(block: &Block, ready: &BTreeMap<UnitKey, Duration>) -> String {
    let Progress { total, failed, .. } = progress(block);
    match block.kind {
        BlockKind::Parallel => {
            let labels: Vec<&Labels> = block.instances.iter().map(|instance| &instance.labels).collect();
            let shape = shape(&labels);
            let workers = words::counted(total as u64, "worker");
            match (failed, shape.is_empty()) {
                (0, true) => workers,
                (0, false) => format!("{workers}, {shape}"),
                (_, _) => format!("{workers}, {failed} failed"),
            }
        }
        BlockKind::Services => services(block, ready),
        BlockKind::Execute { .. } => {
            let executions = words::counted(total as u64, "execution");
            if failed == 0 { executions } else { format!("{executions}, {failed} failed") }
        }
    }
}

fn services(block: &Block, ready: &BTreeMap<UnitKey, Duration>) -> String {
    let failed: Vec<&str> = block
        .instances
        .iter()
        .filter(|one| one.phase.status() == Some(Status::Failed))
        .map(|one| one.group.as_str())
        .collect();
    if let Some(first) = failed.first() {
        return if failed.len() == 1 {
            format!("{first} failed")
        } else {
            format!("{} failed", words::counted(failed.len() as u64, "service"))
        };
    }
    let [instance] = block.instances.as_slice() else {
        let slowest = block.instances.iter().filter_map(|instance| ready.get(&instance.key)).max();
        let after = slowest.map(|after| format!(" ready after {}", words::duration(*after))).unwrap_or_default();
        return format!("{}{after}", words::counted(block.instances.len() as u64, "service"));
    };
    match ready.get(&instance.key) {
        Some(after) => format!("{} ready after {}", instance.group, words::duration(*after)),
        None => instance.group.clone(),
    }
}

/// `2 modes × 4 shards`: how the values of instances multiply.
pub(super) fn shape(instances: &[&Labels]) -> String {
    let Some(first) = instances.first() else { return String::new() };
    let facts: Vec<String> = first
        .iter()
        .enumerate()
        .map(|(at, (name, value))| {
            let noun = name.rsplit('.').next().unwrap_or(name);
            let number = if name == "shard" {
                value.string_form().split_once('/').and_then(|(_, of)| of.parse().ok()).unwrap_or(1)
            } else {
                let mut values: Vec<String> = instances
                    .iter()
                    .filter_map(|labels| labels.get(at).map(|(_, value)| value.string_form().into_owned()))
                    .collect();
                values.sort();
                values.dedup();
                values.len() as u64
            };
            words::counted(number, noun)
        })
        .collect();
    facts.join(" × ")
}

/// `52 tests, 1 failed`.
pub(super) fn tests(unit: &Unit) -> String {
    let cases: Vec<&Case> = unit.cases.iter().flat_map(|(_, _, cases)| cases).collect();
    if cases.is_empty() {
        return String::new();
    }
    let failed = cases.iter().filter(|case| matches!(case.status, CaseStatus::Failed | CaseStatus::Errored)).count();
    let total = words::counted(cases.len() as u64, "test");
    if failed > 0 { format!("{total}, {failed} failed") } else { total }
}

/// The name of an instance; a child execution's own.
pub(super) fn instance_name(execution: &Execution, block: &Block, at: usize) -> String {
    let instance = &block.instances[at];
    if execution.unit(&instance.key).is_some() {
        let label = label_of(execution, &instance.key);
        if !label.is_empty() {
            return label;
        }
    }
    let labels: Vec<String> = instance
        .labels
        .iter()
        .map(|(_, value)| value.string_form().into_owned())
        .filter(|text| !text.is_empty())
        .collect();
    match (instance.group.is_empty(), labels.is_empty()) {
        (false, true) => instance.group.clone(),
        (false, false) => format!("{} {}", instance.group, labels.join(" ")),
        (true, false) => labels.join(" "),
        (true, true) => format!("#{}", at + 1),
    }
}
