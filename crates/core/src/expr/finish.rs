//! The last word on what nobody knows.

use super::value::Value;
use super::{Expr, ExprError, Scope};

/// What becomes of names and functions that no scope answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finalizer<'a> {
    /// They are an error.
    Fail,
    /// Those whose name starts so are an error, the rest stays.
    FailPrefix(&'a str),
    /// They are none.
    None,
    /// They stay.
    Preserve,
}

impl Expr {
    /// Resolves with the scopes as far as that goes, and only then decides about what is still reachable.
    pub fn finish(&self, scopes: &[&dyn Scope], finalizer: Finalizer<'_>) -> Result<Self, ExprError> {
        let resolved = self.resolve(scopes)?;
        if resolved.is_static() || finalizer == Finalizer::Preserve {
            return Ok(resolved);
        }
        let mut scopes = scopes.to_vec();
        scopes.push(&finalizer);
        resolved.resolve(&scopes)
    }
}

impl Finalizer<'_> {
    fn decide(self, name: &str, unknown: &str) -> Result<Option<Expr>, ExprError> {
        match self {
            Self::Fail => Err(ExprError::new(unknown)),
            Self::FailPrefix(prefix) if name.starts_with(prefix) => Err(ExprError::new(unknown)),
            Self::None => Ok(Some(Value::None.into())),
            Self::FailPrefix(_) | Self::Preserve => Ok(None),
        }
    }
}

impl Scope for Finalizer<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        self.decide(name, "unknown variable")
    }

    fn call(&self, name: &str, _: &[Value]) -> Result<Option<Expr>, ExprError> {
        self.decide(name, "unknown function")
    }
}
