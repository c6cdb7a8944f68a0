//! What an expression amounts to, and the five ways to look at it: as text, truth, number, list and map.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{ExprError, json, number};

pub type Map = BTreeMap<Arc<str>, Value>;

/// A finished value. Cloning costs a reference count at most.
///
/// `None` is the literal `null` and whatever is missing; `Nil` is a null found inside data. They print alike in
/// JSON and differ in every other form.
#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    None,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    List(Arc<[Value]>),
    Map(Arc<Map>),
}

impl Value {
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(items.into())
    }

    /// The value as text, the way templates insert it.
    pub fn string_form(&self) -> Cow<'_, str> {
        match self {
            Self::None => Cow::Borrowed(""),
            Self::Nil => Cow::Borrowed("null"),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Str(text) => Cow::Borrowed(text),
            Self::Int(_) | Self::Float(_) | Self::List(_) | Self::Map(_) => {
                let mut out = String::new();
                self.write_string_form(&mut out);
                Cow::Owned(out)
            }
        }
    }

    /// The string form as shared text, without a copy when it is text already.
    pub fn shared_text(&self) -> Arc<str> {
        match self {
            Self::Str(text) => Arc::clone(text),
            other => other.string_form().into(),
        }
    }

    pub fn write_string_form(&self, out: &mut String) {
        match self {
            Self::None => {}
            Self::Nil => out.push_str("null"),
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Int(n) => number::write_int(out, *n),
            Self::Float(x) => number::write_float(out, *x),
            Self::Str(text) => out.push_str(text),
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_string_form(out);
                }
            }
            Self::Map(_) => json::write(out, self),
        }
    }

    /// Truth: empty, none, `"false"`, `"0"` and `"off"` are false, and nothing can fail.
    pub fn bool_form(&self) -> bool {
        match self {
            Self::None | Self::Nil => false,
            Self::Bool(truth) => *truth,
            Self::Int(n) => *n != 0,
            Self::Float(x) => *x != 0.0,
            Self::Str(text) => !matches!(&**text, "" | "false" | "0" | "off"),
            Self::List(items) => !items.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
        }
    }

    pub fn number_form(&self) -> Result<f64, ExprError> {
        match self {
            Self::None => Ok(0.0),
            Self::Int(n) => Ok(*n as f64),
            Self::Float(x) => Ok(*x),
            Self::Str(text) => number::parse(text).ok_or_else(|| self.not_a_number()),
            Self::List(_) => number::parse(&self.string_form()).ok_or_else(|| self.not_a_number()),
            Self::Nil | Self::Bool(_) | Self::Map(_) => Err(self.not_a_number()),
        }
    }

    /// The number form, cut off toward zero. Text that is an integer keeps all its digits.
    pub fn int_form(&self) -> Result<i64, ExprError> {
        match self {
            Self::Int(n) => Ok(*n),
            Self::Str(text) if text.parse::<i64>().is_ok() => text.parse().map_err(|_| self.not_a_number()),
            _ => {
                let number = self.number_form()?;
                number::to_int(number.trunc()).ok_or_else(|| {
                    ExprError::new(format!(
                        "error while converting value to number: {} does not fit an integer",
                        self.excerpt()
                    ))
                })
            }
        }
    }

    pub fn list_form(&self) -> Result<Arc<[Value]>, ExprError> {
        match self {
            Self::None => Ok(Arc::default()),
            Self::List(items) => Ok(Arc::clone(items)),
            _ => Err(ExprError::new(format!("error while converting value to list: {} is not one", self.excerpt()))),
        }
    }

    pub fn map_form(&self) -> Result<Arc<Map>, ExprError> {
        match self {
            Self::None => Ok(Arc::default()),
            Self::Map(entries) => Ok(Arc::clone(entries)),
            Self::List(items) => {
                let numbered = items.iter().enumerate().map(|(index, item)| (index.to_string().into(), item.clone()));
                Ok(Arc::new(numbered.collect()))
            }
            _ => Err(ExprError::new(format!("error while converting value to map: {} is not one", self.excerpt()))),
        }
    }

    /// Compact JSON with sorted keys, as `tojson` and residual text have it.
    pub fn to_json_text(&self) -> String {
        let mut out = String::new();
        json::write(&mut out, self);
        out
    }

    /// The value a JSON text stands for. A null is nil.
    pub fn from_json_text(text: &str) -> Result<Self, ExprError> {
        json::read(text)
            .map_err(|error| ExprError::new(format!("invalid JSON at index {}: {}", error.at, error.reason)))
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A map of these values.
    pub fn map<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(Arc::new(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }

    /// JSON text short enough for a message.
    pub(crate) fn excerpt(&self) -> String {
        super::excerpt(self.to_json_text())
    }

    fn not_a_number(&self) -> ExprError {
        ExprError::new(format!("error while converting value to number: {} is not one", self.excerpt()))
    }
}

/// Numbers are equal by value, whichever way they are kept; all else is equal in kind and content.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) | (Self::Nil, Self::Nil) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            // As floats: the shortest text of a large float is the integer next to it.
            (Self::Int(a), Self::Float(b)) | (Self::Float(b), Self::Int(a)) => *a as f64 == *b,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::Str(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Float(x)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::list(items)
    }
}

impl From<Map> for Value {
    fn from(entries: Map) -> Self {
        Self::Map(Arc::new(entries))
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None | Self::Nil => to.serialize_unit(),
            Self::Bool(truth) => to.serialize_bool(*truth),
            Self::Int(n) => to.serialize_i64(*n),
            // Integral floats have no fraction in our JSON either.
            Self::Float(x) => match number::to_int(*x) {
                Some(n) if x.fract() == 0.0 => to.serialize_i64(n),
                _ if x.is_finite() => to.serialize_f64(*x),
                _ => to.serialize_unit(),
            },
            Self::Str(text) => to.serialize_str(text),
            Self::List(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                for item in &**items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, value) in &**entries {
                    map.serialize_entry(&**key, value)?;
                }
                map.end()
            }
        }
    }
}

/// A null read from data is nil: the literal none has no place in a document.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Natural)
    }
}

struct Natural;

impl<'de> Visitor<'de> for Natural {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Value, E> {
        Ok(i64::try_from(n).map_or(Value::Float(n as f64), Value::Int))
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Value, E> {
        Ok(Value::Float(x))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or(0).min(4096));
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::list(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, value)) = entries.next_entry::<Cow<'de, str>, Value>()? {
            map.insert(key.into(), value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_nested_list_flattens_when_it_becomes_text() {
        assert_eq!(read(r#"[1,["a",[2]]]"#).string_form(), "1,a,2");
    }

    #[test]
    fn only_a_few_words_are_false() {
        for falsy in ["", "false", "0", "off"] {
            assert!(!Value::from(falsy).bool_form(), "{falsy:?}");
        }
        for truthy in ["False", "no", "null", " ", "0.0", "00"] {
            assert!(Value::from(truthy).bool_form(), "{truthy:?}");
        }
        assert!(!Value::Nil.bool_form());
    }

    #[test]
    fn negative_zero_is_zero_in_every_form() {
        let zero = Value::Float(-0.0);
        assert_eq!(zero.string_form(), "0");
        assert_eq!(zero.to_json_text(), "0");
        assert!(!zero.bool_form());
    }

    #[test]
    fn an_integer_as_text_keeps_all_its_digits() {
        assert_eq!(Value::from("9007199254740993").int_form().unwrap(), 9_007_199_254_740_993);
        assert_eq!(Value::from("-3.9").int_form().unwrap(), -3);
        assert!(Value::Float(1e300).int_form().is_err());
    }

    #[test]
    fn integral_json_numbers_stay_exact() {
        assert_eq!(read("9007199254740993").string_form(), "9007199254740993");
        assert_eq!(serde_json::to_string(&read("[1,2.5,3.0,null]")).unwrap(), "[1,2.5,3,null]");
    }
}
