//! What a unit's reports amount to: which step is where, and what comes next.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{Ending, Outcome, Report, Status};
use crate::{
    expr::{ExprError, Value},
    plan::{Step, UnitPlan},
};

/// Begins the names of values about executions of the same family.
pub const RELATIVE: &str = "execution.";
/// What the execution that started this one is called.
pub const PARENT: &str = "parent";
/// An id of an execution is at least as long.
const SHORTEST_ID: usize = 32;

/// The state of one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepState {
    pub entered_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub skipped: bool,
    /// Attempts begun.
    pub attempts: u32,
    /// Whether the last attempt that began has not ended.
    pub running: bool,
    /// How the last attempt ended, of a leaf that is over.
    pub outcome: Option<Outcome>,
    /// A group's time is up.
    pub timed_out: bool,
    /// Of what a group has failed, beside its steps.
    pub failed: Option<String>,
    pub paused: bool,
    /// Its own `paused: true` has been lifted.
    pub gate_open: bool,
    pub outputs: BTreeMap<String, String>,
}

/// What ought to be done next in a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Evaluate the step's conditions, then enter or skip it.
    Decide(usize),
    /// Skip it without a look: nothing of its kind may start any more.
    Skip(usize),
    /// Carry out the operation, as the attempt of this number.
    Attempt(usize, u32),
    /// Nothing is left to do.
    Over,
}

/// A unit's plan with what has happened to it.
#[derive(Debug, Clone)]
pub struct UnitRun {
    plan: Arc<UnitPlan>,
    steps: Vec<StepState>,
    stopping: Option<(Ending, String)>,
    closed: bool,
    emitted: BTreeMap<String, Value>,
    /// What the engine told: services and child executions by name.
    told: BTreeMap<String, Value>,
    last: Option<Timestamp>,
    /// It will not be heard of any more.
    lost: bool,
    /// The leaf where it stood then, if it had begun.
    lost_at: Option<usize>,
}

impl UnitRun {
    /// Nothing has happened yet.
    pub fn new(plan: Arc<UnitPlan>) -> Self {
        let steps = vec![StepState::default(); plan.steps.len()];
        let (emitted, told) = (BTreeMap::new(), BTreeMap::new());
        UnitRun { plan, steps, stopping: None, closed: false, emitted, told, last: None, lost: false, lost_at: None }
    }

    /// What is carried out.
    pub fn plan(&self) -> &Arc<UnitPlan> {
        &self.plan
    }

    /// The state of a step.
    pub fn state(&self, step: usize) -> &StepState {
        &self.steps[step]
    }

    /// The plan of a step.
    pub fn step(&self, step: usize) -> &Step {
        &self.plan.steps[step]
    }

    /// Values that commands printed for later steps.
    pub fn emitted(&self) -> &BTreeMap<String, Value> {
        &self.emitted
    }

    /// Values that the engine told, by name.
    pub fn told(&self) -> &BTreeMap<String, Value> {
        &self.told
    }

    /// What is known of an execution of the same family: `parent`, or what a step that has passed by calls it (`as`).
    pub fn relative(&self, named: &str) -> Result<&Value, ExprError> {
        self.told.get(&format!("{RELATIVE}{named}")).ok_or_else(|| {
            let names: Vec<_> = self.told.keys().filter_map(|name| name.strip_prefix(RELATIVE)).collect();
            ExprError::new(match (named, names.is_empty()) {
                (PARENT, _) => "no execution has started this one, so it has no parent".to_owned(),
                (_, true) => {
                    format!("no execution is called \"{named}\" here: nothing has been executed yet with `as`")
                }
                (_, false) => format!("no execution is called \"{named}\" here; there are {}", names.join(", ")),
            })
        })
    }

    /// The id of an execution of the same family, by its name or by itself.
    pub fn relative_id(&self, named: &str) -> Result<String, ExprError> {
        match self.relative(named) {
            Ok(Value::Map(one)) => Ok(one.get("id").map(|id| id.string_form().into_owned()).unwrap_or_default()),
            Ok(_) => Err(ExprError::new(format!(
                "\"{named}\" is several executions: say which by its id, as in execution(\"{named}\")[0].id"
            ))),
            // Ids are long and contain no word that somebody would choose.
            Err(_) if named.len() >= SHORTEST_ID => Ok(named.to_owned()),
            Err(error) => Err(error),
        }
    }

    /// Remembers a value that the engine told.
    pub fn remember(&mut self, name: String, value: Value) {
        self.told.insert(name, value);
    }

    /// Whether it stands still.
    pub fn is_paused(&self) -> bool {
        self.steps.first().is_some_and(|root| root.paused)
    }

    /// Whether a stop took effect, and why.
    pub fn stopping(&self) -> Option<(Ending, &str)> {
        self.stopping.as_ref().map(|(ending, reason)| (*ending, reason.as_str()))
    }

    /// The number of the step whose id is `id`.
    pub fn by_id(&self, id: &str) -> Option<usize> {
        self.plan.steps.iter().position(|step| step.id.as_deref() == Some(id))
    }

    /// Takes one report in. A report about a step that the plan does not have is ignored: code in a unit can lie about
    /// that unit, and about nothing else.
    pub fn apply(&mut self, report: &Report, at: Timestamp) {
        self.last = Some(at);
        match report {
            Report::Entered { step } => self.with(*step, |state| state.entered_at = Some(at)),
            Report::Skipped { step } => {
                let end = self.plan.steps.get(*step).map_or(*step, |plan| plan.end);
                for inner in *step..end {
                    self.with(inner, |state| {
                        state.skipped = true;
                        state.finished_at = Some(at);
                    });
                }
            }
            Report::Started { step, attempt } => self.with(*step, |state| {
                state.attempts = attempt + 1;
                state.running = true;
                state.outputs.clear();
            }),
            Report::Attempted { step, outcome, again, .. } => {
                let (ended, outcome) = (!again, outcome.clone());
                self.with(*step, |state| {
                    state.running = false;
                    if ended {
                        state.outcome = Some(outcome);
                        state.finished_at = Some(at);
                    }
                });
            }
            Report::TimedOut { step } => self.with(*step, |state| state.timed_out = true),
            Report::Failed { step, reason } => self.with(*step, |state| state.failed = Some(reason.clone())),
            Report::Paused { step, .. } => self.mark_paused(*step, true),
            Report::Resumed { step } => {
                self.mark_paused(*step, false);
                self.with(*step, |state| state.gate_open = true);
            }
            Report::Stopping { ending, reason } => self.stopping = Some((*ending, reason.clone())),
            Report::Closed => self.closed = true,
            Report::Outputs { step, values } => {
                let values = values.clone();
                self.with(*step, |state| state.outputs = values);
            }
            Report::Emitted { name, value } => {
                self.emitted.insert(name.clone(), value.clone());
            }
            Report::Heard { .. }
            | Report::Requested { .. }
            | Report::Packed { .. }
            | Report::Cases { .. }
            | Report::Ready
            | Report::Restarted { .. }
            | Report::Warned { .. }
            | Report::Over { .. } => {}
        }
    }

    /// It will not be heard of any more: where it stood is aborted, and what was to follow is skipped; of a unit that never
    /// began, everything.
    pub fn lose(&mut self) {
        let open = |at: &usize| {
            let (step, state) = (&self.plan.steps[*at], &self.steps[*at]);
            step.operation.is_some() && !state.skipped && state.outcome.is_none()
        };
        self.lost = true;
        self.lost_at = (0..self.steps.len()).find(open).filter(|_| self.last.is_some());
    }

    fn with(&mut self, step: usize, change: impl FnOnce(&mut StepState)) {
        if let Some(state) = self.steps.get_mut(step) {
            change(state);
        }
    }

    fn mark_paused(&mut self, step: usize, paused: bool) {
        let mut at = Some(step);
        while let Some(step) = at {
            self.with(step, |state| state.paused = paused);
            at = self.plan.steps.get(step).and_then(|plan| plan.parent);
        }
    }

    /// What ought to be done next.
    pub fn next(&self) -> Next {
        let mut at = 0;
        while let Some(step) = self.plan.steps.get(at) {
            let state = &self.steps[at];
            if state.skipped || state.outcome.is_some() {
                at = step.end;
            } else if state.entered_at.is_none() {
                return if self.may_start(at) { Next::Decide(at) } else { Next::Skip(at) };
            } else if step.operation.is_some() {
                return if state.running || self.may_start(at) {
                    Next::Attempt(at, state.attempts)
                } else {
                    Next::Skip(at)
                };
            } else {
                at += 1;
            }
        }
        Next::Over
    }

    /// Whether a command was killed or an expression could not be computed: then nothing more runs.
    pub fn is_broken(&self) -> bool {
        self.steps.iter().any(|state| matches!(state.outcome, Some(Outcome::Killed { .. } | Outcome::Fatal { .. })))
    }

    /// Whether a group around a step is out of time or has failed.
    pub fn is_cut_short(&self, step: usize) -> bool {
        let over = |group: usize| self.steps[group].timed_out || self.steps[group].failed.is_some();
        self.ancestors(step).any(over)
    }

    /// After a stop, or in a group that is cut short, only what always runs may start.
    fn may_start(&self, step: usize) -> bool {
        if self.closed || self.is_broken() {
            return false;
        }
        let restricted = self.stopping.is_some() || self.is_cut_short(step);
        !restricted || self.holds_always(step)
    }

    /// Whether the step is, or has inside, an operation that always runs.
    fn holds_always(&self, step: usize) -> bool {
        self.plan.steps[step..self.plan.steps[step].end]
            .iter()
            .any(|inner| inner.operation.is_some() && inner.is_always())
    }

    /// The groups around a step, innermost first.
    pub fn ancestors(&self, step: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.plan.steps.get(step).and_then(|plan| plan.parent), |group| {
            self.plan.steps[*group].parent
        })
    }

    /// The steps directly inside a group.
    pub fn children(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.plan.steps[group].end;
        std::iter::successors(Some(group + 1).filter(|child| *child < end), move |child| {
            Some(self.plan.steps[*child].end).filter(|next| *next < end)
        })
    }

    /// Whether everything required before `step`, at every depth, passed or was skipped.
    pub fn passed_before(&self, step: usize) -> bool {
        std::iter::once(step).chain(self.ancestors(step)).all(|node| {
            let Some(group) = self.plan.steps[node].parent else { return true };
            self.children(group).take_while(|sibling| *sibling != node).all(|sibling| self.is_fine(sibling))
        })
    }

    fn is_fine(&self, step: usize) -> bool {
        if self.plan.steps[step].optional {
            return true;
        }
        let status = self.status(step);
        !status.is_final() || status.is_fine()
    }

    /// How a step stands.
    pub fn status(&self, step: usize) -> Status {
        let (plan, state) = (&self.plan.steps[step], &self.steps[step]);
        if state.skipped {
            return Status::Skipped;
        }
        if self.lost && plan.operation.is_none() {
            let skipped = self.children(step).all(|child| self.status(child) == Status::Skipped);
            return if skipped { Status::Skipped } else { self.group_status(step) };
        }
        if self.lost && state.outcome.is_none() {
            return if self.lost_at == Some(step) { Status::Aborted } else { Status::Skipped };
        }
        if state.entered_at.is_none() {
            return Status::Queued;
        }
        if plan.operation.is_some() {
            return match &state.outcome {
                None if state.paused => Status::Paused,
                None => Status::Running,
                Some(outcome) => self.leaf_status(plan, outcome),
            };
        }
        self.group_status(step)
    }

    fn leaf_status(&self, plan: &Step, outcome: &Outcome) -> Status {
        match outcome {
            Outcome::Exit { code } if (*code == 0) != plan.negative => Status::Passed,
            Outcome::Error { .. } if plan.negative => Status::Passed,
            Outcome::Exit { .. } | Outcome::Error { .. } | Outcome::Failed { .. } => Status::Failed,
            Outcome::TimedOut { .. } => Status::Timeout,
            Outcome::Killed { .. } | Outcome::Fatal { .. } => Status::Aborted,
            Outcome::Stopped => match self.stopping {
                Some((Ending::Canceled, _)) => Status::Canceled,
                Some((Ending::Aborted, _)) | None => Status::Aborted,
            },
        }
    }

    fn group_status(&self, group: usize) -> Status {
        let (plan, state) = (&self.plan.steps[group], &self.steps[group]);
        let over = self.children(group).all(|child| self.status(child).is_final());
        if !over {
            return if state.paused { Status::Paused } else { Status::Running };
        }
        for ending in [Status::Canceled, Status::Aborted] {
            if self.children(group).any(|child| self.status(child) == ending) {
                return ending;
            }
        }
        if state.timed_out {
            return Status::Timeout;
        }
        let failed = state.failed.is_some()
            || self.children(group).any(|child| !self.plan.steps[child].optional && !self.status(child).is_fine());
        if failed == plan.negative { Status::Passed } else { Status::Failed }
    }

    /// How the unit as a whole stands.
    pub fn overall(&self) -> Status {
        if self.next() != Next::Over {
            return match self.steps.first() {
                Some(root) if root.paused => Status::Paused,
                Some(root) if root.entered_at.is_some() => Status::Running,
                _ => Status::Queued,
            };
        }
        if let Some((ending, _)) = self.stopping {
            return ending.status();
        }
        if self.is_broken() {
            return Status::Aborted;
        }
        match self.status(0) {
            Status::Passed | Status::Skipped => Status::Passed,
            _ => Status::Failed,
        }
    }

    /// How the unit stands by the reference's flat scan of its steps (`spec.system.status: reference`).
    pub fn overall_as_reference(&self) -> Status {
        let shown = || {
            (1..self.plan.steps.len()).filter(|at| {
                let step = &self.plan.steps[*at];
                step.operation.is_some() || step.name.is_some() || step.optional || step.negative
            })
        };
        let has = |status: Status| shown().any(|at| self.status(at) == status);
        let counts = |at: &usize| !self.plan.steps[*at].optional;
        if has(Status::Canceled) {
            Status::Canceled
        } else if has(Status::Aborted) {
            Status::Aborted
        } else if shown().filter(counts).any(|at| self.status(at) == Status::Failed) {
            Status::Failed
        } else if shown().filter(counts).all(|at| self.status(at).is_fine()) {
            Status::Passed
        } else {
            Status::Aborted
        }
    }

    /// The exit code that a step shows: the real one, 137 when it was killed or ran out of time.
    pub fn exit_code(&self, step: usize) -> Option<i32> {
        match self.steps[step].outcome.as_ref()? {
            Outcome::Exit { code } => Some(*code),
            Outcome::Error { .. } => Some(1),
            Outcome::Killed { .. } => Some(137),
            Outcome::Fatal { code, .. } => *code,
            Outcome::TimedOut { .. } | Outcome::Failed { .. } | Outcome::Stopped => None,
        }
    }

    /// When the unit was last heard.
    pub fn last_heard(&self) -> Option<Timestamp> {
        self.last
    }
}
