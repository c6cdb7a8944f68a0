//! How blocks come to be: the agent's answers, expanded by the same function that the agent used.

use std::sync::Arc;

use super::{BlockKey, Execution, alike};
use crate::{
    plan::{Expanded, Operation, Place, Role, expand_execute, expand_parallel, expand_services},
    run::{
        Block, BlockKind, ChildEnd, Fetched, Instance, InstancePhase, Report, Request, Status, Stopper, UnitKey,
        WordId,
        answers::Answers,
        block::{Draft, Work},
        veil,
    },
};

impl Execution {
    /// Acts on a report that asks for something.
    pub(super) fn answer(&mut self, unit: &UnitKey, report: &Report) {
        let Report::Requested { step, attempt, request } = report else { return };
        let key = (unit.clone(), *step, *attempt);
        if let Request::StopServices { start, failed } = request {
            self.stop_services(unit, *start, *step, *attempt, *failed);
        } else if !self.blocks.contains_key(&key)
            && let Some(block) = self.expand(&key, request)
        {
            self.blocks.insert(key, block);
        }
    }

    fn expand(&self, (unit, step, attempt): &BlockKey, request: &Request) -> Option<Block> {
        let known = self.units.get(unit)?;
        let plan = known.run.plan();
        let operation = plan.steps.get(*step)?.operation.as_ref()?;
        let place = &plan.steps[*step].r#ref;
        let platform = &self.plan.platform;
        let origin = pack_origin(unit, place, *attempt);
        let (kind, expanded, limits) = match (operation, request) {
            (Operation::Parallel(parallel), Request::Parallel { answers }) => {
                let expanded = expand_parallel(parallel, &Answers(answers), &origin, platform);
                let most = if parallel.fail_fast { Some(1) } else { parallel.max_failures.map(|most| most as usize) };
                let limits = (parallel.parallelism, most, parallel.logs.clone());
                (BlockKind::Parallel, expanded, limits)
            }
            (Operation::StartServices { services }, Request::Services { answers }) => {
                let expanded = expand_services(services, &Answers(answers), &origin, platform);
                (BlockKind::Services, expanded, (u32::MAX, None, None))
            }
            (Operation::Execute(execute), Request::Execute { answers }) => {
                let expanded = expand_execute(execute, &Answers(answers), &origin, &self.plan.execution.id);
                let kind = BlockKind::Execute { asynchronous: execute.asynchronous };
                (kind, expanded, (execute.parallelism, None, None))
            }
            _ => return None,
        };
        let mut instances = match expanded {
            Ok(expanded) => expanded.into_iter().map(|one| instance(unit, place, kind, one)).collect::<Vec<_>>(),
            Err(failure) => vec![Instance {
                key: unit.child(place),
                group: place.clone(),
                index: 0,
                description: String::new(),
                labels: Vec::new(),
                work: Work::Broken(failure.to_string()),
                phase: InstancePhase::Waiting,
                block: None,
            }],
        };
        let (parallelism, max_failures, logs) = limits;
        if platform.place == Place::Kube && !matches!(kind, BlockKind::Execute { .. }) {
            alike::mark(&mut instances, unit, place, *attempt, parallelism as usize);
        }
        let carrier = known
            .carrier
            .as_ref()
            .and_then(|(unit, step, attempt, _)| self.blocks.get(&(unit.clone(), *step, *attempt)));
        // What a step only sets off is nobody's cleaning up.
        let always = kind != BlockKind::Execute { asynchronous: true }
            && (plan.steps[*step].is_always() || carrier.is_some_and(|block| block.always));
        Some(Block::new(Draft {
            kind,
            instances,
            parallelism: parallelism as usize,
            max_failures,
            logs,
            stopping: self.stop.is_some() && !always && kind != BlockKind::Services,
            always,
        }))
    }

    fn stop_services(&mut self, unit: &UnitKey, start: usize, step: usize, attempt: u32, failed: bool) {
        let range = (unit.clone(), start, 0)..=(unit.clone(), start, u32::MAX);
        if let Some((_, block)) = self.blocks.range_mut(range).next_back()
            && block.stopper.is_none()
        {
            block.stopping = true;
            block.stopper = Some(Stopper { step, attempt, failed, unhealthy: block.unhealthy() });
        }
    }

    /// Remembers how much of a block's news its step has heard.
    pub(super) fn told(&mut self, unit: &UnitKey, word: &WordId) {
        let Some((what, step, attempt, place)) = parse_tell(word) else { return };
        let Some(block) = self.blocks.get_mut(&(unit.clone(), step, attempt)) else { return };
        match what {
            "tell" => block.heard = block.heard.max(place + 1),
            _ => block.stop_heard = block.stop_heard.max(place + 1),
        }
    }

    pub(super) fn child_started(&mut self, key: &BlockKey, index: usize, id: &str, name: &str) {
        let Some(block) = self.blocks.get_mut(key) else { return };
        let Some(instance) = block.instances.get_mut(index) else { return };
        name.clone_into(&mut instance.group);
        if let Work::Child(child) = &mut instance.work {
            child.id = Some(id.to_owned());
        }
        let described =
            if instance.description.is_empty() { String::new() } else { format!(": {}", instance.description) };
        block.say(format!("{name}{described} • scheduled ({id})"));
        block.move_on(index, InstancePhase::Active);
    }

    pub(super) fn child_ended(&mut self, key: &BlockKey, index: usize, end: &ChildEnd) {
        let Some(block) = self.blocks.get_mut(key) else { return };
        let Some(instance) = block.instances.get_mut(index) else { return };
        let status = if end.error.is_some() { Status::Failed } else { end.status };
        if let Work::Child(child) = &mut instance.work {
            let shown = end.outputs.iter().map(|(key, text)| (key.clone(), veil::masked(text)));
            child.outputs = shown.collect();
        }
        let line = format!("{} • {}", instance.group, Self::end_of(end));
        block.say(line);
        for fetched in &end.fetched {
            let Fetched { pack, to, files, error } = fetched;
            match (pack, error) {
                (Some(pack), None) => block.hand_over(pack.clone(), to.clone()),
                (_, Some(error)) => block.say_of(index, &format!("warning: artifacts for {to}: {error}")),
                (None, None) if *files == 0 => {
                    block.say_of(index, &format!("warning: no artifacts were found for {to}"));
                }
                (None, None) => {}
            }
        }
        block.move_on(index, InstancePhase::Gone(status));
    }
}

fn instance(unit: &UnitKey, place: &str, kind: BlockKind, one: Expanded) -> Instance {
    let rest = match kind {
        BlockKind::Services => format!("{place}/{}/{}", one.group, one.index),
        BlockKind::Parallel | BlockKind::Execute { .. } => format!("{place}/{}", one.position),
    };
    Instance {
        key: unit.child(&rest),
        group: one.group,
        index: one.index,
        description: one.description,
        labels: one.labels,
        work: one.work,
        phase: InstancePhase::Waiting,
        block: None,
    }
}

/// What makes the names of a block's packs unique in the execution.
pub fn pack_origin(unit: &UnitKey, r#ref: &str, attempt: u32) -> String {
    format!("{}.{ref}.{attempt}", unit.folder())
}

/// Takes the id of a word about a step apart: what it is, step, attempt, and its place among the step's words.
fn parse_tell(word: &WordId) -> Option<(&str, usize, u32, usize)> {
    let mut parts = word.0.split(':');
    let what = parts.next().filter(|what| matches!(*what, "tell" | "stopped"))?;
    Some((what, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether a plan is a service's.
pub(super) fn is_service(plan: &Arc<crate::plan::UnitPlan>) -> bool {
    matches!(plan.role, Role::Service(_))
}
