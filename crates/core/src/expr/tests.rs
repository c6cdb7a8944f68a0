//! The language as a whole: text in, text out.

mod limits;
mod properties;
mod scopes;
mod verdicts;

use super::{Expr, ExprError, Scope, Value, Vars, compile, compile_template};

fn vars(json: &str) -> Vars {
    let entries: std::collections::BTreeMap<String, Value> = serde_json::from_str(json).unwrap();
    entries.into_iter().collect()
}

fn shown(outcome: Result<Expr, ExprError>) -> String {
    match outcome {
        Ok(expr) => expr.text(),
        Err(error) => format!("error: {}", error.message),
    }
}

/// The expression text of what is left.
fn resolved(text: &str, scopes: &[&dyn Scope]) -> String {
    shown(compile(text).and_then(|expr| expr.resolve(scopes)))
}

fn evaluated(text: &str) -> String {
    resolved(text, &[])
}

/// The template text of what is left, or the plain text if nothing is.
fn filled(text: &str, scopes: &[&dyn Scope]) -> String {
    match compile_template(text).and_then(|expr| expr.resolve(scopes)) {
        Ok(expr) => expr.value().map_or_else(|| expr.template(), |value| value.string_form().into_owned()),
        Err(error) => format!("error: {}", error.message),
    }
}
