//! What of a block's instances is known before anything runs. What is not is stood in for, and said.

use testudo_core::{
    expr::{self, Expr, ExprError, Scope},
    source::{Kind, Node},
};

pub(super) use crate::reporter::rows::shape;

/// Something that only a run can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Later {
    pub(super) what: String,
    /// The expression's text.
    pub(super) from: String,
}

/// A scope that knows nothing: nothing has run.
pub(super) struct Unknown;

impl Scope for Unknown {
    fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }
}

/// What was not known of one block.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) later: Vec<Later>,
    /// There may be fewer instances than are shown.
    pub(super) most: bool,
}

/// The block with a stand-in for each list and number that is not known yet.
pub(super) fn known(block: &Node, of: &str) -> (Node, Open) {
    let mut block = block.clone();
    let mut open = Open::default();
    let whose = if of.is_empty() { String::new() } else { format!(" of {of}") };
    for name in ["count", "maxCount"] {
        let Some(text) = block.get(name).and_then(Node::scalar_text) else { continue };
        if !is_number(&text) {
            open.later.push(Later { what: format!("{name}{whose}"), from: text.to_string() });
            block.take(name);
            open.most = true;
        }
    }
    let most = block.get("maxCount").and_then(Node::scalar_text).and_then(|text| text.trim().parse::<usize>().ok());
    for group in ["matrix", "shards"] {
        let keys: Vec<_> = block.get_entries(group).iter().map(|(key, _)| key.text.clone()).collect();
        for key in keys {
            let Some(list) = block.get(group).and_then(|lists| lists.get(&key)) else { continue };
            let Some(text) = unknown_list(list) else { continue };
            let what = if group == "shards" {
                format!("the {key} of each shard{whose}")
            } else {
                format!("the values of {key}{whose}")
            };
            open.later.push(Later { what, from: text });
            // Enough entries for every shard that may be wanted; one value where nobody knows how many.
            let entries = if group == "shards" { most.unwrap_or(1).min(1000) } else { 1 };
            open.most |= group == "shards" && most.is_some();
            let word = key.to_uppercase();
            let stand_in = Node::list((0..entries).map(|_| Node::text(word.as_str())));
            if let Some(lists) = block.get_mut(group) {
                lists.set(&key, stand_in);
            }
        }
    }
    (block, open)
}

/// The text of a list that cannot be computed now.
fn unknown_list(list: &Node) -> Option<String> {
    match &list.kind {
        Kind::Str(text) => {
            let value = expr::compile(text).and_then(|expression| expression.resolve(&[&Unknown]));
            match value {
                Ok(value) if value.value().is_some() => None,
                _ if text.trim().is_empty() => None,
                _ => Some(text.to_string()),
            }
        }
        Kind::List(items) => items.iter().find_map(|item| {
            let text = item.as_str().filter(|text| text.contains("{{"))?;
            let value = expr::compile_template(text).and_then(|template| template.resolve(&[&Unknown]));
            match value {
                Ok(value) if value.value().is_some() => None,
                _ => Some(text.to_owned()),
            }
        }),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Map(_) => None,
    }
}

fn is_number(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || text.parse::<u64>().is_ok()
        || expr::compile(text)
            .and_then(|expression| expression.resolve(&[&Unknown]))
            .is_ok_and(|expression| expression.value().is_some())
}
