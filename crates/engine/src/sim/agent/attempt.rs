//! Attempts of operations: made final, begun, ended, and perhaps begun again.

use std::{collections::BTreeMap, time::Duration};

use testudo_core::{
    plan::{Role, ServicePlan},
    run::{Next, Outcome, Report, Status, UnitRun},
};
use tokio::sync::mpsc;

use super::{
    Agent, Fall, Input,
    ask::Ask,
    control::{Activity, Killing},
    work::{self, Hand, Job},
};
use crate::sim::memory::lock;

/// How long operations that always run may go on in a group whose time is up.
const ALWAYS_WINDOW: Duration = Duration::from_mins(1);
/// Restarts of a service that keeps failing.
const RESTARTS: u32 = 6;
/// How long a service without a probe is watched before it counts as ready.
const SETTLE: Duration = Duration::from_secs(2);
impl Agent {
    /// Whoever can be asked about a step, and its surroundings.
    pub(super) fn with_ask<T>(
        &self,
        step: usize,
        own: Option<Status>,
        then: impl FnOnce(&mut Ask<'_>) -> T,
    ) -> Option<T> {
        let run = self.run.as_ref()?;
        let disk = lock(&self.disk);
        let mut ask = Ask {
            run,
            step,
            values: &self.values,
            files: &disk.files,
            now: self.place.clock.now(),
            env: BTreeMap::new(),
            working_dir: "/".to_owned(),
            own,
        };
        Some(then(&mut ask))
    }

    pub(super) fn holds(&self, step: usize) -> Result<bool, String> {
        let asked = self.with_ask(step, None, |ask| {
            let plan = ask.run.step(step);
            if let Some(around) = &plan.surroundings {
                ask.enter(around).map_err(|error| error.to_string())?;
            }
            for condition in &plan.conditions {
                let holds = match condition.as_str() {
                    "passed" => ask.run.passed_before(step),
                    "always" | "true" => true,
                    condition => ask
                        .holds(condition)
                        .map_err(|error| format!("the condition `{condition}` cannot be computed: {error}"))?,
                };
                if !holds {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        asked.unwrap_or(Ok(false))
    }

    /// Begins the clock of a group.
    pub(super) fn enter(&mut self, step: usize) -> Result<(), Fall> {
        let Some(run) = &self.run else { return Ok(()) };
        let plan = run.step(step);
        let Some(text) = plan.timeout.clone().filter(|_| plan.operation.is_none()) else { return Ok(()) };
        match self.with_ask(step, None, |ask| ask.duration(&text)) {
            Some(Err(message)) => self.fail_fatally(step, message),
            Some(Ok(limit)) => {
                self.limits.insert(step, self.clock.limit(limit));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Begins an attempt of an operation.
    pub(super) fn attempt(&mut self, step: usize, attempt: u32) -> Result<(), Fall> {
        let Some(run) = &self.run else { return Ok(()) };
        let plan = run.step(step).clone();
        let Some(operation) = plan.operation.clone() else { return Ok(()) };
        let hand = Hand {
            at: self.at.clone(),
            inbox: self.sender.clone(),
            disk: self.disk.clone(),
            clock: self.place.clock,
            frozen: self.frozen.subscribe(),
            step,
            attempt,
            r#ref: plan.r#ref.clone(),
        };
        let prepared = self.with_ask(step, None, |ask| {
            if let Some(around) = &plan.surroundings {
                ask.enter(around).map_err(|error| (error.to_string(), None))?;
            }
            let limit = plan.timeout.as_deref().map(|text| ask.duration(text)).transpose();
            let limit = limit.map_err(|message| (message, None))?;
            match work::prepare(ask, &hand, &operation) {
                Ok(job) => Ok((Ok(job), limit)),
                Err(Outcome::Fatal { message, code }) => Err((message, code)),
                Err(outcome) => Ok((Err(outcome), limit)),
            }
        });
        let (job, mut limit) = match prepared {
            None => return Ok(()),
            Some(Err((message, code))) => {
                let outcome = Outcome::Fatal { message, code };
                return self.report(Report::Attempted { step, attempt, outcome, again: false });
            }
            Some(Ok(prepared)) => prepared,
        };
        if run.is_cut_short(step) {
            limit = Some(limit.map_or(ALWAYS_WINDOW, |limit| limit.min(ALWAYS_WINDOW)));
        }
        self.report(Report::Started { step, attempt })?;
        lock(&self.disk).outputs.clear();
        match job {
            Ok(job) => self.begin(step, attempt, job, hand, limit, plan.is_always()),
            Err(outcome) => self.conclude(step, attempt, outcome)?,
        }
        Ok(())
    }

    pub(super) fn begin(
        &mut self,
        step: usize,
        attempt: u32,
        job: Job,
        hand: Hand,
        limit: Option<Duration>,
        always: bool,
    ) {
        self.activities += 1;
        let id = self.activities;
        let (told, hears) = mpsc::unbounded_channel();
        let mut lingers = None;
        if let Job::Command(script) = &job {
            let at = (self.at.clone(), step, attempt);
            self.place.note(|book| *book.ran.entry(at).or_default() += 1);
            lingers = Some(script.lingers);
            if let Some(service) = self.service().filter(|_| !self.ready) {
                let ready = match &service.probe {
                    None => Some(SETTLE),
                    Some(probe) => script.ready.map(|ready| ready + Duration::from_secs(probe.initial_delay)),
                };
                if let Some(ready) = ready {
                    self.tasks.spawn(work::later(hand.clone(), ready, Input::Ready(id)));
                }
                // The limit is the service's, however often it is started.
                if let Some(limit) = service.timeout.filter(|_| attempt == 0) {
                    self.tasks.spawn(work::later(hand.clone(), Duration::from_millis(limit), Input::Late));
                }
            }
        }
        let inbox = self.sender.clone();
        let task = self.tasks.spawn(async move {
            let outcome = job.carry_out(hand, hears).await;
            let _ = inbox.send(Input::Ended(id, outcome));
        });
        let limit = limit.map(|limit| self.clock.limit(limit));
        self.activity = Some(Activity { id, step, attempt, task, told, limit, killing: None, lingers, always });
    }

    /// A service was not ready in time: it has failed, whether it runs now or waits to be started again.
    pub(super) fn is_late(&mut self) -> Result<(), Fall> {
        if self.ready || self.over {
            return Ok(());
        }
        self.late = true;
        let outcome = Outcome::Error { message: "timed out".to_owned() };
        if self.activity.is_some() {
            return self.ended(outcome);
        }
        match self.run.as_ref().map(UnitRun::next) {
            Some(Next::Attempt(step, attempt)) => self.conclude(step, attempt, outcome),
            _ => Ok(()),
        }
    }

    /// An activity ended by itself, or was taken down.
    pub(super) fn ended(&mut self, outcome: Outcome) -> Result<(), Fall> {
        let Some(activity) = self.activity.take() else { return Ok(()) };
        activity.task.abort();
        let outcome = activity.killing.map_or(outcome, |Killing { outcome, .. }| outcome);
        self.conclude(activity.step, activity.attempt, outcome)
    }

    /// Writes an attempt's end down, and whether there is another.
    pub(super) fn conclude(&mut self, step: usize, attempt: u32, outcome: Outcome) -> Result<(), Fall> {
        let values = std::mem::take(&mut lock(&self.disk).outputs);
        let again = self.again(step, attempt, &outcome)?;
        self.report(Report::Attempted { step, attempt, outcome, again })?;
        if again {
            let delay = self.run.as_ref().and_then(|run| run.step(step).retry.as_ref()).map_or(0, |retry| retry.delay);
            if delay > 0 {
                self.not_before = Some(self.clock.limit(Duration::from_millis(delay)));
            }
        } else if !values.is_empty() {
            self.report(Report::Outputs { step, values })?;
        }
        Ok(())
    }

    /// Whether the plan's retry asks for another attempt.
    pub(super) fn again(&mut self, step: usize, attempt: u32, outcome: &Outcome) -> Result<bool, Fall> {
        let Some(run) = &self.run else { return Ok(false) };
        let plan = run.step(step);
        let own = match outcome {
            Outcome::Exit { code } if (*code == 0) != plan.negative => Status::Passed,
            Outcome::Error { .. } if plan.negative => Status::Passed,
            Outcome::Exit { .. } | Outcome::Error { .. } => Status::Failed,
            Outcome::TimedOut { by: None } => Status::Timeout,
            Outcome::TimedOut { by: Some(_) }
            | Outcome::Failed { .. }
            | Outcome::Killed { .. }
            | Outcome::Stopped
            | Outcome::Fatal { .. } => return Ok(false),
        };
        if run.stopping().is_some() {
            return Ok(false);
        }
        if let Some(service) = self.service() {
            if own == Status::Passed || self.late || !service.restart || self.restarts >= RESTARTS {
                return Ok(false);
            }
            self.restarts += 1;
            self.not_before = Some(self.clock.limit(Duration::from_secs(1 << (self.restarts - 1))));
            self.report(Report::Restarted { count: self.restarts })?;
            return Ok(true);
        }
        let Some(retry) = plan.retry.clone().filter(|retry| attempt < retry.count) else { return Ok(false) };
        let enough = self.with_ask(step, Some(own), |ask| ask.holds(&retry.until));
        Ok(matches!(enough, Some(Ok(false))))
    }

    pub(super) fn service(&self) -> Option<ServicePlan> {
        match &self.run.as_ref()?.plan().role {
            Role::Service(service) => Some(service.clone()),
            Role::Main | Role::Worker => None,
        }
    }
}
