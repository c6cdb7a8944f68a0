//! A plan, before anything runs: what is settled, and what only a run can know.

use std::collections::BTreeSet;

use testudo_core::{
    plan::{Operation, Parallel, Plan, Role, UnitPlan, expand_execute, foresee_parallel, foresee_services},
    run::Work,
};

use self::strategy::{Later, Unknown};
use super::{
    header,
    out::Out,
    style::{DIM, Marks, RESET, bold, dim},
    words,
};
use crate::{args::Output, environment};

mod describe;
mod strategy;
mod table;

/// Shows a plan on standard output.
pub(crate) fn show(plan: &Plan, output: Output) -> anyhow::Result<()> {
    let mut out = Out::stdout();
    match output {
        Output::Json => out.raw(format!("{}\n", serde_json::to_string(plan)?).as_bytes()),
        Output::Pretty => out.text(&text(plan, environment::marks())),
    }
    out.flush();
    Ok(())
}

/// A plan as text.
pub(super) fn text(plan: &Plan, marks: Marks) -> String {
    let mut view = View { plan, lines: Vec::new(), later: Vec::new(), images: BTreeSet::new() };
    let dot = marks.dot();
    view.lines.push(format!("{} {dot} on this machine as processes", bold(&plan.workflow)));
    view.lines.push(String::new());
    view.children(&plan.main, 0, "", 0);
    view.foot();
    let mut text = view.lines.join("\n");
    text.push('\n');
    marks.plain(text)
}

struct View<'a> {
    plan: &'a Plan,
    lines: Vec<String>,
    later: Vec<Later>,
    images: BTreeSet<String>,
}

impl View<'_> {
    /// The steps directly inside a group, numbered.
    fn children(&mut self, unit: &UnitPlan, group: usize, number: &str, indent: usize) {
        let steps = children(unit, group);
        let width = steps.iter().map(|step| words::width(unit.steps[*step].label())).max().unwrap_or(0).min(28);
        let mut last = 0;
        for step in steps {
            last += 1;
            let number = if number.is_empty() { last.to_string() } else { format!("{number}.{last}") };
            self.step(unit, step, &number, width, indent);
        }
    }

    fn step(&mut self, unit: &UnitPlan, at: usize, number: &str, width: usize, indent: usize) {
        let step = &unit.steps[at];
        if let Some(image) = step.surroundings.as_ref().and_then(|around| around.image.clone()) {
            self.images.insert(image);
        }
        let space = " ".repeat(indent);
        let below = indent + number.len() + 2;
        let lead = format!("{space}{DIM}{number}{RESET}  {}", words::padded(step.label(), width));
        let modifiers = describe::modifiers(step);
        let (facts, rest) = self.operation(unit, at, number, below);
        let facts = [facts, modifiers].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("   ");
        self.lines.push(format!("{lead}   {facts}").trim_end().to_owned());
        self.lines.extend(rest);
        if step.operation.is_none() {
            self.children(unit, at, number, below);
        }
    }

    /// What a step does, on its line and below it.
    fn operation(&mut self, unit: &UnitPlan, at: usize, number: &str, below: usize) -> (String, Vec<String>) {
        match &unit.steps[at].operation {
            Some(Operation::Parallel(parallel)) => self.parallel(parallel, number, below),
            Some(Operation::StartServices { services }) => {
                let mut rest = Vec::new();
                for (name, block) in services {
                    let (known, unknown) = strategy::known(block, name);
                    self.later.extend(unknown.later);
                    rest.extend(self.service(name, known, below));
                }
                (String::new(), rest)
            }
            Some(Operation::Execute(execute)) => {
                let mut known = (**execute).clone();
                for (entry, number) in known.workflows.iter_mut().zip(1..) {
                    let name = entry.block.get_str("name").map_or_else(|| format!("entry {number}"), str::to_owned);
                    let (block, unknown) = strategy::known(&entry.block, &name);
                    entry.block = block;
                    self.later.extend(unknown.later);
                }
                let expanded = match expand_execute(&known, &Unknown, "", "") {
                    Ok(expanded) => expanded,
                    Err(error) => {
                        let names = execute.workflows.iter().map(describe::entry).collect::<Vec<_>>();
                        self.later.push(Later { what: "what it starts".to_owned(), from: error.to_string() });
                        return (names.join(", "), Vec::new());
                    }
                };
                let rest = expanded.iter().map(|one| {
                    let labels = one.labels.iter().map(|(_, value)| value.string_form().into_owned());
                    let named = std::iter::once(one.group.clone()).chain(labels).collect::<Vec<_>>().join(" ");
                    let description =
                        if one.description.is_empty() { String::new() } else { format!("   {}", one.description) };
                    format!("{}{named}{}", " ".repeat(below), dim(&description))
                });
                let total = words::counted(expanded.len() as u64, "execution");
                let waits = if execute.asynchronous { ", not waited for" } else { "" };
                (format!("{total}{waits}{}", at_once(execute.parallelism, expanded.len())), rest.collect())
            }
            Some(operation) => (describe::operation(operation), Vec::new()),
            None => (String::new(), Vec::new()),
        }
    }

    fn service(&mut self, name: &str, block: testudo_core::source::Node, below: usize) -> Vec<String> {
        let space = " ".repeat(below);
        let services = [(name.to_owned(), block)];
        let expanded = match foresee_services(&services, &Unknown, &self.plan.platform) {
            Ok(expanded) => expanded,
            Err(error) => return vec![format!("{space}{}   {}", bold(name), error.message)],
        };
        let Some(first) = expanded.first() else { return vec![format!("{space}{}   no instances", bold(name))] };
        let times = if expanded.len() > 1 { format!(" × {}", expanded.len()) } else { String::new() };
        let facts = match &first.work {
            Work::Unit(unit) => {
                self.look(unit);
                let command = unit.steps.iter().find_map(|step| match &step.operation {
                    Some(operation @ (Operation::Run { .. } | Operation::Shell { .. })) => {
                        Some(describe::operation(operation))
                    }
                    _ => None,
                });
                let ready = match &unit.role {
                    Role::Service(service) => describe::ready(service),
                    Role::Main | Role::Worker => String::new(),
                };
                format!("{}   {}", command.unwrap_or_default(), dim(&ready))
            }
            Work::Broken(why) => why.clone(),
            Work::Child(_) => String::new(),
        };
        vec![format!("{space}{}{times}   {facts}", bold(name)).trim_end().to_owned()]
    }

    fn parallel(&mut self, parallel: &Parallel, number: &str, below: usize) -> (String, Vec<String>) {
        let (block, unknown) = strategy::known(&parallel.block, "");
        let most = unknown.most;
        self.later.extend(unknown.later);
        let known = Parallel { block, ..parallel.clone() };
        let expanded = match foresee_parallel(&known, &Unknown, &self.plan.platform) {
            Ok(expanded) => expanded,
            Err(error) => return (error.to_string(), Vec::new()),
        };
        let total = expanded.len();
        let labels: Vec<_> = expanded.iter().map(|one| &one.labels).collect();
        let shape = strategy::shape(&labels);
        let up_to = if most { "up to " } else { "" };
        let shape = if shape.is_empty() || total == 1 { String::new() } else { format!(" = {shape}") };
        let instances = words::counted(total as u64, "instance");
        let mut facts = format!("{up_to}{instances}{shape}{}", at_once(parallel.parallelism, total));
        if parallel.fail_fast {
            facts.push_str(", all end with the first failure");
        }
        let mut rest = Vec::new();
        if total > 1 {
            rest.push(String::new());
            rest.extend(table::of(&expanded).into_iter().map(|line| format!("{}{line}", " ".repeat(below))));
            rest.push(String::new());
        }
        match expanded.first().map(|one| &one.work) {
            Some(Work::Unit(unit)) => {
                // What each of them does, below the step, as steps of their own.
                let lines = std::mem::take(&mut self.lines);
                self.children(unit, 0, number, below);
                rest.extend(std::mem::replace(&mut self.lines, lines));
            }
            Some(Work::Broken(why)) => rest.push(format!("{}{why}", " ".repeat(below))),
            Some(Work::Child(_)) | None => {}
        }
        (facts, rest)
    }

    /// Images of a unit that is not shown step by step.
    fn look(&mut self, unit: &UnitPlan) {
        let images = unit.steps.iter().filter_map(|step| step.surroundings.as_ref()?.image.clone());
        self.images.extend(images);
    }

    fn foot(&mut self) {
        let mut lines = Vec::new();
        self.later.dedup();
        let known = self.later.iter().map(|later| format!("{}, from {}", later.what, later.from));
        let images = (!self.images.is_empty()).then(|| {
            let images: Vec<&str> = self.images.iter().map(String::as_str).collect();
            format!("{}: {}", words::plural(images.len() as u64, "image"), images.join(", "))
        });
        let deadline = self.plan.limits.deadline.as_ref().map(|deadline| {
            let after = words::limit(deadline.after);
            format!("aborted after {after}")
        });
        let limit = self.plan.concurrency.as_ref().map(|limit| {
            let group = if limit.group == self.plan.workflow { "this workflow" } else { &limit.group };
            let what = if limit.cancel_in_progress { "the oldest is canceled for a new one" } else { "others wait" };
            format!("{} of {group} at once, {what}", limit.max)
        });
        lines.extend(known.map(|what| format!("known when it runs: {what}")));
        lines.extend(limit);
        lines.extend(deadline);
        lines.extend(images);
        lines.extend(header::notes(self.plan));
        if !lines.is_empty() {
            self.lines.push(String::new());
            self.lines.extend(lines.iter().map(|line| dim(line)));
        }
    }
}

/// The steps inside a group that a person gave something to do. A group that nobody named and nothing is special about
/// stands for its steps.
fn children(unit: &UnitPlan, group: usize) -> Vec<usize> {
    let end = unit.steps[group].end;
    let own = std::iter::successors(Some(group + 1).filter(|child| *child < end), |child| {
        Some(unit.steps[*child].end).filter(|next| *next < end)
    });
    own.flat_map(|child| {
        let step = &unit.steps[child];
        match step.operation {
            Some(Operation::StopServices { .. }) => Vec::new(),
            None if step.name.is_none() && describe::modifiers(step).is_empty() => children(unit, child),
            _ => vec![child],
        }
    })
    .collect()
}

fn at_once(parallelism: u32, total: usize) -> String {
    match parallelism as usize {
        _ if total <= 1 => String::new(),
        1 => ", one after another".to_owned(),
        limit if limit < total => format!(", {limit} at once"),
        _ => ", all at once".to_owned(),
    }
}
