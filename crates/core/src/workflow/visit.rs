//! Walking a document by the table, read-only: every known field, and every text with what it is.

use super::table::{Field, FieldKind, Object, Shape};
use crate::source::{Key, Kind, Node, Path, Span};

/// Calls for every known field of an object and of the objects below it, in document order.
pub fn each_field(
    object: &'static Object,
    node: &Node,
    path: &mut Path,
    visit: &mut dyn FnMut(&Path, &'static Object, &'static Field, &Key, &Node),
) {
    for (key, value) in node.entries() {
        let Some(field) = object.field(key) else { continue };
        if value.is_null() {
            continue;
        }
        let mark = path.key(key);
        visit(path, object, field, key, value);
        below(&field.shape, value, path, visit);
        path.leave(mark);
    }
}

fn below(
    shape: &Shape,
    node: &Node,
    path: &mut Path,
    visit: &mut dyn FnMut(&Path, &'static Object, &'static Field, &Key, &Node),
) {
    match shape {
        Shape::Object(object) | Shape::TextOr(object) => each_field(object, node, path, visit),
        Shape::List(item) => {
            for (index, node) in node.items().iter().enumerate() {
                let mark = path.index(index);
                below(item, node, path, visit);
                path.leave(mark);
            }
        }
        Shape::Map(value) => {
            for (key, node) in node.entries() {
                let mark = path.key(key);
                below(value, node, path, visit);
                path.leave(mark);
            }
        }
        _ => {}
    }
}

/// Calls for an object and every known object below it, in document order, an outer one before an inner one.
pub fn each_object<'n>(
    object: &'static Object,
    node: &'n Node,
    path: &mut Path,
    visit: &mut dyn FnMut(&Path, &'static Object, &'n Node),
) {
    visit(path, object, node);
    for (key, value) in node.entries() {
        if let Some(field) = object.field(key) {
            let mark = path.key(key);
            objects_below(&field.shape, value, path, visit);
            path.leave(mark);
        }
    }
}

fn objects_below<'n>(
    shape: &Shape,
    node: &'n Node,
    path: &mut Path,
    visit: &mut dyn FnMut(&Path, &'static Object, &'n Node),
) {
    match shape {
        Shape::Object(object) | Shape::TextOr(object) if node.as_map().is_some() => {
            each_object(object, node, path, visit);
        }
        Shape::List(item) => {
            for (index, node) in node.items().iter().enumerate() {
                let mark = path.index(index);
                objects_below(item, node, path, visit);
                path.leave(mark);
            }
        }
        Shape::Map(value) => {
            for (key, node) in node.entries() {
                let mark = path.key(key);
                objects_below(value, node, path, visit);
                path.leave(mark);
            }
        }
        _ => {}
    }
}

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    Literal,
    Template,
    Expression,
}

/// A text of a document.
#[derive(Clone, Copy, Debug)]
pub struct Text<'n> {
    pub kind: TextKind,
    pub text: &'n str,
    pub span: Span,
    /// The field it is in, at whatever depth.
    pub field: &'static Field,
    /// The object that has the field.
    pub object: &'static Object,
    /// It is the key of a map.
    pub is_key: bool,
}

/// Calls for every text of an object, keys of free maps included, in document order.
pub fn each_text<'n>(object: &'static Object, node: &'n Node, path: &mut Path, visit: &mut dyn FnMut(&Path, Text<'n>)) {
    for (key, value) in node.entries() {
        let Some(field) = object.field(key) else { continue };
        let mark = path.key(key);
        let mut walk = Walk { object, field, path, visit };
        walk.shape(&field.shape, value);
        path.leave(mark);
    }
}

struct Walk<'w, 'n> {
    object: &'static Object,
    field: &'static Field,
    path: &'w mut Path,
    visit: &'w mut dyn FnMut(&Path, Text<'n>),
}

impl<'n> Walk<'_, 'n> {
    fn say(&mut self, kind: TextKind, text: &'n str, span: Span, is_key: bool) {
        let Self { object, field, .. } = *self;
        (self.visit)(self.path, Text { kind, text, span, field, object, is_key });
    }

    fn kind(&self) -> TextKind {
        match self.field.kind {
            FieldKind::Literal => TextKind::Literal,
            FieldKind::Template | FieldKind::Forced => TextKind::Template,
            FieldKind::Expression => TextKind::Expression,
        }
    }

    fn shape(&mut self, shape: &Shape, node: &'n Node) {
        match (shape, &node.kind) {
            (Shape::DynamicList, Kind::List(_)) => self.forced(node),
            (Shape::DynamicList, Kind::Str(text)) => self.say(TextKind::Expression, text, node.span, false),
            (Shape::DynamicList, _) => {}
            (Shape::Map(value), Kind::Map(map)) => {
                for (key, node) in map {
                    let kind = if self.field.keys || self.field.kind == FieldKind::Forced {
                        TextKind::Template
                    } else {
                        TextKind::Literal
                    };
                    self.say(kind, &key.text, key.span, true);
                    let mark = self.path.key(key);
                    self.shape(value, node);
                    self.path.leave(mark);
                }
            }
            (Shape::List(item), Kind::List(items)) => {
                for (index, node) in items.iter().enumerate() {
                    let mark = self.path.index(index);
                    self.shape(item, node);
                    self.path.leave(mark);
                }
            }
            (Shape::Object(_) | Shape::Free, _) if self.field.kind == FieldKind::Forced => self.forced(node),
            (Shape::Object(object) | Shape::TextOr(object), Kind::Map(_)) => {
                each_text(object, node, self.path, self.visit);
            }
            (_, Kind::Str(text)) => self.say(self.kind(), text, node.span, false),
            _ => {}
        }
    }

    fn forced(&mut self, node: &'n Node) {
        match &node.kind {
            Kind::Str(text) => self.say(TextKind::Template, text, node.span, false),
            Kind::List(items) => {
                for (index, node) in items.iter().enumerate() {
                    let mark = self.path.index(index);
                    self.forced(node);
                    self.path.leave(mark);
                }
            }
            Kind::Map(map) => {
                for (key, node) in map {
                    self.say(TextKind::Template, &key.text, key.span, true);
                    let mark = self.path.key(key);
                    self.forced(node);
                    self.path.leave(mark);
                }
            }
            _ => {}
        }
    }
}
