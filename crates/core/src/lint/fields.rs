//! Rules on single fields: without effect, not portable, unreachable, no time.

use super::{Look, key_of};
use crate::duration::GoDuration;
use crate::source::{Path, Severity};
use crate::workflow::{TextKind, each_field, each_text};

/// Fields that hold a length of time.
const DURATIONS: [&str; 7] =
    ["delay", "timeout", "queue", "initialization", "terminationGrace", "stopWindow", "target"];

pub(super) fn check(look: &mut Look) {
    let mut said = Vec::new();
    each_field(look.object, look.spec(), &mut Path::new("spec"), &mut |path, object, field, key, node| {
        let path = path.to_string();
        if let Some(message) = field.no_effect {
            said.push((Severity::Hint, "no-effect", message.to_owned(), key.span, path.clone()));
        }
        if field.ours {
            let severity = if look.options.strict_testkube { Severity::Error } else { Severity::Hint };
            let message =
                format!("`{}` is testudo's own: other runners of this file refuse it or do without", field.name);
            said.push((severity, "portability", message, key.span, path.clone()));
        }
        if DURATIONS.contains(&field.name)
            && let Some(text) = node.as_str().filter(|text| !text.is_empty() && !text.contains("{{"))
            && text.replace(' ', "").parse::<GoDuration>().is_err()
        {
            let message = format!("`{text}` is no length of time; write one like `1m30s`");
            said.push((Severity::Error, "duration", message, node.span, path.clone()));
        }
        if matches!(field.name, "config" | "services") && object.field("steps").is_some() {
            for (name, _) in node.entries() {
                let dotted = field.name == "config";
                let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || dotted && b == b'.';
                if !name.contains("{{") && !name.bytes().all(fits) {
                    let message = format!("no expression can reach `{}.{name}`", field.name);
                    said.push((
                        Severity::Warning,
                        "unreachable-name",
                        message,
                        name.span,
                        format!("{path}[{:?}]", &*name.text),
                    ));
                }
            }
        }
    });
    for (severity, code, message, at, path) in said {
        let help = (code == "unreachable-name").then(|| "use letters, digits and `_` only".to_owned());
        look.say(severity, code, message, at, &path).help = help;
    }
    literal_braces(look);
    whole_system(look);
}

fn literal_braces(look: &mut Look) {
    let mut said = Vec::new();
    each_text(look.object, look.spec(), &mut Path::new("spec"), &mut |path, text| {
        // A malformed id is an error of its own.
        if text.kind == TextKind::Literal && text.text.contains("{{") && !text.field.prose && text.field.name != "id" {
            let message = format!("`{}` is taken literally: nothing in braces is evaluated here", text.field.name);
            said.push((message, text.span, path.to_string()));
        }
    });
    for (message, at, path) in said {
        look.warn("literal-braces", message, at, &path);
    }
}

/// `concurrency` reads well in a block and does nothing there; the shape check refuses it. What remains is a group
/// without a bound.
fn whole_system(look: &mut Look) {
    let Some(concurrency) = look.spec().get("concurrency") else { return };
    if concurrency.get("group").is_some() && concurrency.get_int("max").unwrap_or(0) == 0 {
        let message = "a group without `max` limits nothing";
        look.warn("no-effect", message, key_of(concurrency, "group"), "spec.concurrency.group");
    }
}
