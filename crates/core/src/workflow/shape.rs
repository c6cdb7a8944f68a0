//! The shape check: types, required fields, words, patterns, bounds and unknown fields, at every depth.

use regex::Regex;

use super::near::nearest;
use super::table::{Field, FieldKind, Object, Rule, Shape};
use crate::source::{Diagnostic, Key, Kind, Node, Path, Sources};

/// All findings about the shape of a value.
pub(super) fn check(
    object: &'static Object,
    node: &Node,
    path: &mut Path,
    in_template: bool,
    sources: &Sources,
) -> Vec<Diagnostic> {
    let mut check = Check { path, in_template, sources, found: Vec::new() };
    check.object(object, node);
    check.found
}

struct Check<'c> {
    path: &'c mut Path,
    in_template: bool,
    sources: &'c Sources,
    found: Vec<Diagnostic>,
}

impl Check<'_> {
    fn say(&mut self, code: &str, node: &Node, message: String, help: Option<String>) {
        let mut finding = Diagnostic::error(code, message).at(node.span).path(self.path.as_str());
        finding.help = help;
        self.found.push(finding);
    }

    fn object(&mut self, object: &'static Object, node: &Node) {
        let Some(map) = node.as_map() else {
            let help = match (node.items(), object.noun) {
                ([one], _) if one.as_map().is_some() => Some("remove the `-`: this is one map, not a list".to_owned()),
                _ => None,
            };
            return self.say("wrong-type", node, format!("{} must be a map, found {}", object.noun, node.noun()), help);
        };
        for (key, value) in map {
            let mark = self.path.key(key);
            match object.field(key) {
                Some(field) if field.not_in_templates && self.in_template => self.no_includes(key),
                Some(_) if value.is_null() => {}
                Some(field) => self.field(field, value),
                None if object.open => {}
                None => self.unknown(object, key),
            }
            self.path.leave(mark);
        }
        for field in object.fields().filter(|field| field.required && node.get(field.name).is_none()) {
            let message = format!("{} needs `{}`", object.noun, field.name);
            self.say("missing-field", node, message, Some(field.doc.to_owned()));
        }
    }

    fn no_includes(&mut self, key: &Key) {
        let message = format!("a template cannot include templates: no `{}` here", key.text);
        let finding = Diagnostic::error("template-in-template", message).at(key.span).path(self.path.as_str());
        self.found.push(finding.help("include both templates where this one is used"));
    }

    fn unknown(&mut self, object: &'static Object, key: &Key) {
        let message = format!("{} has no field `{}`", object.noun, key.text);
        let mut finding = Diagnostic::error("unknown-field", message).at(key.span).path(self.path.as_str());
        finding.help = advice(object, key);
        self.found.push(finding);
    }

    fn field(&mut self, field: &'static Field, node: &Node) {
        self.value(field, &field.shape, node);
    }

    fn value(&mut self, field: &'static Field, shape: &Shape, node: &Node) {
        match (shape, &node.kind) {
            (Shape::Free | Shape::DynamicList, _)
            | (Shape::Bool, Kind::Bool(_))
            | (Shape::IntOrText | Shape::Int64, Kind::Int(_)) => {}
            (Shape::Object(object), _) | (Shape::TextOr(object), Kind::Map(_)) => self.object(object, node),
            (Shape::Text | Shape::TextOr(_) | Shape::IntOrText, Kind::Str(text)) => self.rule(field, text, node),
            (Shape::Int32, Kind::Int(value)) => self.int32(field, *value, node),
            (Shape::List(item), Kind::List(items)) => {
                for (index, node) in items.iter().enumerate() {
                    let mark = self.path.index(index);
                    if node.is_null() {
                        self.say(
                            "wrong-type",
                            node,
                            "this item is empty".to_owned(),
                            Some("remove the `-`".to_owned()),
                        );
                    } else {
                        self.value(field, item, node);
                    }
                    self.path.leave(mark);
                }
            }
            (Shape::Map(value), Kind::Map(map)) => {
                for (key, node) in map {
                    let mark = self.path.key(key);
                    if !node.is_null() {
                        self.value(field, value, node);
                    }
                    self.path.leave(mark);
                }
            }
            _ => self.wrong_type(field, shape, node),
        }
    }

    fn wrong_type(&mut self, field: &'static Field, shape: &Shape, node: &Node) {
        let wanted = match shape {
            Shape::Text => "text",
            Shape::Bool => "`true` or `false`",
            Shape::Int32 | Shape::Int64 => "a whole number",
            Shape::IntOrText => "a whole number or text",
            Shape::List(_) => "a list",
            Shape::TextOr(_) => "a word or a map",
            Shape::Map(_) | Shape::Object(_) | Shape::DynamicList | Shape::Free => "a map",
        };
        let written = self.sources.slice(node.span).trim();
        let scalar =
            !matches!(node.kind, Kind::List(_) | Kind::Map(_)) && !written.is_empty() && !written.contains('\n');
        let found = if scalar { format!("{} {written}", node.noun()) } else { node.noun().to_owned() };
        let help = match (shape, &node.kind) {
            (Shape::IntOrText, Kind::Float(value)) if value.fract() == 0.0 => {
                Some(format!("the number does not fit 64 bits; as text, quote it: \"{written}\""))
            }
            (Shape::Text | Shape::IntOrText, Kind::Bool(_) | Kind::Int(_) | Kind::Float(_)) => {
                Some(format!("quote it: \"{written}\""))
            }
            (Shape::Int32 | Shape::Int64 | Shape::Bool, Kind::Str(text)) if text.contains("{{") => {
                Some(format!("`{}` takes no expression, only a literal value", field.name))
            }
            (Shape::Int32 | Shape::Int64 | Shape::Bool, Kind::Str(_)) => Some("write it without quotes".to_owned()),
            (Shape::List(item), _) => list_help(field, item, node),
            (Shape::Map(_), Kind::List(_)) => Some("write `name: …` entries without `-`".to_owned()),
            _ => None,
        };
        let name = self.path.as_str().rsplit('.').next().unwrap_or(field.name).to_owned();
        self.say("wrong-type", node, format!("`{name}` must be {wanted}, found {found}"), help);
    }

    fn int32(&mut self, field: &'static Field, value: i64, node: &Node) {
        let (low, high) = match field.rule {
            Rule::Range(low, high) => (low, high),
            _ => (i64::from(i32::MIN), i64::from(i32::MAX)),
        };
        if value < low || value > high {
            let said = match (low, high) {
                (low, high) if high == i64::from(i32::MAX) && low > i64::from(i32::MIN) => format!("at least {low}"),
                (low, high) => format!("between {low} and {high}"),
            };
            self.say("out-of-range", node, format!("`{}` must be {said}, found {value}", field.name), None);
        }
    }

    fn rule(&mut self, field: &'static Field, text: &str, node: &Node) {
        // What a template will say is known later, and checked then.
        let later = field.kind != FieldKind::Literal && text.contains("{{");
        match field.rule {
            Rule::NotEmpty if text.is_empty() => {
                self.say("empty-value", node, format!("`{}` must not be empty", field.name), None);
            }
            Rule::OneOf(words) if !later && !words.contains(&text) => {
                let listed = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
                let message = format!("`{}` is {listed}, not `{text}`", field.name);
                let help = nearest(text, words.iter().copied()).map(|word| format!("did you mean `{word}`?"));
                self.say("unknown-value", node, message, help);
            }
            Rule::Pattern(pattern, said) if !later => {
                let fits = Regex::new(pattern).map_or(true, |pattern| pattern.is_match(text));
                if !fits {
                    self.say("wrong-format", node, format!("`{}` must be {said}, found `{text}`", field.name), None);
                }
            }
            _ => {}
        }
    }
}

fn list_help(field: &Field, item: &Shape, node: &Node) -> Option<String> {
    match (field.name, &node.kind) {
        ("use", Kind::Str(name)) => Some(format!("`use` is a list of maps: `use: [{{name: {name}}}]`")),
        ("use", Kind::Map(_)) => {
            let name = node.get_str("name").unwrap_or("…");
            Some(format!("`use` is a list: `use: [{{name: {name}}}]`, or put `- ` in front of `name`"))
        }
        (_, Kind::Map(_)) if matches!(item, Shape::Object(_)) => Some("put `- ` in front of each item".to_owned()),
        (_, Kind::Str(text)) if !text.contains('\n') => Some(format!("write it as a list: [{text:?}]")),
        _ => None,
    }
}

/// What to do about a field that does not exist here.
fn advice(object: &'static Object, key: &str) -> Option<String> {
    let said = match (object.noun, key) {
        ("a step", "after") => "a step has no `after`: add a step with `condition: always` behind it",
        ("a step", "if") => "write `condition`",
        ("a step", "needs" | "depends_on" | "dependsOn") => {
            "steps run one after the other; use `condition`, or `parallel` to run side by side"
        }
        ("a step", "env") => "write `container.env`, or `run.env` for one command",
        ("a step", "image") => "write `container.image`, or `run.image` for one command",
        ("a step", "command" | "args") => "write it under `run`",
        ("a step", "script" | "bash" | "sh") => "write `shell`",
        ("a step", "matrix" | "shards" | "count" | "maxCount" | "strategy") => "write it under `parallel`",
        ("a step", "uses") => "write `use` or `template`",
        ("a service", "container") => {
            "a service has no `container`: `image`, `env`, `resources` and the like stand directly on it"
        }
        ("a service", "ports") => "ports need no declaration: services are reached at their address",
        ("`parallel`", "condition" | "name" | "id" | "pure") => "put it on the step that has `parallel`",
        ("`parallel`", "workingDir") => "write `container.workingDir`",
        ("`parallel`", "concurrency") => "write `parallelism` for workers at once",
        ("`parallel`", "image" | "env") => "write it under `container` or `run`",
        ("a spec", "workingDir" | "env" | "image" | "resources" | "command" | "args") => "write it under `container`",
        ("a spec", "shell" | "run" | "execute" | "parallel" | "artifacts" | "template") => {
            "write it in a step of `steps`"
        }
        ("a spec", "schedule" | "cron" | "cronjob") => "write `events: [{cronjob: {cron: …}}]`",
        ("a container", "shell") => "write `shell` on the step, or `run.shell`",
        ("`artifacts`", "path") => "write `paths`, a list",
        _ => "",
    };
    if !said.is_empty() {
        return Some(said.to_owned());
    }
    if let Some(name) = nearest(key, object.fields().map(|field| field.name)) {
        return Some(format!("did you mean `{name}`?"));
    }
    let inside =
        object.fields().find(|field| matches!(field.shape, Shape::Object(inner) if inner.field(key).is_some()))?;
    Some(format!("write it under `{}`", inside.name))
}
