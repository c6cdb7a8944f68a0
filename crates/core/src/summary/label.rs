//! What units are called: names that people gave before numbers that we gave.

use crate::run::{Block, BlockKind, Execution, Instance, Unit, UnitKey};

/// What a unit is called among the units of its step.
///
/// A worker by its description, else its matrix values and shard (`chrome 2/4`), else, where it has neither or shares
/// them, with its number. A service by its name first. A worker of a worker by both (`chrome 2/4 · 1`).
pub fn label_of(execution: &Execution, key: &UnitKey) -> String {
    let Some(carrier) = execution.unit(key).and_then(|unit| unit.carrier.as_ref()) else { return key.to_string() };
    let (outer, step, attempt, at) = carrier;
    let block = execution.blocks_of(outer).find(|(of, nth, _)| of == step && nth == attempt);
    let own = block.map(|(.., block)| own_label(block, *at)).unwrap_or_default();
    let is_nested = execution.unit(outer).is_some_and(|outer| outer.carrier.is_some());
    let label = match (is_nested, own.is_empty()) {
        (true, true) => label_of(execution, outer),
        (true, false) => format!("{} · {own}", label_of(execution, outer)),
        (false, _) => own,
    };
    if key.attempt > 0 { format!("{label}, attempt {}", key.attempt + 1) } else { label }
}

/// The name of the step that carries a unit.
pub fn step_of(execution: &Execution, key: &UnitKey) -> String {
    let Some((carrier, step, ..)) = execution.unit(key).and_then(|unit| unit.carrier.as_ref()) else {
        return String::new();
    };
    execution.unit(carrier).map(|unit| name_around(unit, *step)).unwrap_or_default()
}

/// The name that a person gave to a step, or to the closest one around it.
pub(super) fn name_around(unit: &Unit, step: usize) -> String {
    if step >= unit.run.plan().steps.len() {
        return String::new();
    }
    std::iter::once(step)
        .chain(unit.run.ancestors(step))
        .find_map(|step| unit.run.step(step).name.clone())
        .unwrap_or_else(|| unit.run.step(step).label().to_owned())
}

fn own_label(block: &Block, at: usize) -> String {
    let Some(one) = block.instances.get(at) else { return String::new() };
    let group = match block.kind {
        BlockKind::Parallel => "",
        BlockKind::Services | BlockKind::Execute { .. } => one.group.as_str(),
    };
    let others = || {
        let others = block.instances.iter().enumerate().filter(|(other, _)| *other != at);
        others.map(|(_, other)| other).filter(|other| other.group == one.group)
    };
    let is_alone = others().next().is_none();
    let is_clear = |name: &fn(&Instance) -> String| {
        let mine = name(one);
        !mine.is_empty() && others().all(|other| name(other) != mine)
    };
    let names: [fn(&Instance) -> String; 2] = [described, labelled];
    let own = match names.iter().find(|name| is_clear(name)) {
        Some(name) => name(one),
        None if is_alone => String::new(),
        None => format!("#{}", one.index + 1),
    };
    joined(&[group, &own])
}

fn described(one: &Instance) -> String {
    one.description.trim().to_owned()
}

/// The values of the matrix, then the shard.
fn labelled(one: &Instance) -> String {
    let values: Vec<String> = one.labels.iter().map(|(_, value)| value.string_form().into_owned()).collect();
    values.iter().filter(|value| !value.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn joined(parts: &[&str]) -> String {
    parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
