//! Whether an instance's log is kept among the artifacts.

use crate::{
    expr::{self, Value, Vars},
    run::{Block, Instance},
};

/// Evaluates a `logs` condition over an instance's result. One that cannot be computed keeps the log: a log too many
/// is better than one too few.
pub(super) fn wanted(condition: &str, failed: bool, instance: &Instance, block: &Block) -> bool {
    let mut vars = Vars::new();
    for (name, value) in [("always", true), ("never", false)] {
        vars.set(name, Value::Bool(value));
    }
    for name in ["passed", "success"] {
        vars.set(name, Value::Bool(!failed));
    }
    for name in ["failed", "error"] {
        vars.set(name, Value::Bool(failed));
    }
    vars.set("status", Value::from(if failed { "failed" } else { "" }));
    vars.set("index", Value::Int(instance.index as i64));
    vars.set("count", Value::Int(block.instances.len() as i64));
    for (name, value) in &instance.labels {
        vars.set(name.as_str(), value.clone());
    }
    expr::compile(condition)
        .and_then(|expression| expression.resolve(&[&vars]))
        .ok()
        .and_then(|result| result.value().map(Value::bool_form))
        .unwrap_or(true)
}
