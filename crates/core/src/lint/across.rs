//! Rules that need the other documents of the same files.

use super::{Look, key_of};
use crate::source::{Diagnostic, Node, Span};
use crate::workflow::table::{EXECUTE_WORKFLOW, SERVICE, STEP};
use crate::workflow::{Document, DocumentKind};

pub(super) fn check(look: &mut Look) {
    for (path, object, node) in look.objects() {
        if object == &SERVICE {
            service_templates(look, node, &path);
        }
        if object == &STEP {
            step_template(look, node, &path);
        }
        if object == &EXECUTE_WORKFLOW {
            executed(look, node, &path);
        }
    }
    concurrency(look);
}

fn has_any(template: &Document, names: &[&str]) -> bool {
    let filled = |node: &Node| !node.items().is_empty() || !node.entries().is_empty();
    names.iter().any(|name| template.spec.get(name).is_some_and(filled))
}

fn service_templates(look: &mut Look, node: &Node, path: &str) {
    let service = path.rsplit('.').next().unwrap_or(path);
    for (index, reference) in node.get_items("use").iter().enumerate() {
        let Some(template) = reference.get_str("name").and_then(|name| look.documents.template(name)) else { continue };
        if has_any(template, &["setup", "steps", "after", "services"]) {
            let message =
                format!("services[{service}].use[{index}]: steps in template used for the service are not supported");
            look.error("service-template", message, reference.span, &format!("{path}.use[{index}]"));
        }
    }
}

fn step_template(look: &mut Look, node: &Node, path: &str) {
    let Some(reference) = node.get("template") else { return };
    let Some(name) = reference.get_str("name") else { return };
    if look.documents.template(name).is_some_and(|template| !has_any(template, &["setup", "steps", "after"])) {
        let message = format!("the template `{name}` has no steps, so it has no effect here");
        look.warn("template-without-steps", message, key_of(node, "template"), &format!("{path}.template")).help =
            Some(format!("merge it into the step: `use: [{{name: {name}}}]`"));
    }
}

fn executed(look: &mut Look, node: &Node, path: &str) {
    let Some(name) = node.get("name") else { return };
    let Some(text) = name.as_str().filter(|text| !text.is_empty() && !text.contains("{{")) else { return };
    let known = look.documents.workflow(text).is_some()
        || look.documents.broken.iter().any(|broken| broken.as_ref().is_none_or(|(_, name)| **name == *text));
    if !known {
        let message = format!("none of the given files has a workflow `{text}`");
        look.warn("unknown-workflow", message, name.span, &format!("{path}.name"));
    }
}

fn concurrency(look: &mut Look) {
    let spec = look.spec();
    let Some(own) = spec.get("concurrency") else { return };
    for reference in spec.get_items("use") {
        let Some(name) = reference.get_str("name") else { continue };
        let Some(below) = look.documents.template(name).and_then(|template| template.spec.get("concurrency")) else {
            continue;
        };
        let lost: Vec<String> = below
            .entries()
            .iter()
            .filter(|(key, _)| own.get(key).is_none())
            .map(|(key, _)| format!("`{}`", key.text))
            .collect();
        if !lost.is_empty() {
            let message = format!(
                "this replaces the `concurrency` of the template `{name}` as a whole, its {} too",
                lost.join(" and ")
            );
            look.warn("concurrency-replaced", message, key_of(spec, "concurrency"), "spec.concurrency");
        }
    }
}

/// A secret too short to be masked.
pub(super) fn secret(document: &Document, found: &mut Vec<Diagnostic>) {
    if document.kind != DocumentKind::Secret {
        return;
    }
    for (key, value) in document.values() {
        if value.len() < 3 {
            let message = "a value of fewer than 3 bytes cannot be masked in logs";
            let data = ["data", "stringData"].iter().find_map(|name| document.spec.get(name)?.key(&key));
            let span = data.map_or(Span::NOWHERE, |key| key.span);
            found.push(Diagnostic::warning("short-secret", message).at(span).path(format!("data.{key}")));
        }
    }
}
