//! What operators make of two finished values.

use std::cmp::Ordering;

use super::ExprError;
use super::limits::MAX_TEXT;
use super::node::Op;
use super::value::Value;

/// Every operator but `&&` and `||`, which return an operand and are the resolver's matter.
pub(crate) fn compute(op: Op, left: &Value, right: &Value) -> Result<Value, ExprError> {
    match op {
        Op::Equal | Op::EqualTwice => Ok(Value::Bool(same_text(left, right))),
        Op::Differs | Op::DiffersAngled => Ok(Value::Bool(!same_text(left, right))),
        Op::Greater => ordered(left, right, Ordering::is_gt),
        Op::GreaterEqual => ordered(left, right, Ordering::is_ge),
        Op::Less => ordered(left, right, Ordering::is_lt),
        Op::LessEqual => ordered(left, right, Ordering::is_le),
        Op::Add if matches!(left, Value::Str(_)) || matches!(right, Value::Str(_)) => concatenated(left, right),
        Op::Add => arithmetic(left, right, |a, b| Ok(a + b)),
        Op::Subtract => arithmetic(left, right, |a, b| Ok(a - b)),
        Op::Multiply => arithmetic(left, right, |a, b| Ok(a * b)),
        Op::Divide => arithmetic(left, right, |a, b| match b {
            0.0 => Err(ExprError::new("cannot divide by zero")),
            _ => Ok(a / b),
        }),
        Op::Remainder => arithmetic(left, right, |a, b| match b {
            0.0 => Err(ExprError::new("cannot modulo by zero")),
            _ => Ok(a % b),
        }),
        Op::Power => arithmetic(left, right, |a, b| Ok(a.powf(b))),
        Op::And | Op::Or => Ok(if left.bool_form() == (op == Op::And) { right.clone() } else { left.clone() }),
    }
}

fn same_text(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        _ => left.string_form() == right.string_form(),
    }
}

fn ordered(left: &Value, right: &Value, holds: fn(Ordering) -> bool) -> Result<Value, ExprError> {
    let order = match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        _ => left.number_form()?.partial_cmp(&right.number_form()?),
    };
    Ok(Value::Bool(order.is_some_and(holds)))
}

fn arithmetic(
    left: &Value,
    right: &Value,
    operation: fn(f64, f64) -> Result<f64, ExprError>,
) -> Result<Value, ExprError> {
    let result = operation(left.number_form()?, right.number_form()?)?;
    if result.is_finite() { Ok(Value::Float(result)) } else { Err(ExprError::new("result is not a finite number")) }
}

fn concatenated(left: &Value, right: &Value) -> Result<Value, ExprError> {
    let (left, right) = (left.string_form(), right.string_form());
    if left.len() + right.len() > MAX_TEXT {
        return Err(ExprError::new(format!("text is too long (more than {MAX_TEXT} bytes)")));
    }
    Ok(Value::from([left, right].concat()))
}
