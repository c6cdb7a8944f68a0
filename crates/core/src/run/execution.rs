//! One execution: its plan folded with its log.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Block, ChildEnd, Event, InstancePhase, PackPurpose, Report, Seen, Status, StopHow, Timer, Told, UnitKey, UnitRun,
    WordId, Work,
};
use crate::{
    frame::{PackId, Source},
    plan::{Plan, UnitPlan},
};

mod advance;
mod alike;
pub(crate) mod blocks;
mod index;
mod logs;
mod unseen;
mod wants;

use index::{Index, Touched};

/// What the events of one execution amount to.
#[derive(Debug, Clone)]
pub struct Execution {
    pub(super) plan: Arc<Plan>,
    pub(super) offset: u64,
    pub(super) created: Option<Timestamp>,
    pub(super) units: BTreeMap<UnitKey, Unit>,
    /// By unit, step and attempt.
    pub(super) blocks: BTreeMap<BlockKey, Block>,
    pub(super) stop: Option<Stop>,
    /// Pauses (true) and resumes (false) that people asked for.
    pub(super) toggles: Vec<bool>,
    pub(super) ended: Option<(Status, Timestamp)>,
    index: Index,
}

/// Where a block hangs: its unit, the step and the attempt.
pub(super) type BlockKey = (UnitKey, usize, u32);

/// A stop that somebody asked for.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) how: StopHow,
    pub(super) reason: String,
}

/// One unit, as far as it is known.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The block that carries it; the main unit has none.
    pub carrier: Option<(UnitKey, usize, u32, usize)>,
    pub run: UnitRun,
    pub phase: UnitPhase,
    /// Why it was not heard of any more, also when nothing is left of it.
    pub lost: Option<String>,
    pub met_at: Option<Timestamp>,
    pub address: Option<String>,
    /// What keeps it from starting, as its place last said.
    pub held_up: Option<String>,
    /// The machine that it was put on, where its place has several.
    pub node: Option<String>,
    /// Why its place takes it away.
    pub leaving: Option<String>,
    pub(super) seq: u64,
    pub(super) heard: BTreeSet<WordId>,
    /// What it said of itself at its end, and where its output ends.
    pub over: Option<(Status, u64)>,
    pub(super) output_kept: bool,
    pub(super) packs: BTreeMap<PackId, Pack>,
    pub ready: bool,
    /// How often it has waited at a gate, and since when it does now.
    pub(super) gates: u32,
    pub(super) at_gate: Option<Timestamp>,
    /// The last gate that was not opened in time.
    pub(super) refused: u32,
    /// Test cases by report file.
    pub cases: Vec<(usize, String, Vec<super::Case>)>,
    /// How many artifacts it has handed over, and their bytes.
    pub artifacts: super::Entries,
}

/// Where a unit is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitPhase {
    /// It is wanted; nobody has met it.
    Wanted,
    /// This life was met.
    Met(String),
    /// It will not be heard of any more.
    Lost(String),
    /// Nothing is left of it.
    Reaped,
}

/// A pack that a unit has made.
#[derive(Debug, Clone)]
pub(super) struct Pack {
    pub(super) length: u64,
    pub(super) digest: String,
    pub(super) purpose: PackPurpose,
    pub(super) kept: Option<Result<(), String>>,
    /// The parent was told to unpack it.
    pub(super) handed: bool,
}

/// A log that does not fit its plan, or itself.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("event {offset} does not fit what came before it: {why}")]
pub struct Corrupt {
    pub offset: u64,
    pub why: String,
}

impl Execution {
    /// Folds a log. A new execution has an empty one.
    pub fn replay(plan: Arc<Plan>, log: &[Event]) -> Result<Self, Corrupt> {
        let main = Unit::new(Arc::new(plan.main.clone()), None);
        let mut execution = Execution {
            plan,
            offset: 0,
            created: None,
            units: BTreeMap::from([(UnitKey::main(), main)]),
            blocks: BTreeMap::new(),
            stop: None,
            toggles: Vec::new(),
            ended: None,
            index: Index::default(),
        };
        execution.note_unit(&UnitKey::main());
        for event in log {
            execution.apply(event)?;
        }
        Ok(execution)
    }

    /// The plan it carries out.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// How many events it has seen: the place of the next one in the log.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// When it began.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.created
    }

    /// Its end, once it is written down.
    pub fn ended(&self) -> Option<(Status, Timestamp)> {
        self.ended
    }

    /// All units that have been heard of, and the main one.
    pub fn units(&self) -> impl Iterator<Item = (&UnitKey, &Unit)> {
        self.units.iter()
    }

    /// One unit.
    pub fn unit(&self, key: &UnitKey) -> Option<&Unit> {
        self.units.get(key)
    }

    /// The blocks of a unit, by step and attempt.
    pub fn blocks_of<'a>(&'a self, unit: &'a UnitKey) -> impl Iterator<Item = (usize, u32, &'a Block)> {
        let all = (unit.clone(), 0, 0)..=(unit.clone(), usize::MAX, u32::MAX);
        self.blocks.range(all).map(|((_, step, attempt), block)| (*step, *attempt, block))
    }

    /// The newest attempt's block of a step.
    pub fn block(&self, unit: &UnitKey, step: usize) -> Option<&Block> {
        self.blocks.range((unit.clone(), step, 0)..=(unit.clone(), step, u32::MAX)).next_back().map(|(_, block)| block)
    }

    /// The id of an execution that a step has started.
    pub fn child(&self, unit: &UnitKey, step: usize, attempt: u32, index: usize) -> Option<String> {
        let instance = self.blocks.get(&(unit.clone(), step, attempt))?.instances.get(index)?;
        match &instance.work {
            Work::Child(child) => child.id.clone(),
            Work::Unit(_) | Work::Broken(_) => None,
        }
    }

    /// The ids of the executions that steps have started and that have not ended.
    pub fn children_under_way(&self) -> Vec<String> {
        let instances = self.blocks.values().flat_map(|block| &block.instances);
        let children = instances.filter(|one| one.phase == InstancePhase::Active).filter_map(|one| match &one.work {
            Work::Child(child) => child.id.clone(),
            Work::Unit(_) | Work::Broken(_) => None,
        });
        children.collect()
    }

    /// Whether somebody asked for a pause that nobody lifted.
    pub fn is_paused(&self) -> bool {
        self.toggles.last().copied().unwrap_or(false) || !self.index.paused.is_empty()
    }

    /// What the execution's status would be if nothing more went wrong.
    pub fn status(&self) -> Status {
        if let Some((status, _)) = self.ended {
            return status;
        }
        if self.is_paused() {
            return Status::Paused;
        }
        self.units.get(&UnitKey::main()).map_or(Status::Queued, |main| main.run.overall())
    }

    /// Takes one event in.
    pub fn apply(&mut self, event: &Event) -> Result<(), Corrupt> {
        let offset = self.offset;
        let corrupt = |why: &str| Corrupt { offset, why: why.to_owned() };
        if self.ended.is_some() {
            return Err(corrupt("the execution has ended"));
        }
        let touched = touched(event);
        match event {
            Event::Created { at } => self.created = Some(*at),
            Event::Met { unit, life, address, at } => {
                let known = self.unit_mut(unit).ok_or_else(|| corrupt("nobody asked for this unit"))?;
                known.phase = UnitPhase::Met(life.clone());
                known.met_at = Some(*at);
                known.held_up = None;
                known.address.clone_from(address);
            }
            Event::Reported { unit, life, seq, at, report } => {
                let known = self.unit_mut(unit).ok_or_else(|| corrupt("nobody asked for this unit"))?;
                if !known.is_life(life) || *seq != known.seq + 1 {
                    return Err(corrupt("a report is out of order"));
                }
                known.seq = *seq;
                known.hear(report, *at);
                self.answer(unit, report);
                if let Report::Heard { word } = report {
                    self.told(unit, word);
                }
            }
            Event::Seen { unit, seen, .. } => {
                let known = self.unit_mut(unit).ok_or_else(|| corrupt("nobody asked for this unit"))?;
                match seen {
                    Seen::Waiting { reason } => known.held_up = Some(reason.clone()),
                    Seen::Placed { node } => known.node = Some(node.clone()),
                    Seen::Leaving { reason } => known.leaving = Some(reason.clone()),
                }
            }
            Event::Lost { unit, reason, status, .. } => {
                let known = self.unit_mut(unit).ok_or_else(|| corrupt("nobody asked for this unit"))?;
                known.phase = UnitPhase::Lost(reason.clone());
                if let Some(status) = status {
                    known.over.get_or_insert((*status, 0));
                }
                known.lost = Some(reason.clone());
                known.run.lose();
            }
            Event::Kept { unit, source, error, .. } => self.keep(unit, source, error.clone()),
            Event::Reaped { unit, .. } => {
                let known = self.unit_mut(unit).ok_or_else(|| corrupt("nobody asked for this unit"))?;
                known.phase = UnitPhase::Reaped;
            }
            Event::ChildStarted { unit, step, attempt, index, id, name, .. } => {
                self.child_started(&(unit.clone(), *step, *attempt), *index, id, name);
            }
            Event::ChildEnded { unit, step, attempt, index, end, .. } => {
                self.child_ended(&(unit.clone(), *step, *attempt), *index, end);
            }
            Event::StopRequested { how, reason, .. } => {
                self.stop(*how, reason.clone());
            }
            Event::PauseRequested { .. } => self.toggles.push(true),
            Event::ResumeRequested { .. } => self.toggles.push(false),
            Event::Expired { timer, .. } => self.expire(timer),
            Event::Ended { status, at } => self.ended = Some((*status, *at)),
        }
        self.offset += 1;
        self.advance(touched);
        Ok(())
    }

    fn unit_mut(&mut self, key: &UnitKey) -> Option<&mut Unit> {
        self.units.get_mut(key)
    }

    fn keep(&mut self, unit: &UnitKey, source: &Source, error: Option<String>) {
        let Some(known) = self.units.get_mut(unit) else { return };
        match source {
            Source::Output => known.output_kept = true,
            Source::Pack(id) => {
                let Some(pack) = known.packs.get_mut(id) else { return };
                pack.kept = Some(error.map_or(Ok(()), Err));
                if let (PackPurpose::Artifacts { entries, .. }, Some(Ok(()))) = (&pack.purpose, &pack.kept) {
                    known.artifacts.files += entries.files;
                    known.artifacts.bytes += entries.bytes;
                }
            }
        }
    }

    fn expire(&mut self, timer: &Timer) {
        let reason = match timer {
            Timer::Deadline => {
                self.plan.limits.deadline.as_ref().map_or_else(String::new, |deadline| deadline.reason.clone())
            }
            Timer::Pause => {
                if let Some(main) = self.units.get_mut(&UnitKey::main()) {
                    main.refused = main.gates;
                }
                return;
            }
        };
        if self.stop.is_none() {
            self.stop(StopHow::Abort, reason);
        }
    }

    /// Whoever asked for it, a person or a limit: nothing of a block may start any more, save what always runs.
    fn stop(&mut self, how: StopHow, reason: String) {
        self.stop = Some(Stop { how, reason });
        for block in self.blocks.values_mut().filter(|block| !block.outlives_stop()) {
            block.stopping = true;
        }
    }

    /// Why it was stopped, if it was.
    pub fn stop_reason(&self) -> Option<(StopHow, &str)> {
        self.stop.as_ref().map(|stop| (stop.how, stop.reason.as_str()))
    }

    pub(super) fn child_stop(&self) -> Option<StopHow> {
        self.stop.as_ref().map(|stop| stop.how)
    }

    /// The end of a child as the step that started it shows it.
    pub fn end_of(end: &ChildEnd) -> String {
        end.error.clone().unwrap_or_else(|| end.status.to_string())
    }
}

fn touched(event: &Event) -> Touched {
    match event {
        Event::Met { unit, .. }
        | Event::Reported { unit, .. }
        | Event::Lost { unit, .. }
        | Event::Kept { unit, .. }
        | Event::Reaped { unit, .. } => Touched::Unit(unit.clone()),
        Event::ChildStarted { unit, step, attempt, .. } | Event::ChildEnded { unit, step, attempt, .. } => {
            Touched::Block((unit.clone(), *step, *attempt))
        }
        Event::StopRequested { .. }
        | Event::PauseRequested { .. }
        | Event::ResumeRequested { .. }
        | Event::Expired { .. } => Touched::All,
        // Nothing is wanted because of it: people are told.
        Event::Seen { .. } | Event::Created { .. } | Event::Ended { .. } => Touched::Nothing,
    }
}

impl Unit {
    pub(super) fn new(plan: Arc<UnitPlan>, carrier: Option<(UnitKey, usize, u32, usize)>) -> Self {
        Unit {
            carrier,
            run: UnitRun::new(plan),
            phase: UnitPhase::Wanted,
            lost: None,
            met_at: None,
            address: None,
            held_up: None,
            node: None,
            leaving: None,
            seq: 0,
            heard: BTreeSet::new(),
            over: None,
            output_kept: false,
            packs: BTreeMap::new(),
            ready: false,
            gates: 0,
            at_gate: None,
            refused: 0,
            cases: Vec::new(),
            artifacts: super::Entries::default(),
        }
    }

    fn is_life(&self, life: &str) -> bool {
        matches!(&self.phase, UnitPhase::Met(met) if met == life)
    }

    fn hear(&mut self, report: &Report, at: Timestamp) {
        match report {
            Report::Heard { word } => {
                self.heard.insert(word.clone());
            }
            Report::Packed { pack, length, digest, purpose } => {
                let (length, digest, purpose) = (*length, digest.clone(), purpose.clone());
                self.packs.insert(pack.clone(), Pack { length, digest, purpose, kept: None, handed: false });
            }
            Report::Paused { gate: true, .. } => {
                self.gates += 1;
                self.at_gate = Some(at);
            }
            Report::Resumed { .. } => self.at_gate = None,
            Report::Cases { step, file, cases, .. } => self.cases.push((*step, file.clone(), cases.clone())),
            Report::Ready => self.ready = true,
            Report::Over { status, output } => self.over = Some((*status, *output)),
            _ => {}
        }
        self.run.apply(report, at);
    }

    /// Everything it has is kept, or nothing more can be had of it.
    pub fn is_released(&self) -> bool {
        match self.phase {
            UnitPhase::Reaped | UnitPhase::Lost(_) => true,
            UnitPhase::Wanted => false,
            UnitPhase::Met(_) => {
                self.over.is_some() && self.output_kept && self.packs.values().all(|pack| pack.kept.is_some())
            }
        }
    }

    /// Files for others are still on their way here.
    fn is_packing(&self) -> bool {
        self.packs.values().any(|pack| pack.kept.is_none() && pack.purpose == PackPurpose::Transfer)
    }

    /// How it ended, once that is known.
    pub fn verdict(&self) -> Option<Status> {
        match (&self.over, &self.phase) {
            (Some((status, _)), _) => Some(*status),
            (None, UnitPhase::Lost(_) | UnitPhase::Reaped) => Some(Status::Aborted),
            (None, UnitPhase::Wanted | UnitPhase::Met(_)) => None,
        }
    }

    /// Packs of its artifacts whose fate it waits to hear of.
    pub(super) fn kept_packs(&self) -> impl Iterator<Item = (usize, u32, Told)> + '_ {
        self.packs.iter().filter_map(|(id, pack)| match (&pack.purpose, &pack.kept) {
            (PackPurpose::Artifacts { step, attempt, .. }, Some(kept)) => {
                let error = kept.as_ref().err().cloned();
                Some((*step, *attempt, Told::Kept { pack: id.clone(), error }))
            }
            _ => None,
        })
    }
}
