//! Rules on what expressions say.

use std::collections::BTreeSet;

use super::Look;
use super::steps::known_ids;
use crate::expr::{Outline, outline, outline_template};
use crate::source::{Node, Path, Severity, Span};
use crate::workflow::{DocumentKind, Text, TextKind, each_text, nearest};

pub(super) fn check(look: &mut Look) {
    let ids = reachable_ids(look);
    let secret: BTreeSet<String> = look
        .spec()
        .get_entries("config")
        .iter()
        .filter(|(_, schema)| schema.get_bool("sensitive") == Some(true))
        .map(|(name, _)| format!("config.{name}"))
        .collect();
    let mut said = Vec::new();
    each_text(look.object, look.spec(), &mut Path::new("spec"), &mut |path, text| {
        let Some(outline) = outlined(&text) else { return };
        let inside = |at: &std::ops::Range<usize>| look.sources.inside(text.span, text.text, at);
        for at in &outline.mixed {
            let message = "`&&` and `||` bind equally here, from left to right";
            let help = "say with parentheses what belongs together";
            said.push((
                Severity::Hint,
                "mixed-logic",
                message.to_owned(),
                help.to_owned(),
                inside(at),
                path.to_string(),
            ));
        }
        if text.field.name == "args" {
            for at in secrets_in(&outline, &secret) {
                let message = "arguments are visible to everyone who may list processes";
                let help = "hand a secret over in `env`";
                said.push((
                    Severity::Warning,
                    "secret-in-args",
                    message.to_owned(),
                    help.to_owned(),
                    inside(&at),
                    path.to_string(),
                ));
            }
        }
        for mention in &outline.names {
            let Some(id) = step_of(&mention.name) else { continue };
            if let Some(ids) = &ids
                && !ids.contains(id)
            {
                let near = nearest(id, ids.iter().map(String::as_str));
                let help = near.map_or_else(
                    || "give the step an `id`, or a name that makes one".to_owned(),
                    |near| format!("did you mean `step.{near}`?"),
                );
                let message = format!("there is no step `{id}`");
                said.push((Severity::Error, "unknown-step", message, help, inside(&mention.at), path.to_string()));
            }
        }
    });
    for (severity, code, message, help, at, path) in said {
        let at: Span = at;
        look.say(severity, code, message, at, &path).help = Some(help);
    }
}

fn outlined(text: &Text) -> Option<Outline> {
    match text.kind {
        TextKind::Literal => None,
        TextKind::Template => outline_template(text.text).ok(),
        TextKind::Expression => outline(text.text).ok(),
    }
}

fn secrets_in(outline: &Outline, secret: &BTreeSet<String>) -> Vec<std::ops::Range<usize>> {
    let calls = outline.calls.iter().filter(|call| matches!(call.name.as_str(), "secret" | "credential"));
    let names = outline.names.iter().filter(|mention| secret.contains(&mention.name));
    calls.map(|call| call.at.clone()).chain(names.map(|mention| mention.at.clone())).collect()
}

/// The id in `step.<id>.outputs…` and the like; `step.results` and `step.outputs` are about the step itself.
fn step_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("step.")?;
    let (id, field) = rest.split_once('.')?;
    matches!(field.split('.').next(), Some("outputs" | "results" | "status" | "exitCode")).then_some(id)
}

/// Ids that exist; none if some may come from where nobody can look.
fn reachable_ids(look: &Look) -> Option<BTreeSet<String>> {
    if look.document.kind != DocumentKind::Workflow {
        return None;
    }
    let mut ids: BTreeSet<String> = known_ids(look, look.spec()).into_iter().collect();
    let mut complete = true;
    let mut names = Vec::new();
    template_names(look.spec(), &mut names);
    for name in names {
        match look.documents.template(&name) {
            Some(template) => {
                complete &= !templated_names(&template.spec);
                ids.extend(known_ids(look, &template.spec));
            }
            None => complete = false,
        }
    }
    (complete && !templated_names(look.spec())).then_some(ids)
}

fn template_names(node: &Node, names: &mut Vec<String>) {
    crate::workflow::each_field(
        &crate::workflow::table::SPEC,
        node,
        &mut Path::default(),
        &mut |_, _, field, _, node| {
            if field.not_in_templates {
                let references = std::iter::once(node).chain(node.items());
                names.extend(references.filter_map(|node| node.get_str("name")).map(str::to_owned));
            }
        },
    );
}

/// Whether a step's name, and with it its id, is known only later.
fn templated_names(spec: &Node) -> bool {
    let mut templated = false;
    each_text(&crate::workflow::table::SPEC, spec, &mut Path::default(), &mut |_, text| {
        let of_step = text.object == &crate::workflow::table::STEP && text.field.name == "name";
        templated |= of_step && text.text.contains("{{");
    });
    templated
}
