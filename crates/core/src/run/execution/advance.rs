//! What follows from an event without anybody doing anything: results of instances, barriers, ends of blocks.

use std::collections::BTreeMap;

use super::{BlockKey, Execution, Unit, UnitPhase, index::Touched};
use crate::{
    expr::{Expr, ExprError, Scope, Value},
    plan::OnFailure,
    run::{Block, BlockKind, Instance, InstancePhase, PackPurpose, RELATIVE, Status, Told, block::Work},
};

impl Execution {
    /// Draws what follows from a change.
    pub(super) fn advance(&mut self, touched: Touched) {
        match touched {
            Touched::Unit(unit) => {
                self.note_unit(&unit);
                let carried: Vec<_> = self.blocks_of(&unit).map(|(step, attempt, _)| (step, attempt)).collect();
                for (step, attempt) in carried {
                    self.advance_block(&(unit.clone(), step, attempt), None);
                }
                let carrier = self.units.get(&unit).and_then(|unit| unit.carrier.clone());
                if let Some((carrier, step, attempt, at)) = carrier {
                    self.advance_block(&(carrier, step, attempt), Some(at));
                }
            }
            Touched::Block(key) => self.advance_block(&key, None),
            Touched::All => {
                self.index.changed.extend(self.index.live.iter().cloned());
                for key in self.index.open.clone() {
                    self.advance_block(&key, None);
                }
            }
            Touched::Nothing => {}
        }
    }

    /// Brings a block up to date, of whose instances one may have changed.
    fn advance_block(&mut self, key: &BlockKey, changed: Option<usize>) {
        let Some(mut block) = self.blocks.remove(key) else { return };
        if !is_settled(&block) {
            self.bring_on(key, &mut block, changed);
        }
        if block.turned() {
            for at in block.slots() {
                self.note_unit(&block.instances[*at].key);
            }
        }
        self.note_block(key, !is_settled(&block));
        self.blocks.insert(key.clone(), block);
    }

    fn bring_on(&mut self, key: &BlockKey, block: &mut Block, changed: Option<usize>) {
        if self.is_abandoned(key, block) {
            block.stopping = true;
        }
        if let Some(at) = changed {
            self.advance_instance(block, at);
        }
        self.fill_slots(key, block);
        self.open_gates(block);
        match block.kind {
            BlockKind::Parallel => finish_parallel(block),
            BlockKind::Services => self.finish_services(block),
            BlockKind::Execute { asynchronous } => finish_execute(block, asynchronous),
        }
    }

    /// Whether the step no longer waits for the block, or nobody is left who could.
    fn is_abandoned(&self, (unit, step, attempt): &BlockKey, block: &Block) -> bool {
        // Nobody waits for those: they go on without it, and only a stop of the execution ends them.
        if block.kind == (BlockKind::Execute { asynchronous: true }) {
            return false;
        }
        let Some(carrier) = self.units.get(unit) else { return true };
        if carrier.verdict().is_some() {
            return true;
        }
        let state = carrier.run.state(*step);
        match block.kind {
            BlockKind::Services => false,
            BlockKind::Parallel | BlockKind::Execute { .. } => {
                !block.done && (!state.running || state.attempts > attempt + 1)
            }
        }
    }

    fn advance_instance(&mut self, block: &mut Block, at: usize) {
        let Some(unit) = self.units.get_mut(&block.instances[at].key) else { return };
        if !matches!(block.instances[at].work, Work::Unit(_)) {
            return;
        }
        let before = block.instances[at].phase;
        let after = phase_of(unit);
        if let Work::Unit(_) = block.instances[at].work {
            for (pack, to) in take_fetched(unit) {
                block.hand_over(pack, to);
            }
        }
        if before == after {
            return;
        }
        block.move_on(at, after);
        let lost = match &unit.phase {
            UnitPhase::Lost(reason) => Some(reason.clone()),
            _ => None,
        };
        if before == InstancePhase::Waiting && block.kind == BlockKind::Parallel {
            block.say_of(at, "created");
        }
        if before.status().is_none()
            && let Some(status) = after.status()
        {
            let what = lost.map_or_else(|| status.to_string(), |reason| format!("{status}: {reason}"));
            if block.kind == BlockKind::Parallel || status != Status::Passed && !block.stopping {
                block.say_of(at, &what);
            }
            block.stopping |= block.has_failed_enough();
            let instance = &block.instances[at];
            // Before it was done, the step that starts it fails; after it was told to stop, nobody needs it.
            if block.done && !block.stopping && instance.has_failed() && instance.on_failure() == Some(OnFailure::Fail)
            {
                let reason = format!("the service {}/{} {what}", instance.group, instance.index);
                block.told.push(Told::Failed { reason });
            }
        }
        if matches!(after, InstancePhase::Gone(_)) && block.kind == BlockKind::Parallel {
            block.say_of(at, "cleaned resources");
        }
    }

    /// Gives free slots to the next instances; one that cannot be made has failed as soon as it is its turn.
    fn fill_slots(&mut self, (carrier, step, attempt): &BlockKey, block: &mut Block) {
        if self.units.get(carrier).is_some_and(Unit::is_packing) {
            return;
        }
        while let Some(at) = block.next_in_turn() {
            match settle_child(block, at) {
                Settled::Yes => {}
                Settled::NotYet => return,
                Settled::Broken(why) => block.instances[at].work = Work::Broken(why),
            }
            block.give_slot();
            let instance = &block.instances[at];
            match &instance.work {
                Work::Unit(plan) => {
                    let carrier = Some((carrier.clone(), *step, *attempt, at));
                    let unit = Unit::new(plan.clone(), carrier);
                    self.units.insert(instance.key.clone(), unit);
                    self.note_unit(&instance.key);
                }
                Work::Broken(why) => {
                    let why = why.clone();
                    block.say_of(at, &format!("failed: {why}"));
                    block.move_on(at, InstancePhase::Gone(Status::Failed));
                    block.stopping |= block.has_failed_enough();
                }
                Work::Child(_) => {}
            }
        }
    }

    /// Opens the gates of a block when every instance that is under way waits at one.
    fn open_gates(&self, block: &mut Block) {
        let mut waiting = Vec::new();
        for at in block.in_slots() {
            if block.instances[at].phase.status().is_some() {
                continue;
            }
            match self.units.get(&block.instances[at].key) {
                Some(unit) if unit.at_gate.is_some() => waiting.push((at, unit.gates)),
                _ => return,
            }
        }
        if waiting.iter().all(|(at, gates)| block.opened.get(at) == Some(gates)) {
            return;
        }
        block.opened.extend(waiting);
        block.say("resuming all workers");
    }

    fn finish_services(&self, block: &mut Block) {
        if !block.done {
            let states: Vec<(bool, bool)> = block
                .instances
                .iter()
                .map(|instance| {
                    let ready = self.units.get(&instance.key).is_some_and(|unit| unit.ready);
                    (ready, instance.has_failed())
                })
                .collect();
            let fails = |one: &Instance| one.has_failed() && one.on_failure() == Some(OnFailure::Fail);
            let settled = states.iter().all(|(ready, failed)| *ready || *failed);
            if block.stopping || settled || block.instances.iter().any(fails) {
                let failed = states.iter().filter(|(ready, failed)| *failed || !ready).count();
                let total = states.len();
                if failed == 0 {
                    block.say(format!("Successfully started {total} workers."));
                } else {
                    block.say(format!("Failed to start {failed} out of {total} expected workers."));
                }
                let values = self.service_values(block);
                block.finish(failed == 0, values);
            }
        }
        if block.is_over()
            && block.stop_told.is_empty()
            && let Some(stopper) = &block.stopper
        {
            let healthy = stopper.unhealthy.is_empty();
            if !healthy {
                let names: Vec<_> = stopper.unhealthy.iter().cloned().collect();
                let text = format!("unhealthy services detected: {}", names.join(", "));
                block.stop_told.push(Told::Line { text });
            }
            block.stop_told.push(Told::Done { passed: healthy, values: BTreeMap::new() });
        }
    }

    fn service_values(&self, block: &Block) -> BTreeMap<String, Value> {
        let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for instance in &block.instances {
            let address = self.units.get(&instance.key).and_then(|unit| unit.address.clone()).unwrap_or_default();
            let value = Value::map([("ip", address.into()), ("description", instance.description.clone().into())]);
            groups.entry(format!("services.{}", instance.group)).or_default().push(value);
        }
        groups.into_iter().map(|(name, list)| (name, Value::from(list))).collect()
    }
}

/// Nothing will change in it any more.
fn is_settled(block: &Block) -> bool {
    block.done
        && block.is_over()
        && (block.kind != BlockKind::Services || block.stopper.is_none() || !block.stop_told.is_empty())
}

fn phase_of(unit: &Unit) -> InstancePhase {
    match (&unit.phase, unit.verdict()) {
        (UnitPhase::Reaped, Some(status)) => InstancePhase::Gone(status),
        (_, Some(status)) => InstancePhase::Judged(status),
        (UnitPhase::Wanted, None) => InstancePhase::Waiting,
        (UnitPhase::Met(_) | UnitPhase::Lost(_) | UnitPhase::Reaped, None) => InstancePhase::Active,
    }
}

/// Packs for the parent that are kept and that it has not been told of.
fn take_fetched(unit: &mut Unit) -> Vec<(crate::frame::PackId, String)> {
    let mut fetched = Vec::new();
    for (id, pack) in &mut unit.packs {
        if let (PackPurpose::Fetch { to }, Some(Ok(())), false) = (&pack.purpose, &pack.kept, pack.handed) {
            pack.handed = true;
            fetched.push((id.clone(), to.clone()));
        }
    }
    fetched
}

fn finish_parallel(block: &mut Block) {
    if block.done || !block.is_over() {
        return;
    }
    let (failures, total) = (block.failures(), block.instances.len());
    let unstarted = block.unstarted();
    if failures == 0 && unstarted == 0 {
        block.say(format!("Successfully finished {total} workers."));
    } else {
        block.say(format!("Failed to finish {failures} out of {total} expected workers."));
    }
    block.finish(failures == 0 && unstarted == 0, BTreeMap::new());
}

fn finish_execute(block: &mut Block, asynchronous: bool) {
    if block.done {
        return;
    }
    let started = block.unstarted() == 0;
    if asynchronous && started || block.is_over() {
        let passed = if asynchronous { started } else { started && block.failures() == 0 };
        let values = child_values(block);
        block.finish(passed, values);
    }
}

/// Whether an instance's texts are final.
enum Settled {
    Yes,
    /// An earlier entry that they read has not ended.
    NotYet,
    Broken(String),
}

/// Makes an execution's texts final when its turn has come.
fn settle_child(block: &mut Block, at: usize) -> Settled {
    let Work::Child(child) = &block.instances[at].work else { return Settled::Yes };
    if child.after.is_empty() {
        return Settled::Yes;
    }
    let waits = block.instances[..at].iter().any(|one| match &one.work {
        Work::Child(other) => {
            other.named.as_ref().is_some_and(|name| child.after.contains(name))
                && !matches!(one.phase, InstancePhase::Gone(_))
        }
        Work::Unit(_) | Work::Broken(_) => false,
    });
    if waits {
        return Settled::NotYet;
    }
    let known = Relatives(child_values(block));
    let Work::Child(child) = &mut block.instances[at].work else { return Settled::Yes };
    child.settle(&known).map_or_else(|failure| Settled::Broken(failure.to_string()), |()| Settled::Yes)
}

/// Executions of the same step, by the names that their entries give them.
struct Relatives(BTreeMap<String, Value>);

impl Scope for Relatives {
    fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        match (name, args) {
            ("execution", [named]) => {
                Ok(self.0.get(&format!("{RELATIVE}{}", named.string_form())).map(|value| value.clone().into()))
            }
            _ => Ok(None),
        }
    }
}

/// What later steps can read of child executions that have a name of their own (`as`).
fn child_values(block: &Block) -> BTreeMap<String, Value> {
    let mut named: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for instance in &block.instances {
        let Work::Child(child) = &instance.work else { continue };
        let Some(name) = &child.named else { continue };
        let outputs = Value::map(child.outputs.iter().map(|(key, text)| (key.as_str(), text.clone().into())));
        let status = instance.phase.status().map_or("running", Status::word);
        named.entry(format!("{RELATIVE}{name}")).or_default().push(Value::map([
            ("id", child.id.clone().map_or(Value::None, Value::from)),
            ("name", instance.group.clone().into()),
            ("status", status.into()),
            ("outputs", outputs),
        ]));
    }
    named
        .into_iter()
        .map(|(name, mut list)| (name, if list.len() == 1 { list.remove(0) } else { Value::from(list) }))
        .collect()
}
