//! Steps whose work is other units or executions: the agent finds out what they depend on and waits for the end.

use std::{collections::BTreeMap, path::Path};

use testudo_core::{
    frame::PackId,
    plan::{Operation, Platform, expand_execute, expand_parallel, expand_services, pack_sources},
    run::{Outcome, Recorder, Report, Request, RunScope, Status, Told, UnitKey, Work, pack_origin},
};

use super::{Evaluate, Hand, Hears, Job, packs};

/// Expands a block on the unit's real files, and remembers what it asked for.
pub(super) fn prepare(evaluate: &Evaluate<'_>, hand: &Hand, operation: &Operation) -> Result<Job, Outcome> {
    let dir = evaluate.environment.working_dir.to_string_lossy();
    let known = RunScope {
        run: evaluate.run,
        step: evaluate.step,
        env: &evaluate.environment.variables,
        references: &evaluate.values.references,
        working_dir: &dir,
        own: None,
    };
    let host = evaluate.host();
    let recorder = Recorder::new(vec![&known, &host], &evaluate.values.references);
    let unit: UnitKey = hand.unit.parse().map_err(|_| fatal("a unit's name is malformed"))?;
    let origin = pack_origin(&unit, &hand.r#ref, hand.attempt);
    let working_dir = evaluate.environment.working_dir.clone();
    // What a platform says about images changes no answer.
    let platform = Platform::default();
    let failure = |error: testudo_core::plan::ExpandFailure| Outcome::Error { message: error.to_string() };
    let (expanded, what) = match operation {
        Operation::Parallel(parallel) => {
            let expanded = expand_parallel(parallel, &recorder, &origin, &platform).map_err(failure)?;
            hand.say(&parallelism_line(&expanded, parallel.parallelism));
            (expanded, 0)
        }
        Operation::StartServices { services } => {
            let expanded = expand_services(services, &recorder, &origin, &platform).map_err(failure)?;
            for (name, _) in services {
                if !expanded.iter().any(|one| one.group == *name) && !name.contains("{{") {
                    hand.say(&format!("{name}: 0 instances requested, skipping"));
                }
            }
            (expanded, 1)
        }
        Operation::Execute(execute) => {
            let expanded = expand_execute(execute, &recorder, &origin, "").map_err(failure)?;
            say_children(hand, &expanded, execute.parallelism);
            (expanded, 2)
        }
        Operation::StopServices { start, .. } => {
            let start = evaluate
                .run
                .plan()
                .steps
                .iter()
                .position(|step| step.r#ref == *start)
                .ok_or_else(|| fatal("the step that started the services is not there"))?;
            let group = evaluate.run.step(evaluate.step).parent.unwrap_or(0);
            let mut before = evaluate.run.children(group).take_while(|step| *step != evaluate.step);
            let of_itself = evaluate.run.state(group).failed.is_some();
            let failed = of_itself
                || before.any(|step| {
                    let status = evaluate.run.status(step);
                    status.is_final() && !status.is_fine() && status != Status::Queued
                });
            if evaluate.run.state(start).attempts == 0 {
                return Ok(Job::Done);
            }
            let request = Request::StopServices { start, failed };
            return Ok(Job::Engine { request, sources: Vec::new(), working_dir });
        }
        _ => return Err(fatal("this operation is not the engine's")),
    };
    if expanded.is_empty() {
        return Ok(Job::Done);
    }
    let mut sources = Vec::new();
    for (pack, source) in pack_sources(&expanded) {
        sources.push((pack, packs::Source::transfer(evaluate, &source)?));
    }
    let answers = recorder.into_answers();
    let request = match what {
        0 => Request::Parallel { answers },
        1 => Request::Services { answers },
        _ => Request::Execute { answers },
    };
    Ok(Job::Engine { request, sources, working_dir })
}

fn fatal(message: &str) -> Outcome {
    Outcome::Fatal { message: message.to_owned(), code: None }
}

/// Makes the packs that the instances need, asks the engine, and does what it says until it says the end.
pub(super) async fn carry_out(
    hand: &Hand,
    mut hears: Hears,
    request: Request,
    sources: Vec<(PackId, packs::Source)>,
    working_dir: &Path,
) -> Outcome {
    for (pack, source) in sources {
        if let Err(message) = packs::make(hand, &pack, source, testudo_core::run::PackPurpose::Transfer).await {
            return Outcome::Error { message };
        }
    }
    hand.report(Report::Requested { step: hand.step, attempt: hand.attempt, request });
    let mut intact = true;
    while let Some(told) = hears.recv().await {
        match told {
            Told::Line { text } => hand.say(&text),
            Told::Unpack { pack, to } => {
                let to = crate::scope::normal(&working_dir.join(to));
                if packs::unpack_all(hand, vec![(pack, to)]).await != (Outcome::Exit { code: 0 }) {
                    intact = false;
                }
            }
            Told::Kept { .. } | Told::Failed { .. } => {}
            Told::Done { passed, .. } => return Outcome::Exit { code: i32::from(!passed || !intact) },
        }
    }
    Outcome::Error { message: "the engine's answer was lost".to_owned() }
}

fn parallelism_line(expanded: &[testudo_core::plan::Expanded], parallelism: u32) -> String {
    let total = expanded.len();
    if total == 0 {
        return "0 instances requested, skipping".to_owned();
    }
    if total == 1 {
        return "Parallelism: 1 instance requested".to_owned();
    }
    let at_once = match parallelism as usize {
        1 => "run sequentially".to_owned(),
        limit if limit < total => format!("parallel: {limit}"),
        _ => "all in parallel".to_owned(),
    };
    let mut facts = Vec::new();
    let shards = expanded.first().and_then(|one| one.labels.iter().find(|(name, _)| name == "shard"));
    let shards = shards
        .and_then(|(_, value)| value.string_form().split_once('/').and_then(|(_, count)| count.parse().ok()))
        .unwrap_or(1);
    let combinations = total / shards.max(1);
    if combinations > 1 {
        facts.push(format!("{combinations} combinations"));
    }
    if shards > 1 {
        facts.push(format!("sharded {shards} times"));
    }
    facts.push(at_once);
    format!("Parallelism: {total} instances requested: {}", facts.join(", "))
}

fn say_children(hand: &Hand, expanded: &[testudo_core::plan::Expanded], parallelism: u32) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in expanded {
        if let Work::Child(_) = one.work {
            *counts.entry(one.group.as_str()).or_default() += 1;
        }
    }
    for (workflow, count) in counts {
        let text = if count == 1 { "1 execution".to_owned() } else { format!("{count} executions") };
        hand.say(&format!("{workflow}: {text} requested"));
    }
    let total = expanded.len();
    let at_once =
        if parallelism as usize >= total { "all in parallel".to_owned() } else { format!("{parallelism} parallel") };
    let noun = if total == 1 { "execution" } else { "executions" };
    hand.say(&format!("Total: {total} {noun}, {at_once}"));
}
