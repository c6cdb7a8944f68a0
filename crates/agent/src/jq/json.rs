//! The values a query works on, meaning what they mean in gojq: sorted keys, whole numbers without a fraction, `null`
//! wherever something is missing, and paths that come into being when something is assigned to them.

mod access;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use jaq_core::val::Range;
use testudo_core::expr::{Map, Value};

pub(super) type Object = BTreeMap<Rc<str>, Json>;
/// A number that is whole and small enough is always an `Int`.
#[derive(Clone, Debug, Default)]
pub(super) enum Json {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(Rc<Vec<Json>>),
    Object(Rc<Object>),
}

impl Json {
    pub(super) fn number(x: f64) -> Self {
        // Beyond 2^53 not every integer is a float, so a float there is no integer.
        if x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0 { Self::Int(x as i64) } else { Self::Float(x) }
    }

    pub(super) fn list(items: Vec<Json>) -> Self {
        Self::List(Rc::new(items))
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Float(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Object(_) => "object",
        }
    }

    pub(super) fn to_f64(&self) -> Option<f64> {
        match self {
            Self::Int(n) => Some(*n as f64),
            Self::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// An index as gojq reads one: cut off toward zero.
    pub(super) fn to_index(&self) -> Option<i64> {
        self.to_f64().map(|x| x as i64)
    }

    /// Compact JSON. Unlike in the language around it, no character is escaped that need not be.
    pub(super) fn to_json_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) => out.push_str(&self.to_value().string_form()),
            Self::Text(text) => out.push_str(&serde_json::Value::from(&**text).to_string()),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(&serde_json::Value::from(&**key).to_string());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    pub(super) fn from_value(value: &Value) -> Self {
        match value {
            Value::None | Value::Nil => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(n) => Self::Int(*n),
            Value::Float(x) => Self::number(*x),
            Value::Str(text) => Self::text(text),
            Value::List(items) => items.iter().map(Self::from_value).collect(),
            Value::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| ((&**key).into(), Self::from_value(value)));
                Self::Object(Rc::new(entries.collect()))
            }
        }
    }

    /// What is no number becomes null, infinities the largest number.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Nil,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(n) => Value::Int(*n),
            Self::Float(x) if x.is_nan() => Value::Nil,
            Self::Float(x) => Value::Float(x.clamp(f64::MIN, f64::MAX)),
            Self::Text(text) => Value::from(&**text),
            Self::List(items) => items.iter().map(Self::to_value).collect(),
            Self::Object(entries) => {
                Value::from(entries.iter().map(|(key, value)| ((&**key).into(), value.to_value())).collect::<Map>())
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_json_text())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        let nan = |value: &Self| matches!(value, Self::Float(x) if x.is_nan());
        self.cmp(other).is_eq() && !nan(self)
    }
}

impl Eq for Json {}

#[expect(clippy::non_canonical_partial_ord_impl, reason = "comparing and sorting differ in jq where numbers are none")]
impl PartialOrd for Json {
    /// As in jq, what is no number is less than every number and than itself.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Float(x), Self::Float(y)) if x.is_nan() && y.is_nan() => Some(Ordering::Less),
            _ => Some(self.cmp(other)),
        }
    }
}

impl Ord for Json {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |value: &Self| match value {
            Self::Null => 0,
            Self::Bool(truth) => 1 + i32::from(*truth),
            Self::Int(_) | Self::Float(_) => 3,
            Self::Text(_) => 4,
            Self::List(_) => 5,
            Self::Object(_) => 6,
        };
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Object(a), Self::Object(b)) => a.keys().cmp(b.keys()).then_with(|| a.values().cmp(b.values())),
            _ => match (self.to_f64(), other.to_f64()) {
                (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())),
                _ => rank(self).cmp(&rank(other)),
            },
        }
    }
}

impl From<bool> for Json {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<isize> for Json {
    fn from(n: isize) -> Self {
        Self::Int(n as i64)
    }
}

impl From<usize> for Json {
    fn from(n: usize) -> Self {
        Self::Int(n as i64)
    }
}

impl From<f64> for Json {
    fn from(x: f64) -> Self {
        Self::number(x)
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Range<Self>> for Json {
    fn from(range: Range<Self>) -> Self {
        let bounds = [("start", range.start), ("end", range.end)];
        Self::Object(Rc::new(bounds.into_iter().map(|(key, bound)| (key.into(), bound.unwrap_or_default())).collect()))
    }
}

impl FromIterator<Self> for Json {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::list(items.into_iter().collect())
    }
}
