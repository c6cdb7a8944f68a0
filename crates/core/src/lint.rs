//! Rules on documents that are well formed: what would fail later, what does less than it says, what is not portable.
//!
//! Each finding has a stable code, and each code an explanation. Rules see one document at a time, except those that
//! need the others of the same files.

mod across;
mod config;
mod explain;
mod fields;
mod inherit;
mod schedule;
mod steps;
#[cfg(test)]
mod tests;
mod texts;

pub use explain::{codes, explain};

use crate::source::{Diagnostic, Key, Node, Path, Severity, Sources, Span};
use crate::workflow::table::Object;
use crate::workflow::{Document, DocumentKind, Documents};

/// What a lint depends on besides the documents.
#[derive(Clone, Copy, Default)]
pub struct LintOptions<'a> {
    /// What the reference does not know is an error.
    pub strict_testkube: bool,
    /// Who knows the time zones there are; without one only their form is checked.
    pub is_zone: Option<&'a dyn Fn(&str) -> bool>,
}

/// All findings of the rules, document by document.
pub fn lint(documents: &Documents, sources: &Sources, options: LintOptions<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for document in documents.iter() {
        let Some(object) = document.kind.object() else {
            across::secret(document, &mut found);
            continue;
        };
        let mut look = Look { document, documents, sources, options, object, found: Vec::new() };
        name(&mut look);
        fields::check(&mut look);
        texts::check(&mut look);
        if matches!(document.kind, DocumentKind::Workflow | DocumentKind::Template) {
            steps::check(&mut look);
            inherit::check(&mut look);
            config::check(&mut look);
            schedule::check(&mut look);
            across::check(&mut look);
        }
        found.append(&mut look.found);
    }
    found
}

/// One document under the rules.
struct Look<'l> {
    document: &'l Document,
    documents: &'l Documents,
    sources: &'l Sources,
    options: LintOptions<'l>,
    object: &'static Object,
    found: Vec<Diagnostic>,
}

impl<'l> Look<'l> {
    fn spec(&self) -> &'l Node {
        &self.document.spec
    }

    fn say(
        &mut self,
        severity: Severity,
        code: &str,
        message: impl Into<String>,
        at: Span,
        path: &str,
    ) -> &mut Diagnostic {
        self.found.push(Diagnostic::new(severity, code, message).at(at).path(path));
        self.found.last_mut().expect("it was pushed just now")
    }

    fn error(&mut self, code: &str, message: impl Into<String>, at: Span, path: &str) -> &mut Diagnostic {
        self.say(Severity::Error, code, message, at, path)
    }

    fn warn(&mut self, code: &str, message: impl Into<String>, at: Span, path: &str) -> &mut Diagnostic {
        self.say(Severity::Warning, code, message, at, path)
    }

    fn hint(&mut self, code: &str, message: impl Into<String>, at: Span, path: &str) -> &mut Diagnostic {
        self.say(Severity::Hint, code, message, at, path)
    }

    /// Every known object of the document with its path.
    fn objects(&self) -> Vec<(String, &'static Object, &'l Node)> {
        let mut all = Vec::new();
        crate::workflow::each_object(self.object, self.spec(), &mut Path::new("spec"), &mut |path, object, node| {
            all.push((path.to_string(), object, node));
        });
        all
    }
}

/// Where the key of a field stands, or else the object itself.
fn key_of(node: &Node, name: &str) -> Span {
    node.key(name).map_or(node.span, |key: &Key| key.span)
}

fn name(look: &mut Look) {
    let Document { name, name_span, .. } = look.document;
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let display = look.document.kind == DocumentKind::Template && name.contains('/');
    let fits = name.len() <= 253
        && name.bytes().all(|b| letter(b) || matches!(b, b'-' | b'.') || display && b == b'/')
        && name.bytes().next().is_some_and(letter)
        && name.bytes().last().is_some_and(letter);
    if !fits && name_span.known().is_some() && !name.ends_with('-') {
        let message = format!("a cluster refuses the name `{name}`");
        look.warn("object-name", message, *name_span, "metadata.name").help =
            Some("use lower-case letters, digits, `-` and `.`, at most 253".to_owned());
    }
}
