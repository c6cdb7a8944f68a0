//! A unit that is a service: started again when it fails, ready or not, and only so long waited for.

use std::{io, time::Duration};

use testudo_core::{
    plan::{Role, ServicePlan},
    run::{Next, Outcome, Report, Status},
};
use tokio::task::JoinHandle;

use super::{Agent, Limit};
use crate::operations::probe::Watch;

/// Restarts of a service that keeps failing.
const RESTARTS: u32 = 6;

/// What has become of the service.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) ready: bool,
    /// It was not ready in time: it is not started again.
    late: bool,
    restarts: u32,
    /// Until when it has to be ready, however often it is started.
    limit: Option<Limit>,
}

impl Service {
    /// The limit that counts: none where it was kept, or has struck.
    pub(super) fn limit(&self) -> Option<Limit> {
        self.limit.filter(|_| !self.ready && !self.late)
    }
}

impl Agent {
    pub(super) fn service_plan(&self) -> Option<ServicePlan> {
        match &self.run.as_ref()?.plan().role {
            Role::Service(service) => Some(service.clone()),
            Role::Main | Role::Worker => None,
        }
    }

    /// Begins the time that a service has to become ready.
    pub(super) fn begin_service(&mut self) {
        let limit = self.service_plan().and_then(|service| service.timeout);
        self.service.limit = limit.map(|limit| self.clock.limit(Duration::from_millis(limit)));
    }

    /// Watches a start of the service for its becoming ready.
    pub(super) fn watch_service(&self, activity: u64) -> Option<JoinHandle<()>> {
        let service = self.service_plan().filter(|_| !self.service.ready)?;
        let watch = Watch {
            inbox: self.sender.clone(),
            processes: self.processes.clone(),
            caller: self.habitat.caller,
            probe: service.probe,
            address: self.values.address.clone().unwrap_or_else(|| "127.0.0.1".to_owned()),
            activity,
            pace: self.clock.pace(),
        };
        Some(tokio::task::spawn_local(watch.run()))
    }

    /// An activity has become ready; an earlier one's success says nothing about the service that runs now.
    pub(super) fn is_ready(&mut self, activity: u64) -> io::Result<()> {
        let current = self.activity.as_ref().is_some_and(|now| now.id == activity && now.killing.is_none());
        if !current || self.service.ready {
            return Ok(());
        }
        self.service.ready = true;
        self.report(Report::Ready)
    }

    /// The service was not ready in time: it has failed, whether it runs now or waits to be started again.
    pub(super) fn is_late(&mut self) -> io::Result<()> {
        self.service.late = true;
        let limit = self.service_plan().and_then(|service| service.timeout).unwrap_or_default();
        let elapsed = Duration::from_millis(limit).as_secs_f64();
        let outcome = Outcome::Error { message: format!("timed out: {elapsed:.1}s elapsed") };
        if self.activity.is_some() {
            return self.take_down(outcome, Duration::ZERO);
        }
        match self.run.as_ref().map(testudo_core::run::UnitRun::next) {
            Some(Next::Attempt(step, attempt)) => self.conclude(step, attempt, &outcome),
            _ => Ok(()),
        }
    }

    /// Whether the service is started again after it ended so, and when.
    pub(super) fn starts_again(&mut self, own: Status, restart: bool) -> io::Result<bool> {
        let Service { late, restarts, .. } = self.service;
        if own == Status::Passed || late || !restart || restarts >= RESTARTS {
            return Ok(false);
        }
        self.service.restarts += 1;
        self.not_before = Some(self.clock.limit(Duration::from_secs(1 << restarts)));
        self.report(Report::Restarted { count: self.service.restarts })?;
        Ok(true)
    }
}
