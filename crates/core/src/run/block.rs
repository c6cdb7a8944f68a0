//! A step whose work is other units or executions: its instances, and what its own unit is told about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{BlockRef, Status, Told, UnitKey};
use crate::{
    expr::Value,
    frame::PackId,
    plan::{ChildRequest, Labels, OnFailure, Role, UnitPlan},
};

/// What the instances of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    Parallel,
    Services,
    Execute { asynchronous: bool },
}

/// The instances of one attempt of a step.
#[derive(Debug, Clone)]
pub struct Block {
    pub kind: BlockKind,
    pub instances: Vec<Instance>,
    /// Instances at a time, started in order.
    pub parallelism: usize,
    /// So many failures end the others.
    pub max_failures: Option<usize>,
    /// Expression that says whether an instance's log is an artifact.
    pub logs: Option<String>,
    /// What the step's unit is told, in order, and how much of it it has heard.
    pub told: Vec<Told>,
    pub heard: usize,
    /// The same for the step that stops services.
    pub stop_told: Vec<Told>,
    pub stop_heard: usize,
    /// The step was told the end.
    pub done: bool,
    /// Nothing may start any more: a first failure, a stop, or services that are no longer needed.
    pub stopping: bool,
    /// A stop of the execution came before it was done: how it ended is the stop's doing.
    pub cut: bool,
    /// Its step always runs, or hangs below one that does: a stop leaves it to the window of the unit that carries it.
    pub always: bool,
    /// The step that waits for the services to be gone.
    pub stopper: Option<Stopper>,
    /// How many gates have been opened, by instance.
    pub opened: BTreeMap<usize, u32>,
    tally: Tally,
    /// What its instances were last told of it.
    shown: Face,
}

/// What the instances of a block depend on in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Face {
    stopping: bool,
    stopped: bool,
    opened: u64,
}

/// Where the instances of a block are, counted: a block may have thousands, and each event is about one.
#[derive(Debug, Clone, Default)]
struct Tally {
    /// They have a slot and are not gone.
    slots: BTreeSet<usize>,
    /// The first that never had a slot.
    next: usize,
    waiting: usize,
    gone: usize,
    /// They ended other than well.
    failed: usize,
}

/// What a block is made with.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) kind: BlockKind,
    pub(super) instances: Vec<Instance>,
    pub(super) parallelism: usize,
    pub(super) max_failures: Option<usize>,
    pub(super) logs: Option<String>,
    pub(super) stopping: bool,
    pub(super) always: bool,
}

/// The step that stops services.
#[derive(Debug, Clone)]
pub struct Stopper {
    pub step: usize,
    pub attempt: u32,
    /// Whether the step that had the services has failed.
    pub failed: bool,
    /// Instances that had failed when the stop came.
    pub unhealthy: BTreeSet<String>,
}

/// One instance of a block.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its unit; for a child execution the place that its id follows from.
    pub key: UnitKey,
    /// The name of its group: a service's, an entry's workflow.
    pub group: String,
    /// Its number within the group.
    pub index: usize,
    pub description: String,
    /// Its own matrix and shard values, for people.
    pub labels: Labels,
    pub work: Work,
    pub phase: InstancePhase,
    /// What it can be made in one with.
    pub block: Option<BlockRef>,
}

/// What an instance does.
#[derive(Debug, Clone)]
pub enum Work {
    Unit(Arc<UnitPlan>),
    Child(Box<ChildRequest>),
    /// It could not be made.
    Broken(String),
}

/// Where an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstancePhase {
    /// It has no slot, or nothing has been heard of it.
    Waiting,
    /// It was met.
    Active,
    /// Its result is known; it holds its slot until everything is kept and gone.
    Judged(Status),
    /// Nothing is left of it.
    Gone(Status),
}

impl InstancePhase {
    /// How it ended.
    pub fn status(self) -> Option<Status> {
        match self {
            InstancePhase::Waiting | InstancePhase::Active => None,
            InstancePhase::Judged(status) | InstancePhase::Gone(status) => Some(status),
        }
    }
}

impl Instance {
    /// Whether it ended other than well.
    pub fn has_failed(&self) -> bool {
        self.phase.status().is_some_and(|status| status != Status::Passed)
    }

    /// What its failure means, of a service that says so.
    pub fn on_failure(&self) -> Option<OnFailure> {
        match &self.work {
            Work::Unit(plan) => match &plan.role {
                Role::Service(service) => service.on_failure,
                Role::Main | Role::Worker => None,
            },
            Work::Child(_) | Work::Broken(_) => None,
        }
    }
}

impl Block {
    /// Instances of which none has begun.
    pub(super) fn new(draft: Draft) -> Self {
        let Draft { kind, instances, parallelism, max_failures, logs, stopping, always } = draft;
        let tally = Tally { waiting: instances.len(), ..Tally::default() };
        Block {
            kind,
            instances,
            parallelism,
            max_failures,
            logs,
            told: Vec::new(),
            heard: 0,
            stop_told: Vec::new(),
            stop_heard: 0,
            done: false,
            stopping,
            cut: stopping,
            always,
            stopper: None,
            opened: BTreeMap::new(),
            tally,
            shown: Face::default(),
        }
    }

    /// The instances that have a slot and, where nothing may start any more, have started.
    pub fn in_slots(&self) -> impl Iterator<Item = usize> + '_ {
        let begun = |at: &usize| !self.stopping || self.instances[*at].phase != InstancePhase::Waiting;
        self.tally.slots.iter().copied().filter(begun)
    }

    /// The instances that have a slot, also where nothing may start any more.
    pub(super) fn slots(&self) -> &BTreeSet<usize> {
        &self.tally.slots
    }

    /// Whether something that its instances depend on has changed since this was last asked.
    pub(super) fn turned(&mut self) -> bool {
        let opened = self.opened.values().map(|gates| u64::from(*gates)).sum();
        let face = Face { stopping: self.stopping, stopped: self.stopper.is_some(), opened };
        std::mem::replace(&mut self.shown, face) != face
    }

    /// The instance whose turn it is, if there is a free slot for it.
    pub(super) fn next_in_turn(&self) -> Option<usize> {
        let Tally { slots, next, .. } = &self.tally;
        let free = !self.stopping && slots.len() < self.parallelism.max(1);
        (free && *next < self.instances.len()).then_some(*next)
    }

    /// Gives a slot to the instance whose turn it is.
    pub(super) fn give_slot(&mut self) {
        self.tally.slots.insert(self.tally.next);
        self.tally.next += 1;
    }

    /// Moves an instance on.
    pub(super) fn move_on(&mut self, at: usize, phase: InstancePhase) {
        let before = std::mem::replace(&mut self.instances[at].phase, phase);
        let failed = |phase: InstancePhase| phase.status().is_some_and(|status| status != Status::Passed);
        let gone = |phase| matches!(phase, InstancePhase::Gone(_));
        let Tally { slots, waiting, gone: all_gone, failed: all_failed, .. } = &mut self.tally;
        let recount =
            |count: &mut usize, before: bool, after: bool| *count = *count + usize::from(after) - usize::from(before);
        recount(waiting, before == InstancePhase::Waiting, phase == InstancePhase::Waiting);
        recount(all_gone, gone(before), gone(phase));
        recount(all_failed, failed(before), failed(phase));
        if gone(phase) {
            slots.remove(&at);
        }
    }

    /// Whether a stop of the execution leaves it alone: services go when their step says so.
    pub fn outlives_stop(&self) -> bool {
        self.always || self.kind == BlockKind::Services
    }

    /// Instances that ended other than well.
    pub fn failures(&self) -> usize {
        self.tally.failed
    }

    /// Whether so many have failed that the others end.
    pub(super) fn has_failed_enough(&self) -> bool {
        self.max_failures.is_some_and(|most| self.failures() >= most)
    }

    /// Instances of which nothing has been heard.
    pub fn unstarted(&self) -> usize {
        self.tally.waiting
    }

    /// Every instance that will ever run is gone.
    pub fn is_over(&self) -> bool {
        let waiting = if self.stopping { self.tally.waiting } else { 0 };
        self.tally.gone + waiting == self.instances.len()
    }

    /// Says something in the step's output.
    pub fn say(&mut self, text: impl Into<String>) {
        self.told.push(Told::Line { text: text.into() });
    }

    /// Says something about an instance in the step's output.
    pub fn say_of(&mut self, at: usize, what: &str) {
        let width = self.instances.len().to_string().len();
        let instance = &self.instances[at];
        let mut text = match self.kind {
            BlockKind::Parallel => format!("worker/{:0width$}", at + 1),
            BlockKind::Services => format!("{}/{}", instance.group, instance.index),
            BlockKind::Execute { .. } => instance.group.clone(),
        };
        if !instance.description.is_empty() {
            text = format!("{text} ({})", instance.description);
        }
        self.say(format!("{text}: {what}"));
    }

    /// Hands a pack to the step's unit.
    pub fn hand_over(&mut self, pack: PackId, to: String) {
        self.told.push(Told::Unpack { pack, to });
    }

    /// Tells the step its end; only the first time counts.
    pub fn finish(&mut self, passed: bool, values: BTreeMap<String, Value>) {
        if !self.done {
            self.done = true;
            self.told.push(Told::Done { passed, values });
        }
    }

    /// Instances that ended other than well and that it matters of, named as people know them.
    pub fn unhealthy(&self) -> BTreeSet<String> {
        self.instances
            .iter()
            .filter(|instance| instance.has_failed() && instance.on_failure() != Some(OnFailure::Ignore))
            .map(|instance| format!("{}/{}", instance.group, instance.index))
            .collect()
    }
}
