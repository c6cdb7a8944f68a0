//! Templates merged in: into the whole, into a `parallel` block, into a step, a service, or as a nested step.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::expr::{Finalizer, Scope};
use crate::source::{Diagnostic, Node, Path};
use crate::workflow::table;

use super::apply::{Pass, apply};
use super::config::{Config, Source, Vault};
use super::{merge, tidy};

/// Steps within steps beyond this are a mistake, or an attack.
const MAX_DEPTH: usize = 64;

/// What the fields of a `parallel` block say in short instead of a first step.
pub(crate) const SHORT_FIELDS: [&str; 11] =
    ["delay", "shell", "run", "execute", "artifacts", "negative", "optional", "paused", "retry", "timeout", "template"];

/// Templates and what putting them in needs.
pub(super) struct Library<'l> {
    pub(super) find: &'l dyn Fn(&str) -> Option<&'l Node>,
    pub(super) scopes: &'l [&'l dyn Scope],
    pub(super) vault: &'l Vault,
    pub(super) strict: bool,
}

/// One run of the phase; findings are collected, and what failed is skipped.
pub(super) struct Include<'l> {
    library: &'l Library<'l>,
    path: Path,
    found: Vec<Diagnostic>,
    /// Steps within steps around the place at hand.
    depth: usize,
}

pub(super) fn include<'l>(spec: Node, library: &'l Library<'l>) -> Result<Node, Vec<Diagnostic>> {
    let mut include = Include { library, path: Path::new("spec"), found: Vec::new(), depth: 0 };
    let mut spec = spec;
    include.whole(&mut spec, Whole::Workflow);
    if include.found.is_empty() { Ok(spec) } else { Err(include.found) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Workflow,
    Parallel,
}

impl Include<'_> {
    fn fail(&mut self, code: &str, message: String, node: &Node) {
        self.found.push(Diagnostic::error(code, message).at(node.span).path(self.path.as_str()));
    }

    /// A workflow, or a block that is one in miniature.
    fn whole(&mut self, spec: &mut Node, kind: Whole) {
        for low in self.used(spec).into_iter().rev() {
            *spec = match kind {
                Whole::Workflow => merge::workflow(&low, spec),
                Whole::Parallel => merge::spec(&low, spec),
            };
        }
        self.services(spec);
        for name in ["setup", "steps", "after"] {
            self.steps(spec, name);
        }
        tidy::unwrap_lists(spec);
    }

    fn steps(&mut self, owner: &mut Node, name: &str) {
        let Some(steps) = owner.get_mut(name).and_then(Node::as_list_mut) else { return };
        let mark = self.path.key(name);
        for (index, step) in steps.iter_mut().enumerate() {
            let inner = self.path.index(index);
            self.step(step);
            self.path.leave(inner);
        }
        self.path.leave(mark);
    }

    fn step(&mut self, step: &mut Node) {
        if self.depth >= MAX_DEPTH {
            return self.fail("too-large", format!("steps are nested deeper than {MAX_DEPTH} levels"), step);
        }
        self.depth += 1;
        for low in self.used(step).into_iter().rev() {
            under_step(&low, step, true);
        }
        self.isolated(step);
        self.services(step);
        if let Some(parallel) = step.get_mut("parallel") {
            let mark = self.path.key("parallel");
            // The block moves out for a moment, as its steps are walked with everything else borrowed.
            let mut block = std::mem::take(parallel);
            self.parallel(&mut block);
            step.set("parallel", block);
            self.path.leave(mark);
        }
        for name in ["setup", "steps"] {
            self.steps(step, name);
        }
        self.depth -= 1;
    }

    /// `template` of a step: its steps come first in the nested ones, in a step of their own if it needs one.
    fn isolated(&mut self, step: &mut Node) {
        let Some(reference) = step.take("template") else { return };
        let mark = self.path.key("template");
        let low = self.instantiate(&reference);
        self.path.leave(mark);
        let Some(low) = low else { return };
        let mut isolated = Node::map::<Arc<str>>([]);
        under_step(&low, &mut isolated, false);
        let empty = ["setup", "steps"].iter().all(|name| isolated.get_items(name).is_empty());
        if empty {
            return;
        }
        let needed = ["container", "content"].iter().any(|name| isolated.get(name).is_some())
            || !isolated.get_entries("services").is_empty();
        let mut first =
            if needed { vec![isolated] } else { [isolated.get_items("setup"), isolated.get_items("steps")].concat() };
        first.extend_from_slice(step.get_items("steps"));
        step.set("steps", Node::list(first));
    }

    fn parallel(&mut self, block: &mut Node) {
        if block.get("template").is_some() {
            let mut first = Node::map::<Arc<str>>([]);
            first.span = block.span;
            for name in SHORT_FIELDS {
                if let Some(key) = block.key(name).cloned()
                    && let Some(node) = block.take(name)
                    && let Some(map) = first.as_map_mut()
                {
                    map.push((key, node));
                }
            }
            let mut steps = vec![first];
            steps.extend_from_slice(block.get_items("steps"));
            block.set("steps", Node::list(steps));
        }
        self.whole(block, Whole::Parallel);
    }

    fn services(&mut self, owner: &mut Node) {
        let Some(services) = owner.get_mut("services").and_then(Node::as_map_mut) else { return };
        let mark = self.path.key("services");
        for (name, service) in services {
            let inner = self.path.key(&name.text);
            self.service(&name.text, service);
            self.path.leave(inner);
        }
        self.path.leave(mark);
    }

    fn service(&mut self, name: &str, service: &mut Node) {
        let references = service.get_items("use").to_vec();
        for (index, low) in self.used(service).into_iter().enumerate().rev() {
            let reference = references.get(index).unwrap_or(service);
            for what in ["setup", "steps", "after", "services"] {
                let present = low.get(what).is_some_and(|node| !node.items().is_empty() || !node.entries().is_empty());
                if present {
                    let noun = if what == "services" { "services" } else { "steps" };
                    let message = format!(
                        "services[{name}].use[{index}]: {noun} in template used for the service are not supported"
                    );
                    self.fail("service-template", message, &reference.clone());
                    break;
                }
            }
            for (name, rule) in [("pod", merge::pod as merge::Rule), ("content", merge::content), ("pvcs", merge::map)]
            {
                merge::field(&low, service, name, rule);
            }
            if let Some(container) = low.get("container") {
                *service = merge::container(container, service);
            }
        }
    }

    /// The templates of a `use` list, which is taken out. Those that fail are left out.
    fn used(&mut self, owner: &mut Node) -> Vec<Node> {
        let Some(references) = owner.take("use") else { return Vec::new() };
        let mark = self.path.key("use");
        let mut lows = Vec::new();
        for (index, reference) in references.items().iter().enumerate() {
            let inner = self.path.index(index);
            lows.extend(self.instantiate(reference));
            self.path.leave(inner);
        }
        self.path.leave(mark);
        lows
    }

    /// A copy of a template with its own parameters put in.
    fn instantiate(&mut self, reference: &Node) -> Option<Node> {
        let name = reference.get("name").and_then(Node::scalar_text).unwrap_or_default();
        let Some(template) = find_either(self.library.find, &name) else {
            self.fail(
                "unknown-template",
                format!("template \"{name}\" not found"),
                reference.get("name").unwrap_or(reference),
            );
            return None;
        };
        let arguments: BTreeMap<Arc<str>, Source> = reference
            .get_entries("config")
            .iter()
            .filter_map(|(key, node)| Some((key.text.clone(), Source::Template(node.scalar_text()?))))
            .collect();
        let Library { scopes, vault, strict, .. } = self.library;
        let config = Config::new(template.get("config"), arguments, scopes, vault, *strict);
        let mut all: Vec<&dyn Scope> = vec![&config];
        all.extend(*scopes);
        let mut low = template.clone();
        low.take("config");
        let mut failures = config.check("spec.config");
        if failures.is_empty() {
            let pass = Pass { finalizer: Finalizer::FailPrefix("config."), path: "spec", ..Pass::default() };
            match apply(&low, &table::SPEC, &all, pass) {
                Ok(applied) => low = applied,
                Err(errors) => failures = errors,
            }
        }
        failures.extend(nested_inclusions(&low));
        if failures.is_empty() {
            return Some(low);
        }
        for failure in failures {
            // The place is the template's; the path is that of whoever asked for it.
            let message = format!("template \"{name}\": {}: {}", failure.path, failure.message);
            self.found.push(Diagnostic { message, path: self.path.to_string(), ..failure });
        }
        None
    }
}

/// Steps, content, services and container of a template go under those of a step.
fn under_step(low: &Node, step: &mut Node, with_system: bool) {
    for (name, rule) in
        [("content", merge::content as merge::Rule), ("services", merge::map), ("container", merge::container)]
    {
        merge::field(low, step, name, rule);
    }
    if ["setup", "steps", "after"].iter().any(|name| !low.get_items(name).is_empty()) {
        merge::field(low, step, "setup", merge::list);
        let steps = [low.get_items("steps"), step.get_items("steps"), low.get_items("after")].concat();
        step.set("steps", Node::list(steps));
    }
    if with_system
        && step.get("pure").is_none()
        && low.find("system.pureByDefault").and_then(Node::as_bool) == Some(true)
    {
        step.set("pure", Node::from(true));
    }
}

/// Templates cannot include templates; here none may slip through that was not checked when it was loaded.
fn nested_inclusions(template: &Node) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    crate::workflow::each_field(&table::SPEC, template, &mut Path::new("spec"), &mut |path, _, field, _, node| {
        if field.not_in_templates && !node.items().is_empty() | !node.entries().is_empty() {
            let message = "a template cannot include templates";
            found.push(Diagnostic::error("template-in-template", message).at(node.span).path(path.as_str()));
        }
    });
    found
}

/// A template by the internal form of its name, else by the display form.
pub(super) fn find_either<'f>(find: &dyn Fn(&str) -> Option<&'f Node>, name: &str) -> Option<&'f Node> {
    let internal = name.replace('/', "--");
    find(&internal).or_else(|| find(&internal.replace("--", "/")))
}

/// The names of all templates a document asks for, with the reference that does.
pub(super) fn references(spec: &Node) -> Vec<(String, Node)> {
    let mut found = Vec::new();
    crate::workflow::each_field(&table::SPEC, spec, &mut Path::new("spec"), &mut |path, _, field, _, node| {
        if !field.not_in_templates {
            return;
        }
        if node.as_map().is_some() {
            found.push((path.to_string(), node.clone()));
        }
        for (index, reference) in node.items().iter().enumerate() {
            found.push((format!("{path}[{index}]"), reference.clone()));
        }
    });
    found
}
