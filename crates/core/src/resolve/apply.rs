//! The walk that puts known values into a tree, driven by the table of fields.

use crate::expr::{Expr, ExprError, Finalizer, Scope, Value, compile, compile_template, escape, resolve_list};
use crate::source::{Diagnostic, Key, Kind, Map, Node, Path, Span};
use crate::workflow::table::{Field, FieldKind, Object, Shape};

use super::hidden::Hidden;

/// How a walk treats what it finds.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// What becomes of names that no scope knows.
    pub finalizer: Finalizer<'a>,
    /// Write finished texts plainly instead of as template text for a later pass.
    pub plain: bool,
    /// Fields of the outermost object that are left alone.
    pub leave: &'a [&'a str],
    /// Where the walk starts, for the paths in messages.
    pub path: &'a str,
}

impl Default for Pass<'_> {
    fn default() -> Self {
        Self { finalizer: Finalizer::Preserve, plain: false, leave: &[], path: "" }
    }
}

/// Puts what the scopes know into every template and expression of an object, and gives all that went wrong.
///
/// Blocks with a strategy of their own bind `index`, `matrix.*`, `resource.*` and the like: inside nested ones
/// these names are left for the instance, except in the strategy itself, which is evaluated out here.
pub fn apply(
    node: &Node,
    object: &'static Object,
    scopes: &[&dyn Scope],
    pass: Pass<'_>,
) -> Result<Node, Vec<Diagnostic>> {
    let hidden: Vec<Hidden<'_>> = scopes.iter().map(|scope| Hidden::strategy(*scope)).collect();
    let hidden: Vec<&dyn Scope> = hidden.iter().map(|scope| scope as &dyn Scope).collect();
    let mut walk = Walk { scopes, hidden: &hidden, inside: false, pass, path: Path::new(pass.path), found: Vec::new() };
    let node = walk.object(object, node, true);
    if walk.found.is_empty() { Ok(node) } else { Err(walk.found) }
}

struct Walk<'w> {
    scopes: &'w [&'w dyn Scope],
    hidden: &'w [&'w dyn Scope],
    /// Inside a nested block, beside its strategy.
    inside: bool,
    pass: Pass<'w>,
    path: Path,
    found: Vec<Diagnostic>,
}

/// The fields that make an object a block with instances.
pub(crate) const STRATEGY: [&str; 4] = ["matrix", "shards", "count", "maxCount"];

impl Walk<'_> {
    fn scopes(&self) -> &[&dyn Scope] {
        if self.inside { self.hidden } else { self.scopes }
    }

    fn fail(&mut self, error: ExprError, span: Span) {
        self.found.push(Diagnostic::error("expression", error.message).at(span).path(self.path.as_str()));
    }

    fn object(&mut self, object: &'static Object, node: &Node, outermost: bool) -> Node {
        let Some(map) = node.as_map() else { return node.clone() };
        let block = !outermost && object.field("maxCount").is_some();
        let around = self.inside;
        let mut result = Map::with_capacity(map.len());
        for (key, value) in map {
            let known = object.field(&key.text);
            let left = outermost && self.pass.leave.contains(&&*key.text);
            let value = match known {
                Some(field) if !left && !value.is_null() => {
                    self.inside = around || block && !STRATEGY.contains(&field.name);
                    let mark = self.path.key(&key.text);
                    let value = self.shape(field, &field.shape, value);
                    self.path.leave(mark);
                    value
                }
                _ => value.clone(),
            };
            result.push((key.clone(), value));
        }
        self.inside = around;
        node.with(Kind::Map(result))
    }

    fn shape(&mut self, field: &'static Field, shape: &Shape, node: &Node) -> Node {
        match (shape, &node.kind) {
            (Shape::DynamicList, Kind::List(items)) => match self.forced_list(node, items) {
                list if list.items().is_empty() && !items.is_empty() => self.computed_empty(node),
                list => list,
            },
            (Shape::DynamicList, Kind::Str(text)) => self.dynamic(text, node),
            (Shape::DynamicList, _) => node.clone(),
            (Shape::Map(value), Kind::Map(map)) => {
                let keys = field.keys || field.kind == FieldKind::Forced;
                self.map(map, keys, node, |walk, node| walk.shape(field, value, node))
            }
            (Shape::List(Shape::Text), Kind::List(items)) if field.kind != FieldKind::Literal => {
                self.forced_list(node, items)
            }
            (Shape::List(item), Kind::List(items)) => {
                self.list(items, node, |walk, node| walk.shape(field, item, node))
            }
            (Shape::Object(_) | Shape::Free, _) if field.kind == FieldKind::Forced => self.forced(node),
            (Shape::Object(object) | Shape::TextOr(object), Kind::Map(_)) => self.object(object, node, false),
            (_, Kind::Str(text)) => match field.kind {
                FieldKind::Literal => node.clone(),
                FieldKind::Template | FieldKind::Forced => self.template(text, node),
                FieldKind::Expression => self.expression(text, node),
            },
            _ => node.clone(),
        }
    }

    fn list(&mut self, items: &[Node], node: &Node, mut each: impl FnMut(&mut Self, &Node) -> Node) -> Node {
        let mut result = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mark = self.path.index(index);
            result.push(each(self, item));
            self.path.leave(mark);
        }
        node.with(Kind::List(result))
    }

    fn map(&mut self, map: &Map, keys: bool, node: &Node, mut each: impl FnMut(&mut Self, &Node) -> Node) -> Node {
        let mut result = Map::with_capacity(map.len());
        for (key, value) in map {
            let mark = self.path.key(&key.text);
            let name = if keys { self.key(key) } else { key.clone() };
            let value = each(self, value);
            self.path.leave(mark);
            // A key that became equal to another takes its place.
            match result.iter_mut().find(|(known, _)| keys && *known == name) {
                Some((_, old)) => *old = value,
                None => result.push((name, value)),
            }
        }
        node.with(Kind::Map(result))
    }

    fn key(&mut self, key: &Key) -> Key {
        if !key.text.contains("{{") {
            return key.clone();
        }
        match self.evaluated(compile_template(&key.text)) {
            Ok(expr) => Key { text: self.text_of(&expr).into(), span: key.span },
            Err(error) => {
                self.fail(error, key.span);
                key.clone()
            }
        }
    }

    /// Every text below is a template.
    fn forced(&mut self, node: &Node) -> Node {
        match &node.kind {
            Kind::Str(text) => self.template(text, node),
            Kind::List(items) => self.forced_list(node, items),
            Kind::Map(map) => self.map(map, true, node, Self::forced),
            _ => node.clone(),
        }
    }

    /// Items that are one expression each may become several, or none.
    fn forced_list(&mut self, node: &Node, items: &[Node]) -> Node {
        let mut result = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mark = self.path.index(index);
            match item.as_str() {
                Some(text) if text.contains("{{") => match self.item(text) {
                    Ok(texts) => result.extend(texts.into_iter().map(|text| item.with(Kind::Str(text.into())))),
                    Err(error) => {
                        self.fail(error, item.span);
                        result.push(item.clone());
                    }
                },
                _ => result.push(self.forced(item)),
            }
            self.path.leave(mark);
        }
        node.with(Kind::List(result))
    }

    fn item(&self, text: &str) -> Result<Vec<String>, ExprError> {
        let mut texts = Vec::new();
        for item in resolve_list([text], self.scopes(), !self.pass.plain)? {
            if item.settled {
                texts.push(item.text);
            } else {
                // Only what is left after all scopes is for the finalizer to judge.
                let expr = self.evaluated(compile_template(&item.text))?;
                texts.push(self.text_of(&expr));
            }
        }
        Ok(texts)
    }

    fn evaluated(&self, compiled: Result<Expr, ExprError>) -> Result<Expr, ExprError> {
        compiled?.finish(self.scopes(), self.pass.finalizer)
    }

    fn text_of(&self, expr: &Expr) -> String {
        match expr.value() {
            Some(value) if self.pass.plain => value.string_form().into_owned(),
            _ => expr.template(),
        }
    }

    fn template(&mut self, text: &str, node: &Node) -> Node {
        if !text.contains("{{") {
            return node.clone();
        }
        match self.evaluated(compile_template(text)) {
            Ok(expr) => node.with(Kind::Str(self.text_of(&expr).into())),
            Err(error) => {
                self.fail(error, node.span);
                node.clone()
            }
        }
    }

    fn expression(&mut self, text: &str, node: &Node) -> Node {
        if text.trim().is_empty() {
            return node.clone();
        }
        match self.evaluated(compile(text)) {
            Ok(expr) => node.with(Kind::Str(expr.text().into())),
            Err(error) => {
                self.fail(error, node.span);
                node.clone()
            }
        }
    }

    /// A list that was looked for and came out empty. It stays an expression: to whoever counts instances, that is
    /// not the same as an empty list that somebody wrote.
    fn computed_empty(&self, node: &Node) -> Node {
        if self.pass.plain { node.with(Kind::List(Vec::new())) } else { node.with(Kind::Str("[]".into())) }
    }

    /// The expression of a dynamic list; one that turned out to be a list is written as one.
    fn dynamic(&mut self, text: &str, node: &Node) -> Node {
        if text.trim().is_empty() {
            return node.clone();
        }
        match self.evaluated(compile(text)) {
            Ok(expr) => match expr.value() {
                Some(Value::List(items)) if items.is_empty() => self.computed_empty(node),
                Some(Value::None | Value::Nil) if text.trim() != "null" => self.computed_empty(node),
                Some(Value::List(items)) => {
                    let plain = self.pass.plain;
                    node.with(Kind::List(items.iter().map(|item| node_of(item, node.span, plain)).collect()))
                }
                _ => node.with(Kind::Str(expr.text().into())),
            },
            Err(error) => {
                self.fail(error, node.span);
                node.clone()
            }
        }
    }
}

/// A value as a tree; its texts as template text unless plain ones are wanted.
pub(crate) fn node_of(value: &Value, span: Span, plain: bool) -> Node {
    let text = |text: &str| if plain { text.into() } else { escape(text).into() };
    Node::new(
        span,
        match value {
            Value::None | Value::Nil => Kind::Null,
            Value::Bool(value) => Kind::Bool(*value),
            Value::Int(value) => Kind::Int(*value),
            Value::Float(value) => Kind::Float(*value),
            Value::Str(value) => Kind::Str(text(value)),
            Value::List(items) => Kind::List(items.iter().map(|item| node_of(item, span, plain)).collect()),
            Value::Map(map) => Kind::Map(
                map.iter().map(|(key, value)| (Key::at(text(key), span), node_of(value, span, plain))).collect(),
            ),
        },
    )
}
