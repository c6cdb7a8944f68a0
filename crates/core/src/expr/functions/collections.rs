//! Lists and maps.

use super::{one, one_or_two, two, within_items};
use crate::expr::ExprError;
use crate::expr::resolve::Work;
use crate::expr::value::{Map, Value};

pub(super) fn len(args: &[Value]) -> Result<Value, ExprError> {
    let length = match one(args)? {
        Value::Str(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        other => {
            let found = other.excerpt();
            return Err(ExprError::new(format!("'len' function expects string, slice or map, {found} provided")));
        }
    };
    Ok(Value::Int(length as i64))
}

pub(super) fn at(args: &[Value]) -> Result<Value, ExprError> {
    let (base, key) = two(args)?;
    match base {
        Value::Map(entries) => Ok(entries.get(&*key.string_form()).cloned().unwrap_or_default()),
        Value::List(_) | Value::Str(_) => element(base, key),
        _ => Err(not_indexed(base)),
    }
}

/// `base.key`, the same as `at(base, "key")`.
pub(crate) fn at_key(base: &Value, key: &str) -> Result<Value, ExprError> {
    match base {
        Value::Map(entries) => Ok(entries.get(key).cloned().unwrap_or_default()),
        Value::List(items) if let Ok(index) = key.parse::<usize>() => {
            items.get(index).cloned().ok_or_else(|| out_of_bounds(items.len(), &index))
        }
        Value::List(_) | Value::Str(_) => element(base, &Value::from(key)),
        _ => Err(not_indexed(base)),
    }
}

fn element(base: &Value, key: &Value) -> Result<Value, ExprError> {
    let kind = if let Value::List(_) = base { "list" } else { "string" };
    let index = key.int_form().map_err(|error| {
        error.within(&format!("'at' function expects 2nd argument to be number for {kind}, {} provided", key.excerpt()))
    })?;
    let position = usize::try_from(index).ok();
    match base {
        Value::List(items) => {
            position.and_then(|position| items.get(position).cloned()).ok_or_else(|| out_of_bounds(items.len(), &index))
        }
        Value::Str(text) => position
            .and_then(|position| text.chars().nth(position))
            .map(|c| Value::from(&*c.encode_utf8(&mut [0; 4])))
            .ok_or_else(|| out_of_bounds(text.chars().count(), &index)),
        _ => Err(not_indexed(base)),
    }
}

fn out_of_bounds(length: usize, index: &dyn std::fmt::Display) -> ExprError {
    ExprError::new(format!("'at' function: out of bounds (length={length}, index={index})"))
}

fn not_indexed(base: &Value) -> ExprError {
    let found = base.excerpt();
    ExprError::new(format!("'at' function can be performed only on lists, maps and strings, {found} provided"))
}

pub(super) fn chunk(args: &[Value], work: &Work) -> Result<Value, ExprError> {
    let (list, size) = two(args)?;
    let items = list.list_form().map_err(|error| error.within("'chunk' function expects 1st argument to be a list"))?;
    let wanted = "'chunk' function expects 2nd argument to be a number of at least 1";
    let size = size.int_form().map_err(|error| error.within(wanted))?;
    let Ok(size @ 1..) = usize::try_from(size) else {
        return Err(ExprError::new(format!("{wanted}, {size} provided")));
    };
    work.spend(items.len())?;
    Ok(items.chunks(size).map(|chunk| Value::List(chunk.into())).collect())
}

pub(super) fn entries(args: &[Value], work: &Work) -> Result<Value, ExprError> {
    let map = one(args)?.map_form().map_err(|error| error.within("'entries' function expects argument to be a map"))?;
    work.spend(map.len())?;
    let entry = |key: &std::sync::Arc<str>, value: &Value| {
        let entry = [("key".into(), Value::Str(key.clone())), ("value".into(), value.clone())];
        Value::from(Map::from(entry))
    };
    // List positions are in their own order, not in that of their digits.
    if let Value::List(items) = &args[0] {
        return Ok(items.iter().enumerate().map(|(index, item)| entry(&index.to_string().into(), item)).collect());
    }
    Ok(map.iter().map(|(key, value)| entry(key, value)).collect())
}

pub(super) fn range(args: &[Value], work: &Work) -> Result<Value, ExprError> {
    let (first, second) = one_or_two(args)?;
    let bound = |value: &Value| value.int_form().map_err(|error| error.within("'range' function expects integer"));
    let (from, to) = match second {
        None => (0, bound(first)?),
        Some(second) => (bound(first)?, bound(second)?),
    };
    let count = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    work.spend(within_items(count)?)?;
    Ok((from..to).map(Value::Int).collect())
}
