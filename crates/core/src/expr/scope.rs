//! Who answers for the names and functions an expression mentions. A slice of scopes is asked in its order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::value::Value;
use super::{Expr, ExprError};

/// Knows some variables and functions. `Ok(None)` means: ask somebody else.
///
/// A name is asked for whole and dotted; only if nobody knows it so is its parent asked for. An answer may be an
/// expression, which is then resolved further. Answers must not depend on anything but the question.
pub trait Scope {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError>;

    /// The arguments are finished and spread.
    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        let _ = (name, args);
        Ok(None)
    }
}

impl<S: Scope + ?Sized> Scope for &S {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        (**self).get(name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        (**self).call(name, args)
    }
}

impl<S: Scope + ?Sized> Scope for Box<S> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        (**self).get(name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        (**self).call(name, args)
    }
}

/// Several scopes as one; the first answer wins.
#[derive(Clone, Debug, Default)]
pub struct Ordered<S>(pub Vec<S>);

impl<S: Scope> Scope for Ordered<S> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        self.0.iter().find_map(|scope| scope.get(name).transpose()).transpose()
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        self.0.iter().find_map(|scope| scope.call(name, args).transpose()).transpose()
    }
}

/// Variables by their exact, possibly dotted names.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    known: BTreeMap<Arc<str>, Expr>,
}

impl Vars {
    pub fn new() -> Self {
        Self::default()
    }

    /// A single variable.
    pub fn one(name: impl Into<Arc<str>>, answer: impl Into<Expr>) -> Self {
        let mut vars = Self::new();
        vars.set(name, answer);
        vars
    }

    /// The answer may be a value or an expression; a later one for the same name takes its place.
    pub fn set(&mut self, name: impl Into<Arc<str>>, answer: impl Into<Expr>) {
        self.known.insert(name.into(), answer.into());
    }

    #[must_use]
    pub fn with(mut self, name: impl Into<Arc<str>>, answer: impl Into<Expr>) -> Self {
        self.set(name, answer);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Expr)> {
        self.known.iter().map(|(name, answer)| (&**name, answer))
    }
}

impl<N: Into<Arc<str>>, A: Into<Expr>> FromIterator<(N, A)> for Vars {
    fn from_iter<I: IntoIterator<Item = (N, A)>>(vars: I) -> Self {
        Self { known: vars.into_iter().map(|(name, answer)| (name.into(), answer.into())).collect() }
    }
}

impl<N: Into<Arc<str>>, A: Into<Expr>> Extend<(N, A)> for Vars {
    fn extend<I: IntoIterator<Item = (N, A)>>(&mut self, vars: I) {
        for (name, answer) in vars {
            self.set(name, answer);
        }
    }
}

impl Scope for Vars {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        Ok(self.known.get(name).cloned())
    }
}

/// Another scope under a prefix: `Prefixed::new("config.", vars)` answers `config.x` with the inner `x`.
#[derive(Clone, Debug)]
pub struct Prefixed<S> {
    prefix: Arc<str>,
    inner: S,
}

impl<S: Scope> Prefixed<S> {
    pub fn new(prefix: impl Into<Arc<str>>, inner: S) -> Self {
        Self { prefix: prefix.into(), inner }
    }
}

impl<S: Scope> Scope for Prefixed<S> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        name.strip_prefix(&*self.prefix).map_or(Ok(None), |rest| self.inner.get(rest))
    }
}

/// Another scope that answers only for names (variables and functions) with a prefix, and sees them whole.
#[derive(Clone, Debug)]
pub struct Only<S> {
    prefix: Arc<str>,
    inner: S,
}

impl<S: Scope> Only<S> {
    pub fn new(prefix: impl Into<Arc<str>>, inner: S) -> Self {
        Self { prefix: prefix.into(), inner }
    }
}

impl<S: Scope> Scope for Only<S> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        if name.starts_with(&*self.prefix) { self.inner.get(name) } else { Ok(None) }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        if name.starts_with(&*self.prefix) { self.inner.call(name, args) } else { Ok(None) }
    }
}

/// Gives names with one prefix another, so that they cannot be taken for what goes by the first.
#[derive(Clone, Debug)]
pub struct Renamed {
    from: Arc<str>,
    to: Arc<str>,
}

impl Renamed {
    pub fn new(from: impl Into<Arc<str>>, to: impl Into<Arc<str>>) -> Self {
        Self { from: from.into(), to: to.into() }
    }
}

impl Scope for Renamed {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        Ok(name.strip_prefix(&*self.from).map(|rest| Expr::name(&format!("{}{rest}", self.to))))
    }
}

pub type GetFn = fn(&str) -> Result<Option<Expr>, ExprError>;
pub type CallFn = fn(&str, &[Value]) -> Result<Option<Expr>, ExprError>;

/// A scope made of two functions, for whoever need not be a type of its own.
pub struct Answers<G, C> {
    get: G,
    call: C,
}

/// Answers names with a function.
pub fn names<G>(get: G) -> Answers<G, CallFn>
where
    G: Fn(&str) -> Result<Option<Expr>, ExprError>,
{
    Answers { get, call: |_, _| Ok(None) }
}

/// Answers calls with a function.
pub fn calls<C>(call: C) -> Answers<GetFn, C>
where
    C: Fn(&str, &[Value]) -> Result<Option<Expr>, ExprError>,
{
    Answers { get: |_| Ok(None), call }
}

impl<G, C> Scope for Answers<G, C>
where
    G: Fn(&str) -> Result<Option<Expr>, ExprError>,
    C: Fn(&str, &[Value]) -> Result<Option<Expr>, ExprError>,
{
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        (self.get)(name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        (self.call)(name, args)
    }
}
