//! What stands above a run, and the few words that are said in between.

use testudo_core::{
    plan::Plan,
    run::{Execution, Status},
};
use testudo_store::{Folder, Meta};

use super::{
    style::{Marks, bold, dim},
    words,
};

/// `quickstart #1 · on this machine as processes`, with what will not be done there.
pub(super) fn text(folder: &Folder, marks: Marks, columns: usize) -> String {
    let Meta { name, workflow, number, .. } = &folder.meta;
    let dot = marks.dot();
    let own = if *name == format!("{workflow}-{number}") { String::new() } else { format!(" {dot} {name}") };
    let mut text = format!("{} #{number}{own} {dot} {}\n", bold(workflow), crate::run::place(folder));
    for line in notes(&folder.plan) {
        text.push_str(&dim(&words::clip(&line, columns)));
        text.push('\n');
    }
    text.push('\n');
    marks.plain(text)
}

/// What is valid and not carried out here, a line each.
pub(super) fn notes(plan: &Plan) -> impl Iterator<Item = String> + '_ {
    plan.notes.iter().map(|note| {
        let path = note.path.strip_prefix("spec.").unwrap_or(&note.path);
        format!("not kept here: {path} ({})", note.message)
    })
}

/// Where a run stands still, and what makes it go on.
pub(super) fn paused(execution: &Execution, name: &str) -> String {
    let step = execution.units().find_map(|(_, unit)| {
        let steps = unit.run.plan().steps.iter().enumerate();
        let mut paused = steps.filter(|(at, _)| unit.run.status(*at) == Status::Paused);
        paused.next_back().map(|(_, step)| step.label().to_owned())
    });
    let at = step.map(|step| format!(" at {step}")).unwrap_or_default();
    format!("paused{at}; testudo resume {}", quoted(name))
}

/// The answer to Ctrl-C.
pub(super) fn interrupted(count: u32) -> &'static str {
    if count <= 1 { "stopping in order; press Ctrl-C again to kill" } else { "killing what still runs" }
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    testudo_core::expr::shell_quote([word])
}
