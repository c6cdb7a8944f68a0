//! Pausing, resuming, and taking down what runs: by a stop, a timeout or silence, all on one path.

use std::{io, time::Duration};

use testudo_core::{
    plan::Layout,
    run::{Ending, Next, Outcome, Report, Told, UnitRun},
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use super::{Agent, MASK_PATIENCE, clock::Limit};

/// The operation under way.
pub(super) struct Activity {
    pub(super) id: u64,
    pub(super) step: usize,
    pub(super) attempt: u32,
    pub(super) task: JoinHandle<()>,
    /// Looks whether it is ready, where it is a service.
    pub(super) watch: Option<JoinHandle<()>>,
    pub(super) told: mpsc::UnboundedSender<Told>,
    pub(super) limit: Option<Limit>,
    pub(super) killing: Option<Killing>,
    /// It has processes that may end in order when they are asked to.
    pub(super) gentle: bool,
    pub(super) always: bool,
}

/// It is being taken down.
pub(super) struct Killing {
    pub(super) outcome: Outcome,
    /// When asking is over.
    pub(super) at: Instant,
    /// Its processes were killed; what they had written is still being read.
    pub(super) killed: bool,
}

/// How long after a kill the last output may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is due next.
enum Due {
    Kill,
    Leaf,
    Group(usize),
    Window,
    Ready,
    Retry,
    Mask,
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
        if !self.over {
            dues.extend(self.window.map(|moment| (moment, Due::Window)));
            let waits = self.run.as_ref().is_some_and(|run| run.stopping().is_none());
            let ready = self.service.limit().filter(|_| waits).and_then(|limit| self.clock.moment(limit));
            dues.extend(ready.map(|moment| (moment, Due::Ready)));
            let retry = self.not_before.and_then(|limit| self.clock.moment(limit));
            dues.extend(retry.map(|moment| (moment, Due::Retry)));
        }
        if self.output.borrow().holds_line() {
            dues.push((Instant::now() + MASK_PATIENCE, Due::Mask));
        }
        let limit = Duration::from_secs(self.settings.orphan_limit);
        dues.push((self.last_heard + limit, Due::Orphan));
        dues
    }

    /// Does what is due.
    pub(super) fn act_on_time(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let mut dues = self.dues();
        dues.sort_by_key(|(moment, _)| *moment);
        let Some((moment, due)) = dues.into_iter().next() else { return Ok(()) };
        if let Due::Mask = due {
            return self.output.borrow_mut().flush();
        }
        if moment > now {
            return Ok(());
        }
        match due {
            Due::Kill => self.kill_now(),
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
            Due::Ready => self.is_late(),
            Due::Retry => {
                self.not_before = None;
                Ok(())
            }
            Due::Orphan => self.orphaned(),
            Due::Mask => Ok(()),
        }
    }

    fn grace(&self) -> Duration {
        let step = self.activity.as_ref().and_then(|activity| Some(self.run.as_ref()?.step(activity.step)));
        Duration::from_millis(step.map_or(0, |step| step.grace))
    }

    /// The group of a step has failed: what runs in it is taken down, and only what always runs may still start.
    pub(super) fn group_failed(&mut self, step: usize, reason: &str) -> io::Result<()> {
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
    fn orphaned(&mut self) -> io::Result<()> {
        self.last_heard = Instant::now();
        let stopped = self.run.as_ref().is_none_or(|run| run.stopping().is_some());
        if self.over || stopped {
            self.processes.signal_all(libc::SIGKILL);
            self.bye = true;
            return Ok(());
        }
        self.stop(Ending::Aborted, "nobody asked for this unit any more".to_owned(), 10_000, 60_000)
    }

    /// Whoever runs the place takes the unit away: it is stopped in order, within the time that it is given.
    pub(super) fn told_to_go(&mut self) -> io::Result<()> {
        let Some(run) = &self.run else {
            self.bye = true;
            return Ok(());
        };
        if self.over {
            // What it has may still be wanted; whoever wants it is quick, or has it killed.
            return Ok(());
        }
        if run.stopping().is_none() {
            let trouble = self.processes.guests.trouble().filter(|_| self.habitat.layout == Layout::Sequential);
            let reason = trouble.unwrap_or("the unit was told to go by its place");
            self.stop(Ending::Aborted, reason.to_owned(), 10_000, 20_000)?;
        }
        Ok(())
    }

    /// Ends what runs: asks, waits for the grace period, takes down.
    pub(super) fn take_down(&mut self, outcome: Outcome, grace: Duration) -> io::Result<()> {
        let Some(activity) = &mut self.activity else { return Ok(()) };
        let at = Instant::now() + grace;
        match &mut activity.killing {
            // A stronger reason comes sooner, never later.
            Some(killing) => killing.at = killing.at.min(at),
            None => activity.killing = Some(Killing { outcome, at, killed: false }),
        }
        if grace.is_zero() || !activity.gentle {
            return self.kill_now();
        }
        self.processes.signal_all(libc::SIGCONT);
        self.processes.signal_all(libc::SIGTERM);
        Ok(())
    }

    fn kill_now(&mut self) -> io::Result<()> {
        self.processes.signal_all(libc::SIGKILL);
        if let Some(Activity { gentle: true, killing: Some(killing), .. }) = &mut self.activity
            && !killing.killed
        {
            killing.killed = true;
            killing.at = Instant::now() + LAST_WORDS;
            return Ok(());
        }
        self.ended(Outcome::Stopped)
    }

    /// Waits before an operation where a step around it says so. Whether it does.
    pub(super) fn gate(&mut self, step: usize) -> io::Result<bool> {
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

    pub(super) fn pause_all(&mut self) -> io::Result<()> {
        let running = self.activity.as_ref().map(|activity| activity.step);
        let Some(step) = running.or_else(|| self.run.as_ref().map(|_| 0)) else { return Ok(()) };
        if self.over || self.pause.is_some() {
            return Ok(());
        }
        self.processes.signal_all(libc::SIGSTOP);
        self.pause = Some((step, false));
        self.clock.pause();
        self.report(Report::Paused { step, gate: false })
    }

    pub(super) fn resume(&mut self, only_gate: bool) -> io::Result<()> {
        match self.pause {
            Some((_, gate)) if gate || !only_gate => self.lift_pause(),
            _ => Ok(()),
        }
    }

    /// Nobody opens the gate in time: what waits behind it is over without having begun. It does not count as a failure
    /// of a command, which a retry or `negative` would answer.
    pub(super) fn refuse(&mut self, reason: &str) -> io::Result<()> {
        if !matches!(self.pause, Some((_, true))) {
            return Ok(());
        }
        self.lift_pause()?;
        let Some(Next::Attempt(step, attempt)) = self.run.as_ref().map(UnitRun::next) else { return Ok(()) };
        self.say(step, reason)?;
        let outcome = Outcome::TimedOut { by: None };
        self.report(Report::Attempted { step, attempt, outcome, again: false })
    }

    pub(super) fn lift_pause(&mut self) -> io::Result<()> {
        let Some((step, _)) = self.pause.take() else { return Ok(()) };
        self.clock.resume();
        self.processes.signal_all(libc::SIGCONT);
        self.report(Report::Resumed { step })
    }
}
