//! What a config value becomes by the type of its parameter.

use crate::expr::{Expr, ExprError, Value, compile};
use crate::source::Node;

/// The declared type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    Integer,
    Number,
    Boolean,
}

impl Type {
    /// The type a schema declares; text without one.
    pub fn of(schema: Option<&Node>) -> Self {
        match schema.and_then(|schema| schema.get_str("type")) {
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            _ => Self::Text,
        }
    }

    /// The value of a finished text.
    pub fn cast(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(text.into()),
            Self::Boolean => Ok(Value::Bool(!matches!(text, "" | "false" | "0" | "off"))),
            // What is a whole number stays exact.
            Self::Integer | Self::Number if text.parse::<i64>().is_ok() => {
                text.parse().map(Value::Int).map_err(|error| error.to_string())
            }
            Self::Integer => {
                let value = decimal(text, "int", "an integer")?.trunc();
                // The first power of two that does not fit, and a float to the bit.
                if value.abs() >= 2_f64.powi(63) {
                    return Err(format!("{text:?} does not fit 64 bits"));
                }
                Ok(Value::Int(value as i64))
            }
            Self::Number => Ok(Value::Float(decimal(text, "float", "a number")?)),
        }
    }

    /// The cast of something that is not known yet.
    pub(super) fn cast_later(self, expr: &Expr) -> Result<Expr, ExprError> {
        let function = match self {
            Self::Text => return Ok(expr.clone()),
            Self::Integer => "int",
            Self::Number => "float",
            Self::Boolean => "bool",
        };
        compile(&format!("{function}({})", expr.text()))
    }
}

/// Decimal floating point as Go reads it, without its words for infinity.
fn decimal(text: &str, function: &str, noun: &str) -> Result<f64, String> {
    let word = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if matches!(word.as_str(), "inf" | "infinity" | "nan") {
        return Err(format!("{text:?} is not {noun}"));
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!(
            "error while calling {function}({text:?}): error while converting value to number: {text:?} is not {noun}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_and_cut() {
        let int = |text| Type::Integer.cast(text);
        assert_eq!(int("9223372036854775807"), Ok(Value::Int(i64::MAX)));
        assert_eq!(int("7.9"), Ok(Value::Int(7)));
        assert_eq!(int("-7.9"), Ok(Value::Int(-7)));
        assert_eq!(int("1e3"), Ok(Value::Int(1000)));
        for bad in ["", " 5", "5 ", "0x10", "abc", "1_000", "Inf", "nan", "1e400", "1e30"] {
            assert!(int(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_keep_their_fraction_and_booleans_their_odd_words() {
        assert_eq!(Type::Number.cast("2.50"), Ok(Value::Float(2.5)));
        assert_eq!(Type::Number.cast("4"), Ok(Value::Int(4)));
        for (text, value) in
            [("", false), ("0", false), ("off", false), ("false", false), ("no", true), ("FALSE", true)]
        {
            assert_eq!(Type::Boolean.cast(text), Ok(Value::Bool(value)), "{text}");
        }
    }
}
