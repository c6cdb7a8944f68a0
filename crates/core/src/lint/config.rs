//! Rules on parameters: defaults that do not fit, cycles, words that are no booleans.

use super::{Look, key_of};
use crate::expr::outline_template;
use crate::resolve::check_value;
use crate::source::Node;

pub(super) fn check(look: &mut Look) {
    let Some(parameters) = look.spec().get("config") else { return };
    for (name, schema) in parameters.entries() {
        if let Some(default) = schema.get("default") {
            one(look, name, schema, default);
        }
    }
    cycles(look, parameters);
}

fn one(look: &mut Look, name: &str, schema: &Node, default: &Node) {
    let Some(text) = default.scalar_text().filter(|text| !text.contains("{{")) else { return };
    let path = format!("spec.config.{name}.default");
    if let Err(why) = check_value(schema, &text) {
        look.error("bad-default", format!("config.{name}: {why}"), default.span, &path);
    } else if schema.get_str("type") == Some("boolean") && !matches!(&*text, "true" | "false") {
        let value = !matches!(&*text, "" | "0" | "off");
        let message = format!("`{text}` means {value}: only `false`, `0`, `off` and nothing are false");
        look.warn("boolean-word", message, default.span, &path).help = Some(format!("write \"{value}\""));
    }
    if schema.get_bool("sensitive") == Some(true) && text.len() < 3 {
        let message = "a value of fewer than 3 bytes cannot be masked in logs";
        look.warn("short-secret", message, default.span, &path);
    }
}

fn cycles(look: &mut Look, parameters: &Node) {
    let next = |name: &str| -> Vec<String> {
        let default = parameters.get(name).and_then(|schema| schema.get_str("default")).unwrap_or("");
        let names = outline_template(default).map(|outline| outline.names).unwrap_or_default();
        names.into_iter().filter_map(|mention| Some(mention.name.strip_prefix("config.")?.to_owned())).collect()
    };
    let mut reported: Vec<String> = Vec::new();
    for (name, schema) in parameters.entries() {
        let mut trail = vec![name.text.to_string()];
        if let Some(cycle) = find_cycle(&mut trail, &next, &mut 10_000)
            && cycle[0] == *name.text
            && !cycle.iter().any(|name| reported.contains(name))
        {
            let shown: Vec<String> = cycle.iter().map(|name| format!("config.{name}")).collect();
            let message = format!("config.{}: default refers to itself ({})", name.text, shown.join(" → "));
            look.error(
                "default-cycle",
                message,
                key_of(schema, "default"),
                &format!("spec.config.{}.default", name.text),
            );
            reported.extend(cycle);
        }
    }
}

/// The first way from the end of the trail back onto it.
fn find_cycle(trail: &mut Vec<String>, next: &dyn Fn(&str) -> Vec<String>, steps: &mut usize) -> Option<Vec<String>> {
    let last = trail.last()?.clone();
    for name in next(&last) {
        *steps = steps.checked_sub(1)?;
        if let Some(start) = trail.iter().position(|known| *known == name) {
            let mut cycle = trail[start..].to_vec();
            cycle.push(name);
            return Some(cycle);
        }
        trail.push(name);
        let found = find_cycle(trail, next, steps);
        trail.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}
