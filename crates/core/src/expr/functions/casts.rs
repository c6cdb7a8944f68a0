//! Casts and rounding.

use super::{Function, one, within_content, within_items, within_text};
use crate::expr::ExprError;
use crate::expr::limits::MAX_TEXT;
use crate::expr::number;
use crate::expr::resolve::Work;
use crate::expr::value::Value;

pub(super) fn string(args: &[Value]) -> Result<Value, ExprError> {
    if let [only] = args {
        return Ok(Value::Str(only.shared_text()));
    }
    let mut out = String::new();
    for arg in args {
        arg.write_string_form(&mut out);
        if out.len() > MAX_TEXT {
            break;
        }
    }
    within_text(out)
}

pub(super) fn int(args: &[Value]) -> Result<Value, ExprError> {
    one(args)?.int_form().map(Value::Int)
}

pub(super) fn float(args: &[Value]) -> Result<Value, ExprError> {
    one(args)?.number_form().map(Value::Float)
}

pub(super) fn bool(args: &[Value]) -> Result<Value, ExprError> {
    one(args).map(|value| Value::Bool(value.bool_form()))
}

pub(super) fn list(args: &[Value], work: &Work) -> Result<Value, ExprError> {
    within_items(args.len())?;
    within_content(args, work)?;
    Ok(Value::List(args.into()))
}

pub(super) fn rounded(function: Function, args: &[Value], round: fn(f64) -> f64) -> Result<Value, ExprError> {
    let value = one(args)?;
    if let Value::Int(_) = value {
        return Ok(value.clone());
    }
    let name = function.name();
    let number = value.number_form().map_err(|error| error.within(&format!("'{name}' function expects a number")))?;
    number::to_int(round(number)).map(Value::Int).ok_or_else(|| {
        ExprError::new(format!("'{name}' function expects a number that fits an integer, {} provided", value.excerpt()))
    })
}
