//! Scopes seen from inside a nested block: names that the block binds itself are not theirs to answer.

use std::collections::BTreeSet;

use crate::expr::{Expr, ExprError, Scope, Value};

/// A scope without some of its names.
pub(super) struct Hidden<'s, N = fn(&str) -> bool> {
    inner: &'s dyn Scope,
    bound: N,
}

/// First segments of what an instance of a block binds: strategy, its own resources, packed files.
const BOUND: [&str; 10] = [
    "index",
    "count",
    "matrixIndex",
    "matrixCount",
    "matrix",
    "shardIndex",
    "shardCount",
    "shard",
    "resource",
    "tarball",
];

impl<'s> Hidden<'s> {
    pub(super) fn strategy(inner: &'s dyn Scope) -> Self {
        Self { inner, bound: |name| BOUND.contains(&name.split('.').next().unwrap_or(name)) }
    }
}

impl<N: Fn(&str) -> bool> Scope for Hidden<'_, N> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        if (self.bound)(name) { Ok(None) } else { self.inner.get(name) }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        self.inner.call(name, args)
    }
}

/// A scope that leaves `step.<id>` alone for some ids: those that a worker has itself.
pub fn without_steps<'s>(inner: &'s dyn Scope, ids: &'s BTreeSet<String>) -> impl Scope + 's {
    Hidden {
        inner,
        // `step` as a whole would answer for all ids.
        bound: |name: &str| match name.strip_prefix("step") {
            Some("") => !ids.is_empty(),
            Some(rest) => {
                rest.strip_prefix('.').is_some_and(|rest| ids.contains(rest.split('.').next().unwrap_or(rest)))
            }
            None => false,
        },
    }
}
