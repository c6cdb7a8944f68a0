//! The text check: every template and expression compiles, and calls only functions that exist.

use super::near::nearest;
use super::table::Object;
use super::visit::{Text, TextKind, each_text};
use crate::expr::{ExprError, Outline, compile, compile_template, outline, outline_template};
use crate::source::{Diagnostic, Node, Path, Sources};

/// Functions an author may call, the standard ones and those that stages supply.
pub const FUNCTIONS: &[&str] = &[
    "_wc",
    "abspath",
    "any",
    "at",
    "bool",
    "ceil",
    "chunk",
    "credential",
    "date",
    "entries",
    "eval",
    "execution",
    "file",
    "filter",
    "float",
    "floor",
    "glob",
    "int",
    "join",
    "jq",
    "json",
    "len",
    "list",
    "makepath",
    "map",
    "range",
    "read_artifact",
    "relpath",
    "round",
    "secret",
    "shellparse",
    "shellquote",
    "split",
    "string",
    "tojson",
    "toyaml",
    "trim",
    "yaml",
];

/// All findings about the texts of a value.
pub(super) fn check(object: &'static Object, node: &Node, path: &mut Path, sources: &Sources) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    each_text(object, node, path, &mut |path, text| {
        let before = found.len();
        one(&text, sources, &mut found);
        for finding in &mut found[before..] {
            path.as_str().clone_into(&mut finding.path);
        }
    });
    found
}

fn one(text: &Text, sources: &Sources, found: &mut Vec<Diagnostic>) {
    let outlined = match text.kind {
        TextKind::Literal => return,
        TextKind::Template if !text.text.contains("{{") => return,
        TextKind::Template => compile_template(text.text).and_then(|_| outline_template(text.text)),
        TextKind::Expression => compile(text.text).and_then(|_| outline(text.text)),
    };
    match outlined {
        Ok(outline) => unknown_functions(&outline, text, sources, found),
        Err(error) => found.push(broken(&error, text, sources)),
    }
}

fn broken(error: &ExprError, text: &Text, sources: &Sources) -> Diagnostic {
    let span = match &error.at {
        Some(at) => sources.inside(text.span, text.text, at),
        None => text.span,
    };
    let finding = Diagnostic::error("expression", &error.message).at(span);
    if text.kind == TextKind::Expression && text.text.trim_start().starts_with("{{") {
        let inner = text.text.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
        return finding.help(format!("the whole text is an expression here, without braces: `{inner}`"));
    }
    if text.field.name == "content" {
        return finding.help("if the braces belong to the file, write `{{ \"{{\" }}` for each `{{`");
    }
    match error.at.as_ref().and_then(|at| text.text.get(at.start..)).and_then(quote_advice) {
        Some(help) => finding.help(help),
        None if text.kind == TextKind::Template => {
            finding.help("if the braces belong to another tool, write `{{ \"{{\" }}` for each `{{`")
        }
        None => finding,
    }
}

/// A quote that opens a text and is never closed is mostly one too many.
fn quote_advice(rest: &str) -> Option<String> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = rest[1..].split([quote, ')', '}', '\n']).next().unwrap_or("").trim();
    Some(if inner.is_empty() || inner.len() > 20 {
        format!("the text that starts here is never closed: end it with `{quote}`")
    } else {
        format!("the text that starts here is never closed: write {quote}{inner}{quote} instead of {quote}{inner}")
    })
}

fn unknown_functions(outline: &Outline, text: &Text, sources: &Sources, found: &mut Vec<Diagnostic>) {
    for call in &outline.calls {
        if FUNCTIONS.contains(&call.name.as_str()) {
            continue;
        }
        let span = sources.inside(text.span, text.text, &call.at);
        let finding = Diagnostic::error("unknown-function", format!("there is no function `{}`", call.name)).at(span);
        found.push(match nearest(&call.name, FUNCTIONS.iter().copied()) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding,
        });
    }
}
