//! A tree back into text. What is printed at one stage is parsed at the next, so it must mean the same there.

use super::functions::Function;
use super::json;
use super::node::{Arg, Callee, Kind, Node, Op, Sum, Type, type_of};
use super::value::Value;

/// Expression text.
pub(crate) fn text(node: &Node) -> String {
    let mut out = String::new();
    write(&mut out, node);
    out
}

/// Template text: literal parts escaped, residuals in braces.
pub(crate) fn template(node: &Node) -> String {
    let mut out = String::new();
    write_template(&mut out, node);
    out
}

fn write(out: &mut String, node: &Node) {
    let kind = match node {
        Node::Static(value) => return json::write(out, value),
        Node::Name(path) => return out.push_str(path),
        Node::Tree(tree) => &tree.kind,
    };
    match kind {
        Kind::Property(base, key) => {
            write_wrapped(out, base, cannot_take_property(base));
            out.push('.');
            out.push_str(key);
        }
        Kind::Call(callee, args) => write_call(out, callee, args),
        Kind::Not(operand) => {
            out.push('!');
            write_wrapped(out, operand, is_operation(operand) || is_negative(operand));
        }
        Kind::Binary(op, left, right) => {
            write_wrapped(out, left, left_needs_parentheses(*op, left));
            out.push_str(op.spelling());
            write_wrapped(out, right, right_needs_parentheses(*op, right));
        }
        Kind::Choice(condition, then, otherwise) => {
            write_wrapped(out, condition, matches!(condition.kind(), Some(Kind::Choice(..))));
            out.push_str(" ? ");
            write(out, then);
            out.push_str(" : ");
            write(out, otherwise);
        }
    }
}

fn write_wrapped(out: &mut String, node: &Node, wrapped: bool) {
    if wrapped {
        out.push('(');
    }
    write(out, node);
    if wrapped {
        out.push(')');
    }
}

fn write_call(out: &mut String, callee: &Callee, args: &[Arg]) {
    out.push_str(match callee {
        Callee::Standard(function) => function.name(),
        Callee::Other(name) => name,
    });
    out.push('(');
    for (index, Arg { node, spread }) in args.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_wrapped(out, node, *spread && !can_be_spread(node));
        if *spread {
            out.push_str("...");
        }
    }
    out.push(')');
}

fn is_operation(node: &Node) -> bool {
    matches!(node.kind(), Some(Kind::Binary(..) | Kind::Choice(..)))
}

fn is_negative(node: &Node) -> bool {
    match node {
        Node::Static(Value::Int(n)) => *n < 0,
        Node::Static(Value::Float(x)) => *x < 0.0,
        _ => false,
    }
}

fn cannot_take_property(base: &Node) -> bool {
    match base {
        Node::Static(value) => !matches!(value, Value::Str(_) | Value::List(_) | Value::Map(_)),
        _ => is_operation(base) || matches!(base.kind(), Some(Kind::Not(_))),
    }
}

fn can_be_spread(node: &Node) -> bool {
    match node {
        Node::Name(_) => true,
        Node::Static(value) => matches!(value, Value::Str(_) | Value::List(_) | Value::Map(_)),
        Node::Tree(tree) => match &tree.kind {
            Kind::Call(..) => true,
            // A path, whichever way it came about.
            Kind::Property(base, _) => can_be_spread(base) && !matches!(base.kind(), Some(Kind::Call(..))),
            _ => false,
        },
    }
}

fn left_needs_parentheses(op: Op, left: &Node) -> bool {
    operand_needs_parentheses(op, left) || op == Op::Power && is_negative(left)
}

/// Operators associate to the left, so a right operand of equal precedence is a group of its own.
fn right_needs_parentheses(op: Op, right: &Node) -> bool {
    let same_level = match right.kind() {
        Some(Kind::Binary(Op::And, ..)) if op == Op::And => false,
        Some(Kind::Binary(Op::Or, ..)) if op == Op::Or => false,
        Some(Kind::Binary(inner, ..)) => inner.precedence() == op.precedence(),
        _ => false,
    };
    same_level || operand_needs_parentheses(op, right) || op == Op::Power && is_negative(right)
}

fn operand_needs_parentheses(op: Op, operand: &Node) -> bool {
    match operand.kind() {
        Some(Kind::Choice(..)) => true,
        Some(Kind::Binary(inner, left, _)) => {
            let changes_type = || *inner == Op::Add && type_of(operand, Sum::Number) != type_of(left, Sum::Number);
            inner.precedence() < op.precedence() || changes_type()
        }
        _ => false,
    }
}

fn write_template(out: &mut String, node: &Node) {
    match node {
        Node::Static(value) => return write_escaped(out, &value.string_form()),
        Node::Name(_) => {}
        Node::Tree(tree) => match &tree.kind {
            Kind::Binary(Op::Add, left, right) if type_of(node, Sum::Open) == Type::Text => {
                write_template(out, left);
                return write_template(out, right);
            }
            Kind::Call(Callee::Standard(Function::String), args) if args.iter().all(|arg| !arg.spread) => {
                return args.iter().for_each(|arg| write_template(out, &arg.node));
            }
            _ => {}
        },
    }
    out.push_str("{{");
    write(out, node);
    out.push_str("}}");
}

/// Literal text as template text: every pair of braces and every lone one stands inside an expression of its own.
pub(crate) fn write_escaped(out: &mut String, text: &str) {
    let bytes = text.as_bytes();
    let mut done = 0;
    let mut pos = 0;
    while pos < bytes.len() {
        if bytes[pos] != b'{' {
            pos += 1;
            continue;
        }
        out.push_str(&text[done..pos]);
        let run = bytes[pos..].iter().take_while(|byte| **byte == b'{').count();
        for _ in 0..run / 2 {
            out.push_str(r#"{{"{{"}}"#);
        }
        if run % 2 == 1 {
            out.push_str(r#"{{"{"}}"#);
        }
        pos += run;
        done = pos;
    }
    out.push_str(&text[done..]);
}
