//! Settings that are only carried to a cluster, made final: every text evaluated, numbers as numbers.
//!
//! What they mean is the cluster's business; that nothing in them waits for a run is ours.

use crate::{
    expr::{self, Expr, ExprError, Finalizer, Scope, Value},
    resolve::{Pass, apply},
    source::{Diagnostic, Kind, Map, Node, Path},
    workflow::table::{self, Object, Rule, Shape},
};

/// Whether a text that is not final is a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// Everything that will ever be known is known.
    Final,
    /// A look ahead: what is missing may come.
    Draft,
}

impl Certainty {
    fn finalizer(self) -> Finalizer<'static> {
        match self {
            Certainty::Final => Finalizer::Fail,
            Certainty::Draft => Finalizer::Preserve,
        }
    }
}

/// Fields of a container that only a platform with containers can carry out, the image aside.
pub(super) const CARRIED: &[&str] = &["imagePullPolicy", "resources", "securityContext", "volumeMounts"];

/// A level's container with its carried fields settled. They stay template text, as the others.
pub(super) fn container(node: &Node, certainty: Certainty, path: &str) -> Result<Node, Vec<Diagnostic>> {
    let mut settled = node.clone();
    let carried = |key: &str| matches!(key, "image" | "envFrom") || CARRIED.contains(&key);
    let mut only = node.with(Kind::Map(node.entries().iter().filter(|(key, _)| carried(key)).cloned().collect()));
    // Values are the agent's to evaluate; where values come from is the cluster's to know.
    let from = |entry: &Node| only_of(entry, &["valueFrom"]);
    only.set("env", Node::list(node.get_items("env").iter().map(from).collect::<Vec<_>>()));
    let pass = Pass { finalizer: certainty.finalizer(), path, ..Pass::default() };
    let mut only = finished(&only, &table::CONTAINER, pass)?;
    only.take("env");
    for (key, value) in only.entries() {
        settled.set(key, value.clone());
    }
    Ok(settled)
}

/// Says what of a level's content waits for a run although a pod is made with it: its volumes, and where contents and
/// credentials stand.
pub(super) fn content(node: &Node, certainty: Certainty, path: &str) -> Result<(), Vec<Diagnostic>> {
    let each = |field: &str, kept: &[&str]| Node::list(node.get_items(field).iter().map(|one| only_of(one, kept)));
    let mut only = Node::map([("files", each("files", &["contentFrom"])), ("tarball", each("tarball", &["path"]))]);
    if let Some(git) = node.get("git") {
        only.set("git", only_of(git, &["mountPath", "usernameFrom", "tokenFrom", "sshKeyFrom"]));
    }
    let pass = Pass { finalizer: certainty.finalizer(), path, ..Pass::default() };
    apply(&only, &table::CONTENT, &[], pass).map(|_| ())
}

/// Some fields of a map.
fn only_of(node: &Node, fields: &[&str]) -> Node {
    node.with(Kind::Map(node.entries().iter().filter(|(key, _)| fields.contains(&&**key)).cloned().collect()))
}

/// A part of a spec (`pod`, `job`, `pvcs`) with everything in it final, and plain.
pub(super) fn part(node: &Node, field: &str, certainty: Certainty, path: &str) -> Result<Node, Vec<Diagnostic>> {
    let holder = Node::map([(field, node.clone())]);
    let pass = Pass { finalizer: certainty.finalizer(), plain: true, path, ..Pass::default() };
    let mut holder = finished(&holder, &table::SPEC, pass)?;
    Ok(holder.take(field).unwrap_or_default())
}

fn finished(node: &Node, object: &'static Object, pass: Pass<'_>) -> Result<Node, Vec<Diagnostic>> {
    let (mut node, found) = match apply(node, object, &[], pass) {
        Ok(node) => (node, Vec::new()),
        Err(found) => (node.clone(), found),
    };
    let mut numbers = Numbers { path: Path::new(pass.path), found };
    numbers.object(&mut node, object);
    if numbers.found.is_empty() { Ok(node) } else { Err(numbers.found) }
}

/// Container settings as a cluster takes them: plain, in an order of their own, without what says nothing.
pub(super) fn plain_container(node: &Node) -> Node {
    let pass = Pass { plain: true, ..Pass::default() };
    // Everything that could go wrong has been looked at level by level.
    let mut plain = apply(node, &table::CONTAINER, &[], pass).unwrap_or_else(|_| node.clone());
    for kind in ["requests", "limits"] {
        let amounts = plain.get_mut("resources").and_then(|resources| resources.get_mut(kind));
        for (_, amount) in amounts.and_then(Node::as_map_mut).into_iter().flatten() {
            // `cpu: 2` and `cpu: "2"` are one thing.
            if let Some(text) = amount.scalar_text() {
                *amount = amount.with(Kind::Str(text));
            }
        }
    }
    canonical(&plain).unwrap_or_else(|| Node::map::<&str>([]))
}

/// Keys in order, nothing empty.
fn canonical(node: &Node) -> Option<Node> {
    match &node.kind {
        Kind::Null => None,
        Kind::Map(map) => {
            let mut kept: Map = map.iter().filter_map(|(key, node)| Some((key.clone(), canonical(node)?))).collect();
            kept.sort_by(|(one, _), (other, _)| one.text.cmp(&other.text));
            (!kept.is_empty()).then(|| node.with(Kind::Map(kept)))
        }
        Kind::List(items) => {
            let kept: Vec<Node> = items.iter().filter_map(canonical).collect();
            (!kept.is_empty()).then(|| node.with(Kind::List(kept)))
        }
        Kind::Str(text) if text.is_empty() => None,
        _ => Some(node.clone()),
    }
}

/// A text that a pod is made with.
pub(super) fn text(template: &str, certainty: Certainty) -> Result<String, ExprError> {
    let known = expr::compile_template(template)?.finish(&[], certainty.finalizer())?;
    Ok(known.value().map_or_else(|| known.template(), |value| value.string_form().into_owned()))
}

/// Turns final texts into the numbers that they stand for, where the table or Kubernetes wants one.
struct Numbers {
    path: Path,
    found: Vec<Diagnostic>,
}

impl Numbers {
    fn object(&mut self, node: &mut Node, object: &'static Object) {
        for (key, value) in node.as_map_mut().into_iter().flatten() {
            let Some(field) = object.field(key) else { continue };
            let mark = self.path.key(key);
            match field.rule {
                Rule::Number => self.number(value),
                _ => self.shape(value, &field.shape),
            }
            self.path.leave(mark);
        }
    }

    fn shape(&mut self, node: &mut Node, shape: &'static Shape) {
        match shape {
            Shape::Object(object) => self.object(node, object),
            Shape::List(item) => {
                for (index, node) in node.as_list_mut().into_iter().flatten().enumerate() {
                    let mark = self.path.index(index);
                    self.shape(node, item);
                    self.path.leave(mark);
                }
            }
            Shape::Map(value) => {
                for (key, node) in node.as_map_mut().into_iter().flatten() {
                    let mark = self.path.key(key);
                    self.shape(node, value);
                    self.path.leave(mark);
                }
            }
            Shape::Free => free(node),
            _ => {}
        }
    }

    fn number(&mut self, node: &mut Node) {
        let Some(text) = node.as_str().filter(|text| !text.contains("{{")) else { return };
        if let Ok(number) = text.trim().parse() {
            node.kind = Kind::Int(number);
        } else {
            let message = format!("`{text}` is no whole number");
            self.found.push(Diagnostic::error("not-a-number", message).at(node.span).path(self.path.as_str()));
        }
    }
}

/// The parts that the table does not look into, by Kubernetes' own names.
fn free(node: &mut Node) {
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(free),
        Kind::Map(map) => {
            for (key, value) in map {
                let text = value.as_str().unwrap_or_default();
                if table::FREE_NUMBERS.contains(&&**key) {
                    value.kind = text.parse().map_or_else(|_| value.kind.clone(), Kind::Int);
                } else if table::FREE_FLAGS.contains(&&**key) {
                    value.kind = text.parse().map_or_else(|_| value.kind.clone(), Kind::Bool);
                } else {
                    free(value);
                }
            }
        }
        _ => {}
    }
}

/// `pvcs.<key>.name`: claims are named before there are any.
pub(super) struct Claims<'a> {
    pub(super) pvcs: &'a Node,
    pub(super) name: &'a dyn Fn(&str) -> String,
}

impl Scope for Claims<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        let key = name.strip_prefix("pvcs.").and_then(|rest| rest.strip_suffix(".name"));
        let known = key.filter(|key| self.pvcs.get(key).is_some());
        Ok(known.map(|key| Value::from((self.name)(key)).into()))
    }

    fn call(&self, _: &str, _: &[Value]) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }
}
