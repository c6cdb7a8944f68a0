//! From a tree to a type, through serde, with the place of whatever does not fit.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::{Diagnostic, Key, Kind, Node, Span};

/// Why a tree is not a value of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", if path.is_empty() { message.clone() } else { format!("{path}: {message}") })]
pub struct DecodeError {
    pub message: String,
    pub path: String,
    pub at: Option<Span>,
}

impl DecodeError {
    fn under(mut self, segment: &str, span: Span) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{segment}{dot}{}", self.path);
        self.at = self.at.or(span.known());
        self
    }

    fn here(mut self, span: Span) -> Self {
        self.at = self.at.or(span.known());
        self
    }

    pub fn diagnostic(&self) -> Diagnostic {
        let mut diagnostic = Diagnostic::error("shape", &self.message).path(&self.path);
        diagnostic.at = self.at;
        diagnostic
    }
}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), path: String::new(), at: None }
    }
}

impl Node {
    /// Reads the tree as a typed value.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        T::deserialize(self)
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Int(value) => match u64::try_from(*value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_i64(*value),
            },
            Kind::Float(value) => visitor.visit_f64(*value),
            Kind::Str(value) => visitor.visit_borrowed_str(value),
            Kind::List(items) => visitor.visit_seq(List { items: items.iter().enumerate() }),
            Kind::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        }
        .map_err(|error| error.here(self.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.kind {
            Kind::Str(text) => visitor.visit_enum(StrDeserializer::new(text)),
            Kind::Map(entries) if entries.len() == 1 => {
                visitor.visit_enum(Tagged { key: &entries[0].0, node: &entries[0].1 })
            }
            _ => Err(DecodeError::custom(format!("expected text or a map with one key, found {}", self.noun()))),
        }
        .map_err(|error: DecodeError| error.here(self.span))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, DecodeError> for &'de Node {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

struct List<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|error| error.under(&format!("[{index}]"), node.span))
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, (Key, Node)>,
    value: Option<&'de (Key, Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        self.value = self.entries.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        let text = serde::de::value::BorrowedStrDeserializer::new(&key.text);
        seed.deserialize(text).map(Some).map_err(|error: DecodeError| error.here(key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let (key, node) = self.value.ok_or_else(|| DecodeError::custom("a value without a key"))?;
        seed.deserialize(node).map_err(|error| error.under(&key.text, node.span))
    }
}

struct Tagged<'de> {
    key: &'de Key,
    node: &'de Node,
}

impl<'de> EnumAccess<'de> for Tagged<'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), DecodeError> {
        let name = seed.deserialize(StrDeserializer::<DecodeError>::new(&self.key.text))?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Tagged<'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        if self.node.is_null() {
            Ok(())
        } else {
            Err(DecodeError::custom("expected nothing here").here(self.node.span))
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        seed.deserialize(self.node).map_err(|error| error.under(&self.key.text, self.node.span))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.node.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, DecodeError> {
        self.node.deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::source::{Scalars, parse_first};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Mode {
        Fast,
        Limited { to: u32 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Thing {
        name: Option<String>,
        ports: Vec<u16>,
        mode: Mode,
        extra: Node,
    }

    fn read(text: &str) -> Result<Thing, DecodeError> {
        parse_first(text, Scalars::Kubernetes).unwrap().decode()
    }

    #[test]
    fn a_tree_becomes_a_typed_value() {
        let thing = read("name: null\nports: [1, 2]\nmode: {limited: {to: 3}}\nextra: {a: [x]}\n").unwrap();
        let extra = Node::map([("a", Node::list([Node::text("x")]))]);
        assert_eq!(thing, Thing { name: None, ports: vec![1, 2], mode: Mode::Limited { to: 3 }, extra });
    }

    #[test]
    fn an_error_has_path_and_place() {
        let error = read("ports: [1, 70000]\nmode: fast\nextra: 1\n").unwrap_err();
        assert_eq!(error.path, "ports[1]");
        assert_eq!(error.at.map(|span| (span.start, span.end)), Some((11, 16)));
    }
}
