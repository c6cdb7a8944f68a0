//! The expression language: compiled from text, partly evaluated as variables become known, printed back as text.
//!
//! A workflow is resolved in stages. Each knows some variables, replaces them, folds what became constant and writes
//! the rest back for the next, so [`Expr::text`] is as much part of the meaning as [`Expr::resolve`]. Everything a
//! text may ask for is bounded, because authors are strangers.
//!
//! Not here: which field of a workflow is an expression or a template, and what each stage knows.

mod date;
mod finish;
mod functions;
mod json;
mod limits;
mod list;
mod node;
mod number;
mod operators;
mod outline;
mod parse;
mod print;
mod resolve;
mod scan;
mod scope;
mod shell;
mod template;
mod value;
mod yaml_text;

use std::ops::Range;

pub use date::date;
pub use finish::Finalizer;
pub use functions::{abspath, clean as clean_path, jq_arguments, makepath, relpath};
pub use list::{ListItem, resolve_list};
pub use outline::{Call, Mention, Outline, outline, outline_template};
pub use scope::{Answers, CallFn, GetFn, Only, Ordered, Prefixed, Renamed, Scope, Vars, calls, names};
pub use shell::{parse as shell_parse, quote as shell_quote};
pub use value::{Map, Value};

use node::{Arg, Callee, Kind, Node};
use resolve::{Resolution, Work};

/// A compiled expression: a finished value, or what is left of the text until more is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr(Node);

/// Why a text is no expression, or why it has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    pub message: String,
    /// The bytes of the compiled text that are to blame. Syntax errors always know.
    pub at: Option<Range<usize>>,
}

impl ExprError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None }
    }

    pub(crate) fn at(message: impl Into<String>, at: Range<usize>) -> Self {
        Self { message: message.into(), at: Some(at) }
    }

    /// The same, seen from further out.
    #[must_use]
    pub fn within(self, context: &str) -> Self {
        Self { message: format!("{context}: {}", self.message), at: self.at }
    }
}

/// Compiles an expression, folding what is constant. A blank text is none.
pub fn compile(text: &str) -> Result<Expr, ExprError> {
    let node = parse::expression(text, None)?;
    if node.is_static() {
        return Ok(Expr(node));
    }
    Resolution { scopes: &[], work: &Work::new() }.run(node).map(Expr)
}

/// Compiles text with `{{ expressions }}` in it. What it amounts to is always text.
pub fn compile_template(text: &str) -> Result<Expr, ExprError> {
    template::compile(text).map(Expr)
}

/// Literal text as template text that stands for it.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    print::write_escaped(&mut out, text);
    out
}

impl Expr {
    /// A variable.
    pub fn name(path: &str) -> Self {
        Self(Node::Name(path.into()))
    }

    /// A call of a function with finished arguments.
    pub fn call(function: &str, args: impl IntoIterator<Item = Value>) -> Result<Self, ExprError> {
        let callee = match functions::Function::named(function) {
            Some(function) => Callee::Standard(function),
            None => Callee::Other(function.into()),
        };
        let args = args.into_iter().map(|value| Arg::from(Node::Static(value))).collect();
        Node::call(callee, args).map(Self)
    }

    /// Replaces what the scopes know, in their order, until nothing changes.
    pub fn resolve(&self, scopes: &[&dyn Scope]) -> Result<Self, ExprError> {
        if self.0.is_static() {
            return Ok(self.clone());
        }
        Resolution { scopes, work: &Work::new() }.run(self.0.clone()).map(Self)
    }

    /// The finished value, if there is one.
    pub fn value(&self) -> Option<&Value> {
        self.0.value()
    }

    pub fn is_static(&self) -> bool {
        self.0.is_static()
    }

    /// The finished value, or an error saying what is left.
    pub fn require(&self) -> Result<&Value, ExprError> {
        self.value().ok_or_else(|| ExprError::new(format!("expression should be static: {}", excerpt(self.text()))))
    }

    /// Expression text that compiles to the same.
    pub fn text(&self) -> String {
        print::text(&self.0)
    }

    /// Template text that compiles to the same, as text.
    pub fn template(&self) -> String {
        print::template(&self.0)
    }

    /// What is still mentioned, in the order of the text. [`outline`] has places, and names that folding removed.
    pub fn mentions(&self) -> Vec<Mentioned<'_>> {
        let mut found = Vec::new();
        collect(&self.0, &mut found);
        found
    }

    /// The variables still mentioned.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.mentions().into_iter().filter_map(|mentioned| match mentioned {
            Mentioned::Name(name) => Some(name),
            Mentioned::Function(_) => None,
        })
    }

    /// Whether this is a wildcard path and nothing else, such as `services.db.*.ip`.
    pub(crate) fn is_bare_wildcard(&self) -> bool {
        bare_wildcard(&self.0)
    }
}

impl<V: Into<Value>> From<V> for Expr {
    fn from(value: V) -> Self {
        Self(Node::Static(value.into()))
    }
}

/// Something a residual waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mentioned<'e> {
    Name(&'e str),
    Function(&'e str),
}

fn collect<'e>(node: &'e Node, found: &mut Vec<Mentioned<'e>>) {
    match node {
        Node::Static(_) => {}
        Node::Name(path) => found.push(Mentioned::Name(path)),
        Node::Tree(tree) => match &tree.kind {
            Kind::Property(base, _) => collect(base, found),
            Kind::Not(operand) => collect(operand, found),
            Kind::Binary(_, left, right) => {
                collect(left, found);
                collect(right, found);
            }
            Kind::Choice(condition, then, otherwise) => {
                for part in [condition, then, otherwise] {
                    collect(part, found);
                }
            }
            Kind::Call(callee, args) => {
                found.push(Mentioned::Function(match callee {
                    Callee::Standard(function) => function.name(),
                    Callee::Other(name) => name,
                }));
                args.iter().for_each(|arg| collect(&arg.node, found));
            }
        },
    }
}

fn bare_wildcard(node: &Node) -> bool {
    match node.kind() {
        Some(Kind::Property(base, _)) => bare_wildcard(base),
        Some(Kind::Call(Callee::Standard(functions::Function::Wildcard), args)) => match &**args {
            [Arg { node: list, spread: false }, Arg { node: Node::Static(Value::Str(path)), spread: false }] => {
                path.starts_with(parse::ELEMENT) && (matches!(list, Node::Name(_)) || bare_wildcard(list))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Enough of a text for a message.
pub(crate) fn excerpt(mut text: String) -> String {
    const ENOUGH: usize = 200;
    if text.len() > ENOUGH {
        text.truncate(text.floor_char_boundary(ENOUGH));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
