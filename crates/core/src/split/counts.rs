//! `count` and `maxCount`.

use crate::expr::{Scope, Value, compile};
use crate::source::{Kind, Node};

use super::expand::ExpandError;
use super::lists::{left_over, noun};

/// A count of the block; none if it says nothing.
pub(super) fn find(block: &Node, name: &str, scopes: &[&dyn Scope]) -> Result<Option<u64>, ExpandError> {
    let Some(node) = block.get(name) else { return Ok(None) };
    let number = match &node.kind {
        Kind::Int(value) => whole(&value.to_string(), *value),
        Kind::Str(text) => evaluated(text, scopes),
        _ => Err(format!("must be a whole number or an expression, found {}", node.noun())),
    };
    number.map(Some).map_err(|message| ExpandError { at: name.to_owned(), message, span: node.span.known() })
}

fn evaluated(text: &str, scopes: &[&dyn Scope]) -> Result<u64, String> {
    if text.trim().is_empty() {
        return Ok(0);
    }
    let resolved = compile(text).and_then(|expr| expr.resolve(scopes)).map_err(|error| {
        let braces = text.trim().starts_with("{{");
        let advice = if braces { "; the whole text is an expression here, without braces" } else { "" };
        format!("{text}: {}{advice}", error.message)
    })?;
    let Some(value) = resolved.value() else {
        return Err(format!("{text}: could not be resolved: {}", left_over(&resolved)));
    };
    match value {
        Value::None | Value::Nil => Ok(0),
        Value::Str(number) if number.is_empty() => Ok(0),
        Value::Str(number) if number.trim() != &**number => {
            Err(format!("{text}: {number:?} has white space around it; use trim()"))
        }
        Value::Int(_) | Value::Float(_) | Value::Str(_) => match value.int_form() {
            Ok(number) => whole(text, number),
            Err(error) => Err(format!("{text}: must be a whole number: {}", error.message)),
        },
        other => Err(format!("{text}: must be a number, found {}", noun(other))),
    }
}

fn whole(text: &str, number: i64) -> Result<u64, String> {
    u64::try_from(number).map_err(|_| format!("{text}: must not be below zero"))
}
