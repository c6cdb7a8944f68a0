//! Text with expressions in double braces.

use super::ExprError;
use super::functions::Function;
use super::node::{Arg, Callee, Node};
use super::parse::part;
use super::resolve::{Resolution, Work};
use super::scan::Until;
use super::value::Value;

/// A template as the concatenation of its parts, as far as they are known already.
pub(crate) fn compile(text: &str) -> Result<Node, ExprError> {
    let Some(first) = text.find("{{") else {
        return Ok(Node::Static(text.into()));
    };
    let work = Work::new();
    let mut parts: Vec<Arg> = Vec::new();
    let mut literal = String::new();
    let mut pos = first;
    literal.push_str(&text[..first]);
    loop {
        let (node, end) = part(text, pos + 2, Until::Braces, None)?;
        match node.map(|node| Resolution { scopes: &[], work: &work }.run(node)).transpose() {
            Ok(None) => {}
            Ok(Some(Node::Static(value))) => value.write_string_form(&mut literal),
            Ok(Some(residual)) => {
                push_literal(&mut parts, &mut literal);
                parts.push(residual.into());
            }
            Err(error) => {
                return Err(ExprError { at: Some(pos..end), ..error.within("expression error") });
            }
        }
        let next = text[end..].find("{{").map(|found| end + found);
        literal.push_str(&text[end..next.unwrap_or(text.len())]);
        match next {
            Some(next) => pos = next,
            None => break,
        }
    }
    if parts.is_empty() {
        return Ok(Node::Static(literal.into()));
    }
    push_literal(&mut parts, &mut literal);
    let whole = Node::call(Callee::Standard(Function::String), parts.into())?;
    Resolution { scopes: &[], work: &work }.run(whole)
}

fn push_literal(parts: &mut Vec<Arg>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(Node::Static(Value::from(std::mem::take(literal))).into());
    }
}
