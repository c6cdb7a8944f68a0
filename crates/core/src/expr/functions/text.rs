//! Text in pieces and together.

use super::{one_or_two, only_text, within_items, within_text};
use crate::expr::limits::{MAX_ITEMS, MAX_TEXT};
use crate::expr::resolve::Work;
use crate::expr::value::Value;
use crate::expr::{ExprError, shell};

pub(super) fn join(args: &[Value]) -> Result<Value, ExprError> {
    let (list, separator) = one_or_two(args)?;
    let items = match list {
        Value::None => return Ok(Value::None),
        Value::List(items) => items,
        _ => return Err(ExprError::new(format!("'join' function expects a slice, {} provided", list.excerpt()))),
    };
    let separator = separator.map_or(",".into(), Value::string_form);
    let mut out = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(&separator);
        }
        item.write_string_form(&mut out);
        if out.len() > MAX_TEXT {
            break;
        }
    }
    within_text(out)
}

pub(super) fn split(args: &[Value], work: &Work) -> Result<Value, ExprError> {
    let (text, separator) = one_or_two(args)?;
    let text = text.string_form();
    let separator = separator.map_or(",".into(), Value::string_form);
    // One more than allowed is enough to tell that there are too many.
    let items: Vec<Value> = if separator.is_empty() {
        let mut buffer = [0; 4];
        text.chars().take(MAX_ITEMS + 1).map(|c| Value::from(&*c.encode_utf8(&mut buffer))).collect()
    } else {
        text.split(&*separator).take(MAX_ITEMS + 1).map(Value::from).collect()
    };
    work.spend(within_items(items.len())?)?;
    Ok(Value::list(items))
}

pub(super) fn trim(args: &[Value]) -> Result<Value, ExprError> {
    only_text(args).map(|text| Value::from(text.trim()))
}

pub(super) fn shellquote(args: &[Value]) -> Result<Value, ExprError> {
    let words: Vec<_> = args.iter().map(Value::string_form).collect();
    within_text(shell::quote(words.iter().map(|word| &**word)))
}

pub(super) fn shellparse(args: &[Value]) -> Result<Value, ExprError> {
    let words = shell::parse(only_text(args)?)?;
    within_items(words.len())?;
    Ok(words.into_iter().map(Value::from).collect())
}
