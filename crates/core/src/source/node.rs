//! The spanned, ordered tree that stands for a YAML document all the way to the plan.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Span;

/// A value somebody wrote, with its place. Equality looks at values only, never at places.
#[derive(Clone)]
pub struct Node {
    pub span: Span,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    List(Vec<Node>),
    Map(Map),
}

/// Entries in the order they were written.
pub type Map = Vec<(Key, Node)>;

/// A key of a map: always text, as written.
#[derive(Clone)]
pub struct Key {
    pub text: Arc<str>,
    pub span: Span,
}

impl Key {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), span: Span::NOWHERE }
    }

    pub fn at(text: impl Into<Arc<str>>, span: Span) -> Self {
        Self { text: text.into(), span }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl std::ops::Deref for Key {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Null => f.write_str("null"),
            Kind::Bool(v) => fmt::Debug::fmt(v, f),
            Kind::Int(v) => fmt::Debug::fmt(v, f),
            Kind::Float(v) => fmt::Debug::fmt(v, f),
            Kind::Str(v) => fmt::Debug::fmt(&**v, f),
            Kind::List(items) => f.debug_list().entries(items).finish(),
            Kind::Map(map) => f.debug_map().entries(map.iter().map(|(k, v)| (k, v))).finish(),
        }
    }
}

impl Node {
    pub fn new(span: Span, kind: Kind) -> Self {
        Self { span, kind }
    }

    pub fn null() -> Self {
        Self::from(Kind::Null)
    }

    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::from(Kind::Str(text.into()))
    }

    pub fn list(items: impl IntoIterator<Item = Node>) -> Self {
        Self::from(Kind::List(items.into_iter().collect()))
    }

    pub fn map<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Node)>) -> Self {
        Self::from(Kind::Map(entries.into_iter().map(|(key, node)| (Key::new(key), node)).collect()))
    }

    /// The same place, another value.
    #[must_use]
    pub fn with(&self, kind: Kind) -> Self {
        Self { span: self.span, kind }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Kind::Str(text) = &self.kind { Some(text) } else { None }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Kind::Bool(value) = self.kind { Some(value) } else { None }
    }

    pub fn as_int(&self) -> Option<i64> {
        if let Kind::Int(value) = self.kind { Some(value) } else { None }
    }

    pub fn as_list(&self) -> Option<&[Node]> {
        if let Kind::List(items) = &self.kind { Some(items) } else { None }
    }

    pub fn as_map(&self) -> Option<&Map> {
        if let Kind::Map(map) = &self.kind { Some(map) } else { None }
    }

    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        if let Kind::Map(map) = &mut self.kind { Some(map) } else { None }
    }

    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Node>> {
        if let Kind::List(items) = &mut self.kind { Some(items) } else { None }
    }

    /// The items of a list; of anything else none.
    pub fn items(&self) -> &[Node] {
        self.as_list().unwrap_or(&[])
    }

    /// The entries of a map; of anything else none.
    pub fn entries(&self) -> &[(Key, Node)] {
        self.as_map().map_or(&[], Vec::as_slice)
    }

    /// A scalar as text: texts as they are, numbers and booleans printed.
    pub fn scalar_text(&self) -> Option<Arc<str>> {
        match &self.kind {
            Kind::Str(text) => Some(text.clone()),
            Kind::Int(value) => Some(value.to_string().into()),
            Kind::Float(value) => Some(value.to_string().into()),
            Kind::Bool(value) => Some(value.to_string().into()),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// What stands under a key of a map. `null` counts as absent.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.raw(key).filter(|node| !node.is_null())
    }

    /// What stands under a key of a map, `null` included.
    pub fn raw(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| &*k.text == key).map(|(_, node)| node)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.as_map_mut()?.iter_mut().find(|(k, node)| &*k.text == key && !node.is_null()).map(|(_, node)| node)
    }

    /// The key itself, for pointing at it.
    pub fn key(&self, key: &str) -> Option<&Key> {
        self.entries().iter().find(|(k, _)| &*k.text == key).map(|(k, _)| k)
    }

    pub fn get_str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::as_str)
    }

    pub fn get_bool(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Node::as_bool)
    }

    pub fn get_int(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Node::as_int)
    }

    /// The items of the list under a key; none if there is no such list.
    pub fn get_items(&self, key: &str) -> &[Node] {
        self.get(key).map_or(&[], Node::items)
    }

    /// The entries of the map under a key; none if there is no such map.
    pub fn get_entries(&self, key: &str) -> &[(Key, Node)] {
        self.get(key).map_or(&[], Node::entries)
    }

    /// A descendant by a dotted path whose numbers index lists: `spec.steps.0.shell`.
    pub fn find(&self, path: &str) -> Option<&Node> {
        path.split('.').filter(|part| !part.is_empty()).try_fold(self, |node, part| match &node.kind {
            Kind::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => node.get(part),
        })
    }

    /// Puts a value under a key: in place if the key is there, else at the end. Makes a map of anything else.
    pub fn set(&mut self, key: &str, node: Node) {
        if !matches!(self.kind, Kind::Map(_)) {
            self.kind = Kind::Map(Map::new());
        }
        let Kind::Map(map) = &mut self.kind else { return };
        match map.iter_mut().find(|(k, _)| &*k.text == key) {
            Some((_, old)) => *old = node,
            None => map.push((Key::new(key), node)),
        }
    }

    /// Takes an entry out of a map; `null` counts as absent but is taken out as well.
    pub fn take(&mut self, key: &str) -> Option<Node> {
        let map = self.as_map_mut()?;
        let at = map.iter().position(|(k, _)| &*k.text == key)?;
        Some(map.remove(at).1).filter(|node| !node.is_null())
    }

    /// The node and all below it, in document order.
    pub fn walk(&self, visit: &mut dyn FnMut(&Node)) {
        visit(self);
        match &self.kind {
            Kind::List(items) => items.iter().for_each(|node| node.walk(visit)),
            Kind::Map(map) => map.iter().for_each(|(_, node)| node.walk(visit)),
            _ => {}
        }
    }

    /// What kind of value this is, for messages: `a list`, `text`, ….
    pub fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::Str(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::null()
    }
}

impl From<Kind> for Node {
    fn from(kind: Kind) -> Self {
        Self { span: Span::NOWHERE, kind }
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Kind::Bool(value).into()
    }
}

impl From<i64> for Node {
    fn from(value: i64) -> Self {
        Kind::Int(value).into()
    }
}

impl From<f64> for Node {
    fn from(value: f64) -> Self {
        Kind::Float(value).into()
    }
}

impl From<&str> for Node {
    fn from(value: &str) -> Self {
        Self::text(value)
    }
}

impl From<String> for Node {
    fn from(value: String) -> Self {
        Self::text(value)
    }
}
