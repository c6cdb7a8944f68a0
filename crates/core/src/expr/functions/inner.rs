//! Functions whose argument is the text of another expression.

use super::{Function, one, two, within_content};
use crate::expr::functions::collections::at_key;
use crate::expr::node::{Arg, Callee, Node};
use crate::expr::resolve::{Resolution, Work};
use crate::expr::value::Value;
use crate::expr::{Expr, ExprError, Scope, excerpt, parse, print};

/// The only variables of an inner expression.
struct Element<'v> {
    value: &'v Value,
    index: usize,
}

impl Scope for Element<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        Ok(match name {
            "_.value" => Some(self.value.clone().into()),
            "_.index" | "_.key" => Some(Value::Int(self.index as i64).into()),
            _ => None,
        })
    }
}

impl Element<'_> {
    fn resolve(&self, inner: &Node, work: &Work) -> Result<Node, ExprError> {
        work.spend(1)?;
        Resolution { scopes: &[self], work }
            .run(inner.clone())
            .map_err(|error| error.within(&format!("error for index {}", self.index)))
    }
}

pub(super) fn map(function: Function, args: &[Value], work: &Work) -> Result<Node, ExprError> {
    let (items, text) = list_and_text("map", args)?;
    if function == Function::Wildcard
        && let Some(path) = text.strip_prefix(parse::ELEMENT)
        && let Some(elements) = plucked(items, path, work)?
    {
        return Ok(Node::Static(elements));
    }
    let inner = compile_inner("map", &text, work)?;
    let mut known = Vec::with_capacity(items.len());
    let mut residual: Option<Vec<Arg>> = None;
    for (index, value) in items.iter().enumerate() {
        let node = Element { value, index }.resolve(&inner, work)?;
        match (&mut residual, node) {
            (None, Node::Static(value)) => known.push(value),
            (None, node) => {
                let finished = known.drain(..).map(|value| Node::Static(value).into());
                residual = Some(finished.chain([node.into()]).collect());
            }
            (Some(args), node) => args.push(node.into()),
        }
    }
    match residual {
        None => {
            within_content(&known, work)?;
            Ok(Node::Static(Value::list(known)))
        }
        Some(args) => Node::call(Callee::Standard(Function::List), args.into()),
    }
}

/// What a compiled wildcard usually asks for, a path below each element, without evaluating anything.
/// Nothing if some element does not have it; a list has no named parts at all, and says so.
fn plucked(items: &[Value], path: &str, work: &Work) -> Result<Option<Value>, ExprError> {
    let keys = match path.strip_prefix('.') {
        Some(keys) => keys,
        None if path.is_empty() => return Ok(Some(Value::List(items.into()))),
        None => return Ok(None),
    };
    let segment = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !keys.split('.').all(segment) {
        return Ok(None);
    }
    work.spend(items.len())?;
    let mut found = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let mut element = item.clone();
        for key in keys.split('.') {
            element = match (at_key(&element, key), &element) {
                (Ok(below), _) => below,
                (Err(error), Value::List(_)) => {
                    return Err(error.within(&format!("error for index {index}: `.{key}` of a list")));
                }
                (Err(_), _) => return Ok(None),
            };
        }
        found.push(element);
    }
    Ok(Some(Value::list(found)))
}

pub(super) fn filter(args: &[Value], work: &Work) -> Result<Value, ExprError> {
    let (items, text) = list_and_text("filter", args)?;
    let inner = compile_inner("filter", &text, work)?;
    let mut kept = Vec::new();
    for (index, value) in items.iter().enumerate() {
        match (Element { value, index }).resolve(&inner, work)? {
            Node::Static(truth) if truth.bool_form() => kept.push(value.clone()),
            Node::Static(_) => {}
            residual => {
                let text = excerpt(print::text(&residual));
                return Err(ExprError::new(format!("could not resolve filter for index {index}: {text}")));
            }
        }
    }
    Ok(Value::list(kept))
}

/// The result may be residual: it belongs to whoever asked.
pub(super) fn eval(args: &[Value], work: &Work) -> Result<Node, ExprError> {
    compile(&one(args)?.string_form(), work)
}

fn list_and_text<'v>(name: &str, args: &'v [Value]) -> Result<(&'v [Value], std::borrow::Cow<'v, str>), ExprError> {
    let (list, text) = two(args)?;
    let items: &[Value] = match list {
        Value::None => &[],
        Value::List(items) => items,
        other => {
            let found = other.excerpt();
            return Err(ExprError::new(format!(
                "'{name}' function expects 1st argument to be a list, {found} provided"
            )));
        }
    };
    Ok((items, text.string_form()))
}

fn compile_inner(name: &str, text: &str, work: &Work) -> Result<Node, ExprError> {
    compile(text, work).map_err(|error| {
        let text = excerpt(text.to_owned());
        error.within(&format!("'{name}' function expects 2nd argument to be valid expression, '{text}' provided"))
    })
}

fn compile(text: &str, work: &Work) -> Result<Node, ExprError> {
    let parsed = parse::expression(text, None).map_err(|error| ExprError { at: None, ..error })?;
    Resolution { scopes: &[], work }.run(parsed)
}
