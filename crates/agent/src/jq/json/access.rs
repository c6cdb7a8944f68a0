//! How a query reaches into values, and changes what it finds there.

use std::rc::Rc;

use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::val::{Range, ValR, ValX};
use jaq_core::{Error, Exn};

use super::{Json, Object};
use crate::jq::{engine, functions};

type Failure = Error<Json>;

impl Json {
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
            (Self::List(items), Self::List(part)) => Ok(functions::indices(&items, part)),
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
                let Some(found) = found.filter(|found| *found <= engine::MAX_OUTPUTS) else {
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
