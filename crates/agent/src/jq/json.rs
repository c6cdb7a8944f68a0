//! The values a query works on, meaning what they mean in gojq: sorted keys, whole numbers without a fraction, `null`
//! wherever something is missing, and paths that come into being when something is assigned to them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::val::{Range, ValR, ValX};
use jaq_core::{Error, Exn};
use testudo_core::expr::{Map, Value};

pub(super) type Object = BTreeMap<Rc<str>, Json>;
type Failure = Error<Json>;

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

    fn expected(self, wanted: &'static str) -> Failure {
        Error::typ(self, wanted)
    }

    fn slice_bounds(range: &Range<&Self>, length: usize) -> Result<(usize, usize), Failure> {
        let clamp = |x: f64, least: usize| {
            let x = if x < 0.0 { x + length as f64 } else { x };
            (x.max(0.0) as usize).clamp(least, length.max(least))
        };
        let bound = |bound: Option<&Self>| match bound {
            None | Some(Self::Null) => Ok(None),
            Some(x) => x.to_f64().map(Some).ok_or_else(|| x.clone().expected("number")),
        };
        let start = bound(range.start)?.map_or(0, |x| clamp(x.floor(), 0));
        let end = bound(range.end)?.map_or(length.max(start), |x| clamp(x.ceil(), start));
        Ok((start, end))
    }

    /// The slice an index such as `{"start": 1, "end": null}` stands for.
    fn slice_of(index: &Object) -> Result<Range<&Json>, Failure> {
        match (index.get("start"), index.get("end")) {
            (Some(start), Some(end)) => Ok(Some(start)..Some(end)),
            _ => Err(Self::Object(Rc::new(index.clone())).expected("slice with start and end")),
        }
    }

    fn items_mut(list: &mut Rc<Vec<Json>>) -> &mut Vec<Json> {
        Rc::make_mut(list)
    }
}

fn position(index: i64, length: usize) -> Option<usize> {
    usize::try_from(if index < 0 { index + length as i64 } else { index }).ok()
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

impl jaq_core::ValT for Json {
    fn from_num(n: &str) -> ValR<Self> {
        match (n.parse(), n.parse()) {
            (Ok(n), _) => Ok(Self::Int(n)),
            (_, Ok(x)) => Ok(Self::number(x)),
            _ => Err(Error::str(format_args!("{n} is no number"))),
        }
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(entries: I) -> ValR<Self> {
        let entries = entries.into_iter().map(|(key, value)| match key {
            Self::Text(key) => Ok((key, value)),
            other => Err(other.expected("object key")),
        });
        Ok(Self::Object(Rc::new(entries.collect::<Result<_, _>>()?)))
    }

    fn key_values(self) -> BoxIter<'static, ValR<(Self, Self), Self>> {
        match self {
            Self::List(items) => {
                let items = Rc::unwrap_or_clone(items).into_iter().enumerate();
                Box::new(items.map(|(index, item)| Ok((index.into(), item))))
            }
            Self::Object(entries) => {
                Box::new(Rc::unwrap_or_clone(entries).into_iter().map(|(key, value)| Ok((Self::Text(key), value))))
            }
            other => box_once(Err(other.expected("iterable (array or object)"))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        Box::new(self.key_values().map(|entry| entry.map(|(_, value)| value)))
    }

    fn index(self, index: &Self) -> ValR<Self> {
        match (self, index) {
            (Self::Null, Self::Text(_) | Self::Int(_) | Self::Float(_) | Self::List(_) | Self::Object(_)) => {
                Ok(Self::Null)
            }
            (Self::Object(entries), Self::Text(key)) => Ok(entries.get(key).cloned().unwrap_or_default()),
            (Self::List(items), Self::Int(_) | Self::Float(_)) => {
                let found = index.to_index().and_then(|index| position(index, items.len()));
                Ok(found.and_then(|found| items.get(found).cloned()).unwrap_or_default())
            }
            (Self::Text(text), Self::Int(_) | Self::Float(_)) => {
                let found = index.to_index().and_then(|index| position(index, text.chars().count()));
                let found = found.and_then(|found| text.chars().nth(found));
                Ok(found.map_or(Self::Null, |c| Self::text(c.encode_utf8(&mut [0; 4]))))
            }
            (Self::List(items), Self::List(part)) => Ok(super::functions::indices(&items, part)),
            (this @ (Self::List(_) | Self::Text(_)), Self::Object(slice)) => this.range(Self::slice_of(slice)?),
            (this, index) => Err(Error::index(this, index.clone())),
        }
    }

    fn range(self, range: Range<&Self>) -> ValR<Self> {
        match self {
            Self::Null => Ok(Self::Null),
            Self::List(items) => {
                let (start, end) = Self::slice_bounds(&range, items.len())?;
                Ok(items[start..end].iter().cloned().collect())
            }
            Self::Text(text) => {
                let (start, end) = Self::slice_bounds(&range, text.chars().count())?;
                Ok(text.chars().skip(start).take(end - start).collect::<String>().into())
            }
            other => Err(other.expected("rangeable (array or string)")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a, Self> {
        match self {
            Self::List(items) => {
                let items = Rc::unwrap_or_clone(items).into_iter();
                items.filter_map(|item| f(item).next()).collect()
            }
            Self::Object(entries) => {
                let entries = Rc::unwrap_or_clone(entries).into_iter();
                let entries = entries.filter_map(|(key, value)| Some(f(value).next()?.map(|value| (key, value))));
                Ok(Self::Object(Rc::new(entries.collect::<Result<_, Exn<'_, _>>>()?)))
            }
            other => opt.fail(other, |other| other.expected("iterable (array or object)").into()),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match (self, index) {
            (this @ (Self::Null | Self::List(_)), Self::Object(slice)) => {
                this.map_range(Self::slice_of(slice).map_err(Exn::from)?, opt, f)
            }
            (Self::Null, Self::Text(key)) => match f(Self::Null).next().transpose()? {
                Some(value) => Ok(Self::Object(Rc::new(Object::from([(key.clone(), value)])))),
                None => Ok(Self::Null),
            },
            (Self::Object(mut entries), Self::Text(key)) => {
                let old = entries.get(key).cloned().unwrap_or_default();
                match f(old).next().transpose()? {
                    Some(value) => Rc::make_mut(&mut entries).insert(key.clone(), value),
                    None => Rc::make_mut(&mut entries).remove(key),
                };
                Ok(Self::Object(entries))
            }
            (this @ (Self::Null | Self::List(_)), Self::Int(_) | Self::Float(_)) => {
                let mut items = match this {
                    Self::List(items) => items,
                    _ => Rc::default(),
                };
                // As much as a list may have in the language; the helper's memory would end long before gojq's limit.
                let found = index.to_index().and_then(|index| position(index, items.len()));
                let Some(found) = found.filter(|found| *found <= super::engine::MAX_OUTPUTS) else {
                    let error = Error::str(format_args!("index {index} out of bounds"));
                    return opt.fail(Self::List(items), |_| error.into());
                };
                let old = items.get(found).cloned().unwrap_or_default();
                match f(old).next().transpose()? {
                    Some(value) => {
                        let items = Self::items_mut(&mut items);
                        items.resize(items.len().max(found + 1), Self::Null);
                        items[found] = value;
                    }
                    None if found < items.len() => _ = Self::items_mut(&mut items).remove(found),
                    None => {}
                }
                Ok(Self::List(items))
            }
            (this, index) => opt.fail(this, |this| Error::index(this, index.clone()).into()),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let mut items = match self {
            Self::Null => Rc::default(),
            Self::List(items) => items,
            other => return opt.fail(other, |other| other.expected("array").into()),
        };
        let (start, end) = Self::slice_bounds(&range, items.len()).map_err(Exn::from)?;
        let new = match f(items[start..end].iter().cloned().collect()).next().transpose()? {
            Some(Self::List(new)) => Rc::unwrap_or_clone(new),
            Some(other) => return Err(other.expected("array").into()),
            None => Vec::new(),
        };
        Self::items_mut(&mut items).splice(start..end, new);
        Ok(Self::List(items))
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        match self {
            Self::Text(_) => self,
            other => other.to_json_text().into(),
        }
    }
}

impl jaq_std::ValT for Json {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Self::List(items) => Ok(Rc::unwrap_or_clone(items).into_iter().collect()),
            other => Err(other),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Int(_))
    }

    fn as_isize(&self) -> Option<isize> {
        match self {
            Self::Int(n) => isize::try_from(*n).ok(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        self.to_f64()
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    fn as_sub_str(&self, part: &[u8]) -> Self {
        String::from_utf8_lossy(part).into_owned().into()
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        String::from_utf8_lossy(bytes.as_ref()).into_owned().into()
    }
}
