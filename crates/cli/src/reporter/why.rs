//! Why something failed: the steps and units that went wrong by themselves, not what failed because of them.

use std::collections::BTreeSet;

use testudo_core::{
    plan::{Operation, Step},
    run::{Block, BlockKind, Execution, Instance, Outcome, Status, Told, Unit, UnitKey, UnitRun, Work},
    summary::label_of,
};

use super::words;

/// Something that went wrong by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cause {
    pub(super) unit: UnitKey,
    /// The step of that unit, where it was one.
    pub(super) step: Option<usize>,
    pub(super) status: Status,
    pub(super) why: String,
    /// It was taken down by a stop: worth a word only where nothing else went wrong.
    pub(super) stopped: bool,
    /// It was another execution, of this name: its own log tells more.
    pub(super) child: Option<String>,
}

/// What went wrong, the worst first.
pub(super) fn causes(execution: &Execution) -> Vec<Cause> {
    let mut causes = Vec::new();
    of_unit(execution, &UnitKey::main(), &mut causes);
    if causes.iter().any(|cause| !cause.stopped) {
        causes.retain(|cause| !cause.stopped);
    }
    // A service that failed is why its start failed, and why its stop did.
    let mut known = BTreeSet::new();
    causes.retain(|cause| cause.child.is_some() || known.insert((cause.unit.clone(), cause.step)));
    causes.sort_by_key(|cause| match cause.status {
        Status::Failed => 0,
        Status::Timeout => 1,
        _ => 2,
    });
    causes
}

fn of_unit(execution: &Execution, key: &UnitKey, causes: &mut Vec<Cause>) {
    let Some(unit) = execution.unit(key) else { return };
    let before = causes.len();
    for (at, step) in unit.run.plan().steps.iter().enumerate() {
        let status = unit.run.status(at);
        if step.operation.is_none() || !status.is_final() || status.is_fine() || is_expected(&unit.run, at) {
            continue;
        }
        let found = causes.len();
        of_block(execution, key, at, causes);
        let outcome = unit.run.state(at).outcome.as_ref();
        // Where a lost unit stood is said below.
        if causes.len() == found && (outcome.is_some() || unit.lost.is_none()) {
            let stopped = matches!(outcome, Some(Outcome::Stopped));
            causes.push(Cause {
                unit: key.clone(),
                step: Some(at),
                status,
                why: of_step_of(unit, at),
                stopped,
                child: None,
            });
        }
    }
    if let Some(reason) = &unit.lost
        && unit.over.is_none()
    {
        let step = running(&unit.run);
        causes.push(Cause {
            unit: key.clone(),
            step,
            status: Status::Aborted,
            why: reason.clone(),
            stopped: false,
            child: None,
        });
    } else if causes.len() == before
        && let Some(why) = broken_service(unit)
    {
        causes.push(Cause { unit: key.clone(), step: None, status: Status::Failed, why, stopped: false, child: None });
    }
}

/// A service whose command never failed: it was not ready in time.
fn broken_service(unit: &Unit) -> Option<String> {
    let (status, _) = unit.over?;
    (status == Status::Failed).then(|| if unit.ready { "unhealthy" } else { "not ready" }.to_owned())
}

fn of_block(execution: &Execution, key: &UnitKey, at: usize, causes: &mut Vec<Cause>) {
    let Some(unit) = execution.unit(key) else { return };
    let steps = &unit.run.plan().steps;
    let block = match &steps[at].operation {
        Some(Operation::StopServices { start, .. }) => {
            let start = steps.iter().position(|step| step.r#ref == *start);
            start.and_then(|start| execution.block(key, start))
        }
        Some(Operation::Parallel(_) | Operation::Execute(_) | Operation::StartServices { .. }) => {
            execution.block(key, at)
        }
        _ => None,
    };
    let Some(block) = block else { return };
    for (place, instance) in block.instances.iter().enumerate() {
        let failed = instance.phase.status().is_some_and(|status| status != Status::Passed);
        if !failed || block.kind == BlockKind::Services && !failed_itself(execution, instance) {
            continue;
        }
        match &instance.work {
            Work::Unit(_) => of_unit(execution, &instance.key, causes),
            Work::Child(_) | Work::Broken(_) => causes.push(Cause {
                unit: key.clone(),
                step: Some(at),
                status: instance.phase.status().unwrap_or(Status::Failed),
                why: of_instance(block, place),
                stopped: false,
                child: matches!(instance.work, Work::Child(_)).then(|| instance.group.clone()),
            }),
        }
    }
}

/// A service that was stopped has not failed.
fn failed_itself(execution: &Execution, instance: &Instance) -> bool {
    match execution.unit(&instance.key) {
        Some(unit) => unit.run.stopping().is_none() || instance.phase.status() == Some(Status::Failed),
        None => true,
    }
}

/// Of an instance without a unit: what its step was told.
fn of_instance(block: &Block, place: usize) -> String {
    let instance = &block.instances[place];
    match &instance.work {
        Work::Broken(why) => why.clone(),
        Work::Child(_) | Work::Unit(_) => {
            let lead = format!("{} • ", instance.group);
            let told = block.told.iter().rev().find_map(|told| match told {
                Told::Line { text } => text.strip_prefix(&lead),
                Told::Unpack { .. } | Told::Kept { .. } | Told::Done { .. } | Told::Failed { .. } => None,
            });
            format!("{}: {}", instance.group, told.unwrap_or("failed"))
        }
    }
}

/// Somebody said that it may fail.
fn is_expected(run: &UnitRun, step: usize) -> bool {
    let plan = |at: usize| -> &Step { run.step(at) };
    plan(step).optional || run.ancestors(step).any(|group| plan(group).optional || plan(group).negative)
}

/// The step that was under way.
fn running(run: &UnitRun) -> Option<usize> {
    let steps = run.plan().steps.iter().enumerate();
    steps.filter(|(_, step)| step.operation.is_some()).map(|(at, _)| at).find(|at| run.state(*at).running)
}

/// Why a step of a unit is not fine, which its place may know best.
fn of_step_of(unit: &Unit, step: usize) -> String {
    match (&unit.leaving, &unit.run.state(step).outcome) {
        (Some(reason), Some(Outcome::Stopped)) => format!("stopped: {reason}"),
        (Some(_) | None, _) => of_step(&unit.run, step),
    }
}

/// Why a step is not fine.
pub(super) fn of_step(run: &UnitRun, step: usize) -> String {
    let state = run.state(step);
    let why = match &state.outcome {
        None => return String::new(),
        Some(Outcome::Exit { code: 0 }) => "it succeeded, and was expected to fail".to_owned(),
        Some(Outcome::Exit { code }) => words::exit_code(*code),
        Some(Outcome::Error { message } | Outcome::Fatal { message, .. }) => message.clone(),
        Some(Outcome::Killed { signal }) => format!("killed from outside by signal {signal}, most often for memory"),
        Some(Outcome::TimedOut { by }) => {
            let limited = run.step(by.unwrap_or(step));
            let limit = limited.timeout.as_deref().unwrap_or("its time");
            match by {
                Some(by) if *by > 0 => format!("timed out: {} may take {limit}", limited.label()),
                _ => format!("timed out after {limit}"),
            }
        }
        Some(Outcome::Failed { reason, .. }) => reason.clone(),
        Some(Outcome::Stopped) => match run.stopping() {
            Some((_, reason)) => format!("stopped: {reason}"),
            None => "stopped".to_owned(),
        },
    };
    if state.attempts > 1 { format!("{why}, in {} attempts", state.attempts) } else { why }
}

/// Why a step is not fine; of one whose work is other units, how many of them are not.
pub(super) fn of_leaf(execution: &Execution, key: &UnitKey, step: usize) -> String {
    let Some(unit) = execution.unit(key) else { return String::new() };
    let own = || of_step_of(unit, step);
    let Some(block) = execution.block(key, step).filter(|block| block.failures() > 0) else { return own() };
    let (failures, total) = (block.failures(), block.instances.len() as u64);
    let noun = match block.kind {
        BlockKind::Parallel => "worker",
        BlockKind::Services => "service",
        BlockKind::Execute { .. } => "execution",
    };
    if total == 1 {
        format!("the {noun} failed")
    } else {
        format!("{failures} of {} failed", words::counted(total, noun))
    }
}

/// Why a unit is not fine, in a few words.
pub(super) fn of_unit_shortly(execution: &Execution, key: &UnitKey) -> String {
    let mut causes = Vec::new();
    of_unit(execution, key, &mut causes);
    causes.into_iter().next().map(|cause| cause.why).unwrap_or_default()
}

/// The step and the worker that a person looks for.
pub(super) fn named(execution: &Execution, cause: &Cause) -> (String, String) {
    if cause.unit == UnitKey::main() {
        let step =
            cause.step.and_then(|at| execution.unit(&cause.unit).map(|unit| unit.run.step(at).label().to_owned()));
        return (step.unwrap_or_default(), String::new());
    }
    (testudo_core::summary::step_of(execution, &cause.unit), label_of(execution, &cause.unit))
}
