//! What ought to be under way, computed afresh from the fold.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Execution, Unit, UnitPhase};
use crate::duration::GoDuration;
use crate::plan::{KeepPod, Limits, StatusRule};
use crate::run::{
    BlockKind, BlockRef, ChildWant, Ending, InstancePhase, Keep, PackPurpose, ReapHow, Status, StopHow, Timer, Told,
    UnitKey, UnitWant, Wanted, Word, WordId, block::Work,
};

impl Execution {
    /// What ought to be under way; nothing once the execution has ended.
    pub fn wanted(&self) -> Option<Wanted> {
        self.wanted_of(self.index.live.iter())
    }

    /// The same, without the units of which nothing else is wanted than when this was last asked.
    pub fn changes(&mut self) -> Option<Wanted> {
        let changed = std::mem::take(&mut self.index.changed);
        let (live, gone) = changed.into_iter().partition::<BTreeSet<_>, _>(|key| self.index.live.contains(key));
        Some(Wanted { gone, ..self.wanted_of(live.iter())? })
    }

    fn wanted_of<'a>(&self, units: impl Iterator<Item = &'a UnitKey>) -> Option<Wanted> {
        if self.ended.is_some() {
            return None;
        }
        let units = units.filter_map(|key| Some((key.clone(), self.unit_want(key, self.units.get(key)?)))).collect();
        let children = self.children();
        let end = (self.index.live.is_empty() && children.is_empty()).then(|| self.final_status());
        Some(Wanted { units, gone: BTreeSet::new(), children, timers: self.timers(), end })
    }

    pub(super) fn timers(&self) -> BTreeMap<Timer, Timestamp> {
        let mut timers = BTreeMap::new();
        let after = |start: Timestamp, millis: u64| {
            start.saturating_add(SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
        };
        if self.stop.is_none()
            && let (Some(start), Some(deadline)) = (self.created, &self.plan.limits.deadline)
            && let Ok(moment) = after(start, deadline.after)
        {
            timers.insert(Timer::Deadline, moment);
        }
        if let (Some(start), Some(limit)) = (self.unopened(), self.plan.limits.pause)
            && let Ok(moment) = after(start, limit)
        {
            timers.insert(Timer::Pause, moment);
        }
        timers
    }

    /// Since when the execution's own unit has waited at a gate that somebody has to open. Gates of workers open by
    /// themselves, and a pause that a person asked for lasts as long as the person likes.
    fn unopened(&self) -> Option<Timestamp> {
        let main = self.units.get(&UnitKey::main())?;
        let waits = matches!(main.phase, UnitPhase::Met(_)) && main.over.is_none() && main.refused < main.gates;
        let asked = self.toggles.last() == Some(&true);
        main.at_gate.filter(|_| waits && !asked && self.stop.is_none())
    }

    fn unit_want(&self, key: &UnitKey, unit: &Unit) -> UnitWant {
        let killed = self.stop.as_ref().is_some_and(|stop| stop.how == StopHow::Kill);
        let unwanted = unit.phase == UnitPhase::Wanted && self.is_unwanted(unit);
        let released = unit.is_released();
        let reap = if killed || unwanted || matches!(unit.phase, UnitPhase::Lost(_)) {
            Some(ReapHow::Now)
        } else {
            released.then_some(ReapHow::Gently)
        };
        let life = match &unit.phase {
            UnitPhase::Met(life) => Some(life.clone()),
            UnitPhase::Wanted | UnitPhase::Lost(_) | UnitPhase::Reaped => None,
        };
        let words = if life.is_some() { self.words(key, unit, released) } else { Vec::new() };
        let keep = unit
            .packs
            .iter()
            .filter(|(_, pack)| pack.kept.is_none() && !matches!(unit.phase, UnitPhase::Lost(_)))
            .map(|(id, pack)| Keep {
                pack: id.clone(),
                length: pack.length,
                digest: pack.digest.clone(),
                artifacts: matches!(pack.purpose, PackPurpose::Artifacts { .. }).then(|| self.prefix(unit)),
            })
            .collect();
        UnitWant {
            plan: unit.run.plan().clone(),
            block: self.block_ref(key, unit),
            life,
            start: self.plan.limits.initialization.filter(|_| unit.carrier.is_none()).unwrap_or(Limits::START),
            seq: unit.seq,
            words,
            keep,
            output_end: unit.over.filter(|_| !unit.output_kept).map(|(_, end)| end),
            log_artifact: self.log_artifact(unit),
            leave: match self.plan.limits.keep_pod {
                _ if killed || unwanted => false,
                KeepPod::Never => false,
                KeepPod::OnFailure => unit.verdict().is_some_and(|status| status != Status::Passed),
                KeepPod::Always => true,
            },
            reap,
        }
    }

    /// The block that a unit is made in one with; what is made again is made by itself.
    fn block_ref(&self, key: &UnitKey, unit: &Unit) -> Option<BlockRef> {
        let (carrier, step, attempt, at) = unit.carrier.as_ref().filter(|_| key.attempt == 0)?;
        let block = self.blocks.get(&(carrier.clone(), *step, *attempt))?;
        let made = block.instances.get(*at)?.block.clone()?;
        Some(BlockRef { closing: block.stopping, ..made })
    }

    /// A unit that nobody has met and whose block has no more use for it.
    fn is_unwanted(&self, unit: &Unit) -> bool {
        let Some((carrier, step, attempt, at)) = &unit.carrier else { return self.stop.is_some() };
        self.blocks.get(&(carrier.clone(), *step, *attempt)).is_none_or(|block| {
            block.stopping && block.instances.get(*at).is_none_or(|one| one.phase == InstancePhase::Waiting)
        })
    }

    fn words(&self, key: &UnitKey, unit: &Unit, released: bool) -> Vec<(WordId, Word)> {
        let mut words = Vec::new();
        let mut say = |id: String, word: Word| {
            let id = WordId(id);
            if !unit.heard.contains(&id) {
                words.push((id, word));
            }
        };
        say("begin".to_owned(), Word::Begin { plan: unit.run.plan().clone(), values: Box::default() });
        if !self.toggles.is_empty() {
            let word = if self.toggles.last() == Some(&true) { Word::Pause } else { Word::Resume { gate: false } };
            say(format!("toggle:{}", self.toggles.len()), word);
        }
        if let Some(gates) = self.opened_gates(unit) {
            say(format!("open:{gates}"), Word::Resume { gate: true });
        }
        if unit.refused > 0 {
            let limit = self.plan.limits.pause.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(0);
            let limit = GoDuration::from_nanos(limit.saturating_mul(1_000_000));
            let reason = format!("nobody resumed the run within {limit}");
            say(format!("refuse:{}", unit.refused), Word::Refuse { reason });
        }
        for (step, attempt, block) in self.blocks_of(key) {
            for (place, told) in block.told.iter().enumerate().skip(block.heard) {
                say(format!("tell:{step}:{attempt}:{place}"), Word::Tell { step, attempt, told: told.clone() });
            }
            if let Some(stopper) = &block.stopper {
                for (place, told) in block.stop_told.iter().enumerate().skip(block.stop_heard) {
                    let tell = Word::Tell { step: stopper.step, attempt: stopper.attempt, told: told.clone() };
                    say(format!("stopped:{step}:{attempt}:{place}"), tell);
                }
            }
        }
        for (step, attempt, told) in unit.kept_packs() {
            let Told::Kept { pack, .. } = &told else { continue };
            say(format!("kept:{}", pack.0), Word::Tell { step, attempt, told: told.clone() });
        }
        if let Some((ending, reason)) = self.stop_for(key, unit) {
            let limits = &self.plan.limits;
            let (grace, window) = if super::blocks::is_service(unit.run.plan()) {
                (0, 0)
            } else {
                (limits.stop_grace, limits.stop_window)
            };
            say("stop".to_owned(), Word::Stop { ending, reason, grace, window });
        }
        if released {
            say("bye".to_owned(), Word::Bye);
        }
        words
    }

    fn opened_gates(&self, unit: &Unit) -> Option<u32> {
        let (carrier, step, attempt, at) = unit.carrier.as_ref()?;
        self.blocks.get(&(carrier.clone(), *step, *attempt))?.opened.get(at).copied()
    }

    /// Whether a unit is to stop, and why. Workers go first: what they hand back needs their parent.
    fn stop_for(&self, key: &UnitKey, unit: &Unit) -> Option<(Ending, String)> {
        let own = self.stop.as_ref().map(|stop| (stop.how.ending(), stop.reason.clone()));
        let (ending, reason) = match &unit.carrier {
            None => own?,
            Some((carrier, step, attempt, _)) => {
                let block = self.blocks.get(&(carrier.clone(), *step, *attempt))?;
                match block.kind {
                    BlockKind::Services if block.stopping => (Ending::Aborted, "the services are stopped".to_owned()),
                    BlockKind::Services => return None,
                    _ if own.is_some() && !block.always => own?,
                    _ if block.stopping => (Ending::Aborted, "another worker failed, or the step is over".to_owned()),
                    _ => return None,
                }
            }
        };
        let busy = self.blocks_of(key).any(|(_, _, block)| !block.outlives_stop() && !block.done && !block.is_over());
        (!busy).then_some((ending, reason))
    }

    fn children(&self) -> BTreeMap<UnitKey, ChildWant> {
        let mut children = BTreeMap::new();
        for key in &self.index.open {
            let Some(block) = self.blocks.get(key) else { continue };
            let ((unit, step, attempt), BlockKind::Execute { .. }) = (key, block.kind) else { continue };
            for at in block.in_slots() {
                let instance = &block.instances[at];
                let Work::Child(request) = &instance.work else { continue };
                let stop = (block.stopping && !request.leave).then(|| self.child_stop().unwrap_or(StopHow::Abort));
                let want = ChildWant {
                    unit: unit.clone(),
                    step: *step,
                    attempt: *attempt,
                    index: at,
                    request: (**request).clone(),
                    id: self.child_id(&instance.key, *attempt),
                    stop,
                };
                children.insert(UnitKey { place: instance.key.place.clone(), attempt: *attempt }, want);
            }
        }
        children
    }

    /// The id of a child follows from where it hangs, so that asking twice is asking once.
    fn child_id(&self, key: &UnitKey, attempt: u32) -> String {
        let parent = &self.plan.execution.id;
        format!("{parent}.{}.{attempt}", key.folder())
    }

    /// Where a unit's artifacts go: below the steps and numbers (from 1) of the blocks it hangs in.
    fn prefix(&self, unit: &Unit) -> String {
        let Some((carrier, step, _, at)) = &unit.carrier else { return String::new() };
        let Some(parent) = self.units.get(carrier) else { return String::new() };
        let above = self.prefix(parent);
        if super::blocks::is_service(unit.run.plan()) {
            return above;
        }
        format!("{above}{}/{}/", parent.run.step(*step).r#ref, at + 1)
    }

    /// The name that a unit's log has among the artifacts, where it is one.
    fn log_artifact(&self, unit: &Unit) -> Option<String> {
        let (carrier, step, attempt, at) = unit.carrier.as_ref()?;
        let parent = self.units.get(carrier)?;
        let block = self.blocks.get(&(carrier.clone(), *step, *attempt))?;
        let instance = block.instances.get(*at)?;
        let failed = unit.verdict().is_some_and(|status| status != Status::Passed);
        let above = self.prefix(parent);
        let r#ref = &parent.run.step(*step).r#ref;
        match block.kind {
            BlockKind::Parallel => {
                super::logs::wanted(block.logs.as_deref().unwrap_or("always"), failed, instance, block)
                    .then(|| format!("{above}.testkube/{ref}/logs/{at}.log"))
            }
            BlockKind::Services => {
                let failed = block.stopper.as_ref().is_some_and(|stopper| stopper.failed) || self.stop.is_some();
                let condition = service_logs(parent, *step, &instance.group);
                super::logs::wanted(condition.as_deref().unwrap_or("failed"), failed, instance, block)
                    .then(|| format!("{above}.testkube/{ref}/logs/{}/{}.log", instance.group, instance.index))
            }
            BlockKind::Execute { .. } => None,
        }
    }

    fn final_status(&self) -> Status {
        let main = self.units.get(&UnitKey::main());
        match (&self.stop, main.and_then(Unit::verdict)) {
            (_, Some(status @ (Status::Passed | Status::Failed))) if main.is_some_and(|main| main.over.is_some()) => {
                match (self.plan.status, main) {
                    (StatusRule::Reference, Some(main)) => main.run.overall_as_reference(),
                    (StatusRule::Tree, _) | (_, None) => status,
                }
            }
            (Some(stop), _) => match stop.how.ending() {
                Ending::Canceled => Status::Canceled,
                Ending::Aborted => Status::Aborted,
            },
            (None, Some(Status::Canceled)) => Status::Canceled,
            (None, _) => Status::Aborted,
        }
    }
}

/// The condition under which a service's log is an artifact.
fn service_logs(parent: &Unit, start: usize, name: &str) -> Option<String> {
    let start = &parent.run.step(start).r#ref;
    parent.run.plan().steps.iter().find_map(|step| match &step.operation {
        Some(crate::plan::Operation::StopServices { start: of, logs }) if of == start => {
            logs.iter().find(|(service, _)| service == name).and_then(|(_, condition)| condition.clone())
        }
        _ => None,
    })
}
