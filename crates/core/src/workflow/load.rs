//! From files to documents.

use std::sync::Arc;

use super::document::{Document, DocumentKind, Documents};
use super::near::nearest;
use super::shape;
use super::table::{self, Object, Shape};
use super::text;
use crate::source::{Diagnostic, Kind, Limits, Node, Path, Scalars, Sources, parse};

/// How far a check goes. Each layer supposes that the ones before found no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// YAML and the envelopes of documents.
    Decode,
    /// Types, required and unknown fields, words, bounds.
    Shape,
    /// Every template and expression compiles.
    Text,
}

/// How files are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The last layer that is checked.
    pub upto: Layer,
    /// Let a document of a known kind pass without `apiVersion`.
    pub lenient: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self { upto: Layer::Text, lenient: false }
    }
}

/// Reads all documents of the files. Those with an error are left out of the result.
pub fn load(sources: &Sources, reading: Reading) -> (Documents, Vec<Diagnostic>) {
    let (mut documents, mut found) = (Documents::default(), Vec::new());
    for (index, file) in sources.files().enumerate() {
        let parsed = parse(index as u32, &file.text, Scalars::Kubernetes, Limits::default());
        documents.broken.extend(parsed.diagnostics.iter().filter(|found| found.is_error()).map(|_| None));
        found.extend(parsed.diagnostics);
        for root in parsed.documents {
            let (document, mut diagnostics) = read(root, file.name.clone(), sources, reading);
            let sound = !diagnostics.iter().any(Diagnostic::is_error);
            found.append(&mut diagnostics);
            match document {
                Some(document) if sound => documents.push(document),
                Some(document) => documents.broken.push(Some((document.kind, document.name))),
                None if sound => {}
                None => documents.broken.push(None),
            }
        }
    }
    (documents, found)
}

fn read(root: Node, file: Arc<str>, sources: &Sources, reading: Reading) -> (Option<Document>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    if root.is_null() {
        return (None, found);
    }
    let Some(kind) = envelope(&root, reading, &mut found) else { return (None, found) };
    let document = document(kind, root, file, sources, &mut found);
    if found.iter().any(Diagnostic::is_error) || reading.upto == Layer::Decode {
        return (Some(document), found);
    }
    let Some(object) = kind.object() else { return (Some(document), found) };
    found.extend(shape::check(object, &document.spec, &mut Path::new("spec"), document.is_template(), sources));
    let mut document = document;
    if !found.iter().any(Diagnostic::is_error) {
        prune(&mut document.spec, object);
        if reading.upto >= Layer::Text {
            found.extend(text::check(object, &document.spec, &mut Path::new("spec"), sources));
        }
    }
    (Some(document), found)
}

/// The kind of a document, if it is one that is read.
fn envelope(root: &Node, reading: Reading, found: &mut Vec<Diagnostic>) -> Option<DocumentKind> {
    if root.as_map().is_none() {
        let message =
            format!("a document must be a map with `apiVersion`, `kind`, `metadata` and `spec`, found {}", root.noun());
        found.push(Diagnostic::error("wrong-type", message).at(root.span));
        return None;
    }
    let word = root.get("kind");
    let version = root.get("apiVersion");
    let Some(kind) = word.and_then(Node::as_str).and_then(DocumentKind::from_word) else {
        let Some(word) = word else {
            let message = "the document says no `kind`";
            let finding = Diagnostic::error("missing-field", message).at(first(root)).path("kind");
            found
                .push(finding.help(
                    "a workflow starts with `apiVersion: testworkflows.testkube.io/v1` and `kind: TestWorkflow`",
                ));
            return None;
        };
        let ours = version.is_some_and(group_is_ours);
        if ours || word.as_str().is_none() {
            let said = word.scalar_text().unwrap_or_default();
            let finding =
                Diagnostic::error("unknown-kind", format!("there is no kind `{said}`")).at(word.span).path("kind");
            found.push(match nearest(&said, DocumentKind::ALL.map(DocumentKind::word)) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
        return None;
    };
    let wanted = kind.api_version();
    let plain = matches!(kind, DocumentKind::Secret | DocumentKind::ConfigMap);
    match version {
        Some(version) if version.as_str() == Some(wanted) => {}
        _ if plain => return None,
        None if reading.lenient => {}
        None => {
            let finding = Diagnostic::error("missing-field", "the document says no `apiVersion`").at(first(root));
            found.push(finding.path("apiVersion").help(format!("write `apiVersion: {wanted}`")));
        }
        // Other projects have kinds of these names too; nobody else has workflows of tests.
        Some(version) if !kind.word().starts_with("TestWorkflow") && !group_is_ours(version) => return None,
        Some(version) => {
            let message = format!("`{}` has another `apiVersion`", kind.word());
            let finding = Diagnostic::error("unknown-kind", message).at(version.span).path("apiVersion");
            found.push(finding.help(format!("write `apiVersion: {wanted}`")));
        }
    }
    Some(kind)
}

fn group_is_ours(version: &Node) -> bool {
    version.as_str().is_some_and(|version| version.contains("testkube.io/"))
}

fn first(root: &Node) -> crate::source::Span {
    root.entries().first().map_or(root.span, |(key, _)| key.span)
}

const TOP: [&str; 6] = ["apiVersion", "kind", "metadata", "description", "spec", "status"];

fn document(
    kind: DocumentKind,
    mut root: Node,
    file: Arc<str>,
    sources: &Sources,
    found: &mut Vec<Diagnostic>,
) -> Document {
    let plain = kind.object().is_none();
    let described = matches!(kind, DocumentKind::Workflow | DocumentKind::Template);
    for (key, _) in root.entries() {
        let known = TOP.contains(&&*key.text) && (described || &*key.text != "description");
        if !plain && !known {
            let finding = Diagnostic::error("unknown-field", format!("a document has no field `{}`", key.text))
                .at(key.span)
                .path(&*key.text);
            found.push(match (table::SPEC.field(key), nearest(key, TOP)) {
                (Some(_), _) => finding.help("write it under `spec`"),
                (None, Some(near)) => finding.help(format!("did you mean `{near}`?")),
                (None, None) => finding,
            });
        }
    }
    if let Some(description) = root.get("description").filter(|node| described && node.as_str().is_none()) {
        let message = format!("`description` must be text, found {}", description.noun());
        let finding = Diagnostic::error("wrong-type", message).at(description.span).path("description");
        found.push(finding.help("quote it"));
    }
    let metadata = root.get("metadata").cloned().unwrap_or_default();
    if metadata.is_null() {
        found.push(no_name(&root, first(&root)));
    } else {
        found.extend(shape::check(&table::METADATA, &metadata, &mut Path::new("metadata"), false, sources));
        if metadata.as_map().is_some() && metadata.get("name").is_none() && metadata.get("generateName").is_none() {
            found.push(no_name(&root, metadata.span));
        }
    }
    let name = metadata.get("name").or_else(|| metadata.get("generateName"));
    let pairs = |key: &str| {
        let entries = metadata.get_entries(key).iter();
        entries.filter_map(|(key, node)| Some((key.text.clone(), node.scalar_text()?))).collect()
    };
    let spec = if plain { None } else { Some(root.take("spec")) };
    if let Some(None) = spec {
        let finding = Diagnostic::error("missing-field", "the document has no `spec`").at(first(&root)).path("spec");
        found.push(finding);
    }
    Document {
        kind,
        name: name.and_then(Node::scalar_text).unwrap_or_default(),
        labels: pairs("labels"),
        annotations: pairs("annotations"),
        description: root.get("description").and_then(Node::scalar_text),
        name_span: name.map_or(crate::source::Span::NOWHERE, |node| node.span),
        spec: match spec {
            Some(spec) => spec.unwrap_or_else(|| Node::from(Kind::Map(Vec::new()))),
            None => root,
        },
        file,
    }
}

fn no_name(root: &Node, span: crate::source::Span) -> Diagnostic {
    let span = root.key("metadata").map_or(span, |key| key.span);
    Diagnostic::error("missing-field", "the document has no name")
        .at(span)
        .path("metadata.name")
        .help("write `metadata: {name: …}`")
}

/// Takes out what is `null`, which means absent, except in free values, where it is a value.
pub fn prune(node: &mut Node, object: &'static Object) {
    let Some(map) = node.as_map_mut() else { return };
    map.retain(|(_, value)| !value.is_null());
    for (key, value) in map {
        if let Some(field) = object.field(&key.text) {
            prune_shape(value, &field.shape);
        }
    }
}

fn prune_shape(node: &mut Node, shape: &Shape) {
    match (shape, &mut node.kind) {
        (Shape::Object(object) | Shape::TextOr(object), Kind::Map(_)) => prune(node, object),
        (Shape::List(item), Kind::List(items)) => items.iter_mut().for_each(|node| prune_shape(node, item)),
        (Shape::Map(Shape::DynamicList | Shape::Free), _) => {}
        (Shape::Map(value), Kind::Map(map)) => {
            map.retain(|(_, node)| !node.is_null());
            for (_, node) in map {
                prune_shape(node, value);
            }
        }
        _ => {}
    }
}
