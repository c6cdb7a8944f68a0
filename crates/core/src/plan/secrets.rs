//! Which secrets the texts of a unit ask for, so that `begin` brings these and no others.

use std::{cell::RefCell, collections::BTreeSet};

use super::{Reference, ReferenceKind};
use crate::{
    expr::{self, Expr, ExprError, Scope, Value},
    run::veil,
    source::Node,
};

/// `secret("name", "key")` calls in the texts of a unit; blocks with units of their own collect theirs.
pub(super) fn secret_calls(node: &Node, found: &mut SecretCalls) {
    if let Some(text) = node.as_str()
        && veil::is_veiled(text)
    {
        found.0.get_mut().extend(veil::veiled(text));
    }
    ask(node, expr::compile_template, found);
    node.items().iter().for_each(|item| secret_calls(item, found));
    for (key, value) in node.entries() {
        match &**key {
            "parallel" | "services" => {}
            "condition" | "conditions" | "until" => {
                ask(value, expr::compile, found);
                value.items().iter().for_each(|item| ask(item, expr::compile, found));
            }
            _ => secret_calls(value, found),
        }
    }
}

fn ask(node: &Node, compile: impl Fn(&str) -> Result<Expr, ExprError>, found: &SecretCalls) {
    if let Some(text) = node.as_str().filter(|text| text.contains("secret("))
        && let Ok(expression) = compile(text)
    {
        // Only the questions matter; whatever is wrong with the text shows elsewhere.
        let _ = expression.resolve(&[found]);
    }
}

/// Writes down which secrets an expression asks for.
#[derive(Default)]
pub(super) struct SecretCalls(RefCell<BTreeSet<Reference>>);

impl Scope for SecretCalls {
    fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        if let ("secret", [name, key, ..]) = (name, args) {
            self.0.borrow_mut().insert(Reference {
                kind: ReferenceKind::Secret,
                name: name.string_form().into_owned(),
                key: Some(key.string_form().into_owned()),
                optional: true,
            });
        }
        Ok(None)
    }
}

impl SecretCalls {
    pub(super) fn into_references(self) -> BTreeSet<Reference> {
        self.0.into_inner()
    }
}
