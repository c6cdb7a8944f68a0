//! Pausing, resuming, and taking down what runs: by a stop, a timeout or silence, all on one path.

use std::time::Duration;

use testudo_core::run::{Ending, Next, Outcome, Report, Told, UnitRun};
use tokio::{sync::mpsc, task::AbortHandle, time::Instant};

use super::{Agent, Fall, clock::Limit};

/// The operation under way.
pub(super) struct Activity {
    pub(super) id: u64,
    pub(super) step: usize,
    pub(super) attempt: u32,
    pub(super) task: AbortHandle,
    pub(super) told: mpsc::UnboundedSender<Told>,
    pub(super) limit: Option<Limit>,
    pub(super) killing: Option<Killing>,
    /// A command, and how long it takes to end when it is asked to.
    pub(super) lingers: Option<Duration>,
    pub(super) always: bool,
}

/// It is being taken down.
pub(super) struct Killing {
    pub(super) outcome: Outcome,
    /// When it ends, at the latest.
    pub(super) at: Instant,
}

/// What is due next.
enum Due {
    Kill,
    Leaf,
    Group(usize),
    Window,
    Retry,
    Orphan,
}

impl Agent {
    /// When something is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.dues().into_iter().map(|(moment, _)| moment).min()
    }

    fn dues(&self) -> Vec<(Instant, Due)> {
        let mut dues = Vec::new();
        if let Some(activity) = &self.activity {
            if let Some(killing) = &activity.killing {
                dues.push((killing.at, Due::Kill));
            } else {
                let leaf = activity.limit.and_then(|limit| self.clock.moment(limit));
                dues.extend(leaf.map(|moment| (moment, Due::Leaf)));
            }
        }
        if let Some(run) = &self.run {
            for (group, limit) in &self.limits {
                let open = !run.state(*group).timed_out && !run.status(*group).is_final();
                if open && let Some(moment) = self.clock.moment(*limit) {
                    dues.push((moment, Due::Group(*group)));
                }
            }
        }
        dues.extend(self.window.filter(|_| !self.over).map(|moment| (moment, Due::Window)));
        let retry = self.not_before.and_then(|limit| self.clock.moment(limit));
        dues.extend(retry.map(|moment| (moment, Due::Retry)));
        dues.push((self.last_heard + self.place.world.orphan_limit, Due::Orphan));
        dues
    }

    /// Does what is due.
    pub(super) fn act_on_time(&mut self) -> Result<(), Fall> {
        let first = self.dues().into_iter().min_by_key(|(moment, _)| *moment);
        let Some((_, due)) = first.filter(|(moment, _)| *moment <= Instant::now()) else { return Ok(()) };
        match due {
            Due::Kill => self.ended(Outcome::Stopped),
            Due::Leaf => {
                let grace = self.grace();
                self.take_down(Outcome::TimedOut { by: None }, grace)
            }
            Due::Group(group) => {
                self.report(Report::TimedOut { step: group })?;
                let inside = self.activity.as_ref().is_some_and(|activity| {
                    self.run.as_ref().is_some_and(|run| run.ancestors(activity.step).any(|step| step == group))
                });
                if inside {
                    let grace = self.grace();
                    self.take_down(Outcome::TimedOut { by: Some(group) }, grace)?;
                }
                Ok(())
            }
            Due::Window => {
                self.window = None;
                self.report(Report::Closed)?;
                self.take_down(Outcome::Stopped, Duration::ZERO)
            }
            Due::Retry => {
                self.not_before = None;
                Ok(())
            }
            Due::Orphan => self.orphaned(),
        }
    }

    fn grace(&self) -> Duration {
        let step = self.activity.as_ref().and_then(|activity| Some(self.run.as_ref()?.step(activity.step)));
        Duration::from_millis(step.map_or(0, |step| step.grace))
    }

    /// The group of a step has failed: what runs in it is taken down, and only what always runs may still start.
    pub(super) fn group_failed(&mut self, step: usize, reason: &str) -> Result<(), Fall> {
        let Some(run) = &self.run else { return Ok(()) };
        let Some(group) = run.step(step).parent else { return Ok(()) };
        if self.over || run.status(group).is_final() || run.state(group).failed.is_some() {
            return Ok(());
        }
        let inside = self
            .activity
            .as_ref()
            .is_some_and(|activity| !activity.always && run.ancestors(activity.step).any(|around| around == group));
        self.report(Report::Failed { step: group, reason: reason.to_owned() })?;
        if inside {
            let grace = self.grace();
            self.take_down(Outcome::Failed { by: group, reason: reason.to_owned() }, grace)?;
        }
        Ok(())
    }

    /// Nobody has spoken for too long: first the unit is stopped in order, then, after as long again, it ends.
    fn orphaned(&mut self) -> Result<(), Fall> {
        self.last_heard = Instant::now();
        self.place.note(|book| book.orphaned.insert(self.at.clone()));
        let stopped = self.run.as_ref().is_none_or(|run| run.stopping().is_some());
        if self.over || stopped {
            self.bye = true;
            return Ok(());
        }
        self.stop(Ending::Aborted, "nobody asked for this unit any more".to_owned(), 10_000, 60_000)
    }

    /// Ends what runs: asks, waits for the grace period, takes down.
    pub(super) fn take_down(&mut self, outcome: Outcome, grace: Duration) -> Result<(), Fall> {
        let Some(activity) = &mut self.activity else { return Ok(()) };
        // What is no command ends at once, and a command as soon as it likes to, or has to.
        let after = activity.lingers.unwrap_or_default().min(grace);
        let at = Instant::now() + after;
        match &mut activity.killing {
            // A stronger reason comes sooner, never later.
            Some(killing) => killing.at = killing.at.min(at),
            None => activity.killing = Some(Killing { outcome, at }),
        }
        if after.is_zero() { self.ended(Outcome::Stopped) } else { Ok(()) }
    }

    /// Waits before an operation where a step around it says so. Whether it does.
    pub(super) fn gate(&mut self, step: usize) -> Result<bool, Fall> {
        let Some(run) = &self.run else { return Ok(false) };
        let gate = std::iter::once(step)
            .chain(run.ancestors(step))
            .filter(|step| run.step(*step).paused && !run.state(*step).gate_open)
            .last();
        let Some(gate) = gate else { return Ok(false) };
        self.pause = Some((gate, true));
        self.clock.pause();
        self.report(Report::Paused { step: gate, gate: true })?;
        Ok(true)
    }

    pub(super) fn pause_all(&mut self) -> Result<(), Fall> {
        let running = self.activity.as_ref().map(|activity| activity.step);
        let Some(step) = running.or_else(|| self.run.as_ref().map(|_| 0)) else { return Ok(()) };
        if self.over || self.pause.is_some() {
            return Ok(());
        }
        self.frozen.send_replace(true);
        self.pause = Some((step, false));
        self.clock.pause();
        self.report(Report::Paused { step, gate: false })
    }

    pub(super) fn resume(&mut self, only_gate: bool) -> Result<(), Fall> {
        match self.pause {
            Some((_, gate)) if gate || !only_gate => self.lift_pause(),
            _ => Ok(()),
        }
    }

    /// Nobody opens the gate in time: what waits behind it is over without having begun.
    pub(super) fn refuse(&mut self) -> Result<(), Fall> {
        if !matches!(self.pause, Some((_, true))) {
            return Ok(());
        }
        self.lift_pause()?;
        let Some(Next::Attempt(step, attempt)) = self.run.as_ref().map(UnitRun::next) else { return Ok(()) };
        let outcome = Outcome::TimedOut { by: None };
        self.report(Report::Attempted { step, attempt, outcome, again: false })
    }

    pub(super) fn lift_pause(&mut self) -> Result<(), Fall> {
        let Some((step, _)) = self.pause.take() else { return Ok(()) };
        self.clock.resume();
        self.frozen.send_replace(false);
        self.report(Report::Resumed { step })
    }
}
