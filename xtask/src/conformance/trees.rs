//! Comparing documents: by meaning of their texts, and with keys in any order.

use testudo_core::expr::{compile, compile_template};
use testudo_core::source::{Kind, Node};

/// Whether two documents say the same. Blanks inside `{{ }}` and the spelling of escapes are no difference.
pub(crate) fn same(wanted: &Node, got: &Node) -> bool {
    match (&wanted.kind, &got.kind) {
        (Kind::Str(a), Kind::Str(b)) => a == b || same_text(a, b),
        (Kind::List(a), Kind::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Kind::Map(a), Kind::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.iter().any(|(other, b)| key == other && same(a, b)))
        }
        // A computed list that came out empty stays an expression here, so that it is not taken for a written one.
        (Kind::List(a), Kind::Str(b)) => a.is_empty() && &**b == "[]",
        (Kind::Int(a), Kind::Float(b)) | (Kind::Float(b), Kind::Int(a)) => (*a as f64).total_cmp(b).is_eq(),
        (a, b) => a == b,
    }
}

fn same_text(a: &str, b: &str) -> bool {
    let template = |text| compile_template(text).ok().map(|expr| expr.template());
    if template(a).is_some_and(|a| template(b) == Some(a)) {
        return true;
    }
    let expression = |text| compile(text).ok().map(|expr| expr.text());
    !a.contains("{{") && !b.contains("{{") && expression(a).is_some_and(|a| expression(b) == Some(a))
}

/// Takes out what an absent field stands for just as well, where the reference cannot tell the two apart: false
/// switches, empty texts, empty lists and maps. A few fields can, and keep what they have.
pub(crate) fn without_zeros(node: &mut Node) {
    const TOLD_APART: [&str; 12] = [
        "command",
        "pure",
        "mount",
        "optional",
        "value",
        "default",
        "example",
        "content",
        "container",
        "run",
        "matrix",
        "shards",
    ];
    match &mut node.kind {
        Kind::Map(map) => {
            map.retain(|(key, value)| {
                TOLD_APART.contains(&&*key.text)
                    || !match &value.kind {
                        Kind::Bool(value) => !value,
                        Kind::Str(text) => text.is_empty(),
                        Kind::List(items) => items.is_empty(),
                        Kind::Null => true,
                        _ => false,
                    }
            });
            for (_, value) in map {
                without_zeros(value);
            }
        }
        Kind::List(items) => items.iter_mut().for_each(without_zeros),
        _ => {}
    }
}

pub(crate) fn text(node: &Node) -> String {
    serde_json::to_string(node).unwrap_or_default()
}
