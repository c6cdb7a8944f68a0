//! One line about what a step does.

use testudo_core::plan::{ExecuteEntry, Operation, ProbeAction, ServicePlan, Step};

use crate::reporter::{
    style::{DIM, RESET},
    words,
};

/// The longest command that is shown.
const COMMAND: usize = 60;

/// What an operation does.
pub(super) fn operation(operation: &Operation) -> String {
    match operation {
        Operation::Delay { millis } => format!("waits {}", words::limit(*millis)),
        Operation::Gate => "waits for a resume".to_owned(),
        Operation::Git(git) if git.replaced => "files given with --content".to_owned(),
        Operation::Git(git) => {
            let revision = git.revision.as_ref().map(|revision| format!(" at {revision}")).unwrap_or_default();
            format!("git clone {}{revision}", git.uri)
        }
        Operation::Tarball { entries } => {
            let urls: Vec<&str> = entries.iter().map(|entry| entry.url.as_str()).collect();
            format!("downloads {}", urls.join(", "))
        }
        Operation::Run { command, args } => {
            let words: Vec<&str> = command.iter().chain(args).map(String::as_str).collect();
            short(&words.join(" "))
        }
        Operation::Shell { script } => script_line(script),
        Operation::Artifacts(artifacts) => format!("keeps {}", short(&artifacts.paths.join(", "))),
        Operation::Unpack { packs } => {
            let folders: Vec<&str> = packs.iter().map(|pack| pack.to.as_str()).collect();
            format!("gets {}", short(&folders.join(", ")))
        }
        Operation::Fetch { entries } => {
            let folders: Vec<&str> = entries.iter().map(|entry| entry.from.as_str()).collect();
            format!("hands back {}", short(&folders.join(", ")))
        }
        Operation::StartServices { .. }
        | Operation::StopServices { .. }
        | Operation::Parallel(_)
        | Operation::Execute(_) => String::new(),
    }
}

/// The first line that does something.
fn script_line(script: &str) -> String {
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next().unwrap_or_default();
    let more = if lines.next().is_some() { " …" } else { "" };
    format!("{DIM}sh{RESET} {}{more}", short(first))
}

fn short(text: &str) -> String {
    words::cut(&text.replace(['\n', '\r', '\t'], " "), COMMAND)
}

/// What is special about when and how often it runs.
pub(super) fn modifiers(step: &Step) -> String {
    let mut facts = Vec::new();
    let conditions = step.conditions.iter().filter(|condition| !matches!(condition.as_str(), "passed" | "true"));
    for condition in conditions {
        facts.push(if condition == "always" { "always".to_owned() } else { format!("if {condition}") });
    }
    if let Some(retry) = &step.retry {
        facts.push(format!("up to {} attempts", retry.count + 1));
    }
    if let Some(timeout) = &step.timeout {
        facts.push(format!("at most {timeout}"));
    }
    for (holds, fact) in [
        (step.optional, "may fail"),
        (step.negative, "must fail"),
        (step.paused && !matches!(step.operation, Some(Operation::Gate)), "paused before"),
    ] {
        if holds {
            facts.push(fact.to_owned());
        }
    }
    if facts.is_empty() { String::new() } else { format!("{DIM}({}){RESET}", facts.join(", ")) }
}

/// When a service counts as ready.
pub(super) fn ready(service: &ServicePlan) -> String {
    let when = match service.probe.as_ref().map(|probe| &probe.action) {
        None => "ready when it has started".to_owned(),
        Some(ProbeAction::Exec { command }) => format!("ready when {} succeeds", short(&command.join(" "))),
        Some(ProbeAction::HttpGet { port, path, .. }) => format!("ready when GET {path} answers on {port}"),
        Some(ProbeAction::TcpSocket { port, .. }) => format!("ready when {port} answers"),
        Some(ProbeAction::Grpc { port, .. }) => format!("ready when gRPC on {port} is healthy"),
    };
    match service.timeout {
        Some(limit) => format!("{when}, within {}", words::limit(limit)),
        None => when,
    }
}

/// An entry of an `execute` step, as it was written.
pub(super) fn entry(entry: &ExecuteEntry) -> String {
    entry.block.get_str("name").map_or_else(|| "by selector".to_owned(), str::to_owned)
}
