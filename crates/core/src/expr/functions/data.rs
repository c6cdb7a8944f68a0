//! Data formats, and what `jq` is asked with.

use std::borrow::Cow;

use super::{one, only_text, two, within_text};
use crate::expr::value::{Map, Value};
use crate::expr::{ExprError, json as json_text, yaml_text};
use crate::source::{self, Kind, Scalars};

pub(super) fn json(args: &[Value]) -> Result<Value, ExprError> {
    json_text::read(only_text(args)?).map_err(|error| {
        ExprError::new(format!("'json' function: invalid JSON at index {}: {}", error.at, error.reason))
    })
}

/// The first document, with scalars as go-yaml v3 reads them.
pub(super) fn yaml(args: &[Value]) -> Result<Value, ExprError> {
    match source::parse_first(only_text(args)?, Scalars::YamlV3) {
        Ok(tree) => Ok(value_of(&tree)),
        Err(diagnostic) => Err(ExprError::new(format!("'yaml' function: {}", diagnostic.message))),
    }
}

fn value_of(tree: &source::Node) -> Value {
    match &tree.kind {
        Kind::Null => Value::Nil,
        Kind::Bool(truth) => Value::Bool(*truth),
        Kind::Int(n) => Value::Int(*n),
        Kind::Float(x) => Value::Float(*x),
        Kind::Str(text) => Value::Str(text.clone()),
        Kind::List(items) => items.iter().map(value_of).collect(),
        Kind::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.text.clone(), value_of(value)));
            Value::from(entries.collect::<Map>())
        }
    }
}

pub(super) fn tojson(args: &[Value]) -> Result<Value, ExprError> {
    within_text(one(args)?.to_json_text())
}

pub(super) fn toyaml(args: &[Value]) -> Result<Value, ExprError> {
    within_text(yaml_text::write(one(args)?))
}

/// The input and the query of a call to `jq`, for the scope that has one.
pub fn jq_arguments(args: &[Value]) -> Result<(&Value, Cow<'_, str>), ExprError> {
    let (input, query) = two(args)?;
    Ok((input, query.string_form()))
}
