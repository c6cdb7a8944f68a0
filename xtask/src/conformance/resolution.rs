//! Workflow, templates and config values to a resolved workflow, or to the phase that refuses them.

use std::sync::Arc;

use testudo_core::resolve::{Failure, Given, GlobalTemplate, Phase, Request, Resolved, SENSITIVE, resolve};
use testudo_core::source::{Kind, Node};
use testudo_core::workflow::{Document, DocumentKind, prune, table};

use super::{Case, Verdict, trees};

/// How the cases write the call that reads a sensitive value.
const THEIR_SENSITIVE: &str = "interSensitiveData";

pub(crate) fn check(case: &Case<'_>) -> Verdict {
    let case: Node = serde_json::from_str(case.line).map_err(|error| format!("  bad case: {error}"))?;
    let workflow = case.get("workflow").ok_or("  bad case: no workflow")?;
    let document = document(DocumentKind::Workflow, "", workflow);
    let templates: Vec<Document> = case
        .get_entries("templates")
        .iter()
        .map(|(name, template)| self::document(DocumentKind::Template, &name.text, template))
        .collect();
    let given = Given {
        values: case
            .get_entries("config")
            .iter()
            .filter_map(|(name, value)| Some((name.text.clone(), value.scalar_text()?)))
            .collect(),
        by_person: false,
    };
    let global = case.get("globalTemplate").map(|global| match global.as_str() {
        Some(name) => GlobalTemplate::Named(name.into()),
        None => GlobalTemplate::Inline(global.get("spec").unwrap_or(global).clone()),
    });
    let outcome = resolve(Request { global: global.as_ref(), ..Request::new(&document, &templates, &given) });
    // Where testudo differs knowingly, its own expectation stands beside the reference's.
    judge(case.get("testudo").unwrap_or(&case), outcome)
}

fn document(kind: DocumentKind, name: &str, node: &Node) -> Document {
    let mut spec = node.get("spec").unwrap_or(node).clone();
    prune(&mut spec, &table::SPEC);
    let name: Arc<str> =
        node.find("metadata.name").and_then(Node::scalar_text).filter(|_| name.is_empty()).unwrap_or(name.into());
    let mut document = Document::new(kind, name, spec);
    let labels = node.find("metadata.labels").map_or(&[][..], Node::entries);
    document.labels = labels.iter().filter_map(|(key, value)| Some((key.text.clone(), value.scalar_text()?))).collect();
    document
}

fn judge(wanted: &Node, outcome: Result<Resolved, Failure>) -> Verdict {
    match (wanted.get("expect"), wanted.get_str("phase"), outcome) {
        (Some(expect), _, Ok(resolved)) => {
            let mut spec = expect.get("spec").cloned().unwrap_or_default();
            let mut got = resolved.spec;
            let values: Vec<(String, Node)> =
                resolved.sensitive.iter().map(|kept| (kept.id.to_string(), Node::text(&*kept.value))).collect();
            let sensitive = Node::map(values);
            let none = Node::from(Kind::Map(Vec::new()));
            if !trees::same(expect.get("sensitive").unwrap_or(&none), &sensitive) {
                return Err(format!(
                    "  wanted sensitive {:?}\n  got              {sensitive:?}",
                    expect.get("sensitive")
                ));
            }
            translate(&mut spec);
            if trees::same(&spec, &got) {
                return Ok(());
            }
            trees::without_zeros(&mut spec);
            trees::without_zeros(&mut got);
            if trees::same(&spec, &got) {
                return Ok(());
            }
            Err(format!("  wanted {}\n  got    {}", trees::text(&spec), trees::text(&got)))
        }
        (None, Some(phase), Err(failure)) if phase_name(failure.phase) == phase.replace("fetch", "templates") => Ok(()),
        (_, _, outcome) => Err(format!(
            "  wanted {}\n  got    {}",
            trees::text(&wanted.get("expect").or(wanted.get("error")).cloned().unwrap_or_default()),
            match outcome {
                Ok(resolved) => trees::text(&resolved.spec),
                Err(failure) => format!("{:?} {:#?}", failure.phase, failure.diagnostics),
            }
        )),
    }
}

/// Fetching templates and merging them in are one phase to the cases.
fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Config => "config",
        Phase::Fetch | Phase::Templates => "templates",
        Phase::Identity => "identity",
    }
}

fn translate(node: &mut Node) {
    match &mut node.kind {
        Kind::Str(text) => *text = text.replace(THEIR_SENSITIVE, SENSITIVE).into(),
        Kind::List(items) => items.iter_mut().for_each(translate),
        Kind::Map(map) => map.iter_mut().for_each(|(_, node)| translate(node)),
        _ => {}
    }
}
