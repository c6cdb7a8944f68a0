//! What stands in front of the lines of a unit, and which lines of it say what is told otherwise.

use std::collections::BTreeMap;

use testudo_core::{
    plan::{Operation, UnitPlan},
    run::{Execution, UnitKey},
    summary::{label_of, step_of},
};

use super::streams::Filter;

/// `[Tests#fast 2/4] `; nothing for the own unit of the run `top`. Other executions have their name first.
pub(super) fn prefix(top: &str, execution: &Execution, key: &UnitKey) -> String {
    let is_top = execution.plan().execution.id == top;
    let mut name = if is_top { String::new() } else { execution.plan().execution.name.clone() };
    if *key != UnitKey::main() {
        if !is_top {
            name.push(' ');
        }
        name.push_str(&step_of(execution, key));
        let label = label_of(execution, key);
        if !label.is_empty() {
            name.push('#');
            name.push_str(&label);
        }
    }
    if name.is_empty() { name } else { format!("[{name}] ") }
}

/// Whether a unit is all there is of its run.
pub(super) fn is_alone(plan: &UnitPlan) -> bool {
    !plan.steps.iter().any(|step| {
        matches!(step.operation, Some(Operation::Parallel(_) | Operation::StartServices { .. } | Operation::Execute(_)))
    })
}

/// Steps whose work is other units say of each what is told here anyway, in better words.
pub(super) fn repeats(plan: &UnitPlan) -> Option<Filter> {
    let mut told: BTreeMap<u32, Told> = BTreeMap::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let what = match &step.operation {
            Some(Operation::Parallel(_)) => Told::Starting(vec!["worker/".to_owned()]),
            Some(Operation::StartServices { services }) => {
                Told::Starting(services.iter().map(|(name, _)| format!("{name}/")).collect())
            }
            Some(Operation::Execute(_)) => Told::Bulleted,
            _ => continue,
        };
        told.insert(u32::try_from(at).unwrap_or(u32::MAX), what);
    }
    if told.is_empty() {
        return None;
    }
    Some(Box::new(move |step, line| match told.get(&step) {
        None => true,
        Some(Told::Starting(starts)) => !starts.iter().any(|start| line.starts_with(start.as_bytes())),
        Some(Told::Bulleted) => !line.windows(BULLET.len()).any(|part| part == BULLET.as_bytes()),
    }))
}

/// How the lines that are told otherwise look.
enum Told {
    Starting(Vec<String>),
    Bulleted,
}

/// Between the name of an execution and what is said of it.
const BULLET: &str = " • ";
