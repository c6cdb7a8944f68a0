//! Data formats, and what `jq` is asked with.

use std::borrow::Cow;

use super::{one, only_text, two, within_text};
use crate::expr::value::Value;
use crate::expr::{ExprError, json as json_text, yaml_text};

pub(super) fn json(args: &[Value]) -> Result<Value, ExprError> {
    json_text::read(only_text(args)?).map_err(|error| {
        ExprError::new(format!("'json' function: invalid JSON at index {}: {}", error.at, error.reason))
    })
}

pub(super) fn yaml(args: &[Value]) -> Result<Value, ExprError> {
    let text = only_text(args)?;
    json_text::read(text).map_err(|error| {
        ExprError::new(format!("'yaml' function: invalid YAML at index {}: {}", error.at, error.reason))
    })
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
