//! The lists of a strategy: found, checked, and cut.

use std::ops::Range;
use std::sync::Arc;

use crate::expr::{Expr, Finalizer, Scope, Value, compile};
use crate::resolve::{Pass, apply};
use crate::source::{Kind, Node, Span};
use crate::workflow::table::PARALLEL;

use super::expand::ExpandError;

/// What a key of `matrix` or `shards` came to.
pub(super) struct Found {
    pub(super) key: Arc<str>,
    pub(super) values: Vec<Value>,
    /// Somebody looked for data, as opposed to having written down what there is.
    pub(super) computed: bool,
    /// The expression, for messages.
    pub(super) text: String,
    pub(super) span: Span,
}

/// All lists of `matrix` or `shards`, in the order they were declared.
pub(super) fn find(block: &Node, group: &str, scopes: &[&dyn Scope]) -> Result<Vec<Found>, ExpandError> {
    let Some(node) = block.get(group) else { return Ok(Vec::new()) };
    let Some(map) = node.as_map() else {
        let message = format!("must be a map of lists, found {}", node.noun());
        return Err(ExpandError { at: group.to_owned(), message, span: node.span.known() });
    };
    map.iter()
        .map(|(key, node)| {
            let at = format!("{group}.{}", key.text);
            let (values, computed, text) = list(group, key, node, scopes).map_err(|message| ExpandError {
                at,
                message,
                span: node.span.known(),
            })?;
            Ok(Found { key: key.text.clone(), values, computed, text, span: node.span })
        })
        .collect()
}

type List = (Vec<Value>, bool, String);

fn list(group: &str, key: &str, node: &Node, scopes: &[&dyn Scope]) -> Result<List, String> {
    let text = match &node.kind {
        Kind::Null => return Ok((Vec::new(), false, String::new())),
        Kind::List(items) => return written(group, key, node, items, scopes),
        Kind::Str(text) => text.to_string(),
        Kind::Map(_) => json(node),
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => node.scalar_text().unwrap_or_default().to_string(),
    };
    if text.trim().is_empty() {
        return Ok((Vec::new(), false, text));
    }
    let computed = text.trim() != "null";
    let resolved = compile(&text).and_then(|expr| expr.resolve(scopes)).map_err(|error| {
        let braces = text.trim().starts_with("{{");
        let advice = if braces { "; the whole text is an expression here, without braces" } else { "" };
        format!("{text}: {}{advice}", error.message)
    })?;
    match resolved.value() {
        Some(Value::List(items)) => Ok((items.iter().map(element).collect(), computed, text)),
        Some(Value::None | Value::Nil) => Ok((Vec::new(), computed, text)),
        Some(other) => Err(format!("{text}: must be a list, found {}", noun(other))),
        None => Err(format!("{text}: could not be resolved: {}", left_over(&resolved))),
    }
}

fn json(node: &Node) -> String {
    serde_json::to_string(node).unwrap_or_default()
}

/// A list in the document: its texts are templates, deeply; whatever else stands in it keeps its kind.
fn written(group: &str, key: &str, node: &Node, items: &[Node], scopes: &[&dyn Scope]) -> Result<List, String> {
    let block = Node::map([(group, Node::map([(key, node.clone())]))]);
    let pass = Pass { finalizer: Finalizer::Fail, plain: true, ..Pass::default() };
    let evaluated = apply(&block, &PARALLEL, scopes, pass)
        .map_err(|found| found.into_iter().next().map_or_else(String::new, |found| found.message))?;
    let list = evaluated.get_entries(group).first().map(|(_, list)| list.clone()).unwrap_or_default();
    let only_expressions =
        !items.is_empty() && items.iter().all(|item| item.as_str().is_some_and(|text| text.contains("{{")));
    Ok((list.items().iter().map(value_of).map(|value| element(&value)).collect(), only_expressions, json(node)))
}

/// A null by itself is none, as it is when one looks into a list.
pub(super) fn element(value: &Value) -> Value {
    if let Value::Nil = value { Value::None } else { value.clone() }
}

/// A finished tree as a value.
pub(super) fn value_of(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Nil,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Int(value) => Value::Int(*value),
        Kind::Float(value) => Value::Float(*value),
        Kind::Str(text) => Value::Str(text.clone()),
        Kind::List(items) => Value::list(items.iter().map(value_of).collect()),
        Kind::Map(map) => {
            Value::Map(Arc::new(map.iter().map(|(key, node)| (key.text.clone(), value_of(node))).collect()))
        }
    }
}

pub(super) fn noun(value: &Value) -> &'static str {
    match value {
        Value::None | Value::Nil => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Str(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

/// The names an expression still waits for.
pub(super) fn left_over(expr: &Expr) -> String {
    let mut names: Vec<&str> = expr.names().collect();
    names.dedup();
    if names.is_empty() {
        format!("{} is not known here", expr.text())
    } else {
        format!("{} unknown here", names.join(", "))
    }
}

/// The part of a list of `length` elements that shard `index` of `count` gets: contiguous, and no two differ by more
/// than one.
pub fn shard(length: usize, index: usize, count: usize) -> Range<usize> {
    let count = count.max(1);
    let (each, longer) = (length / count, length % count);
    let start = index * each + index.min(longer);
    start..start + each + usize::from(index < longer)
}
