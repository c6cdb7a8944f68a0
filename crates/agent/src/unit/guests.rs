//! The containers of a pod beside the agent's own: waited for, and where they follow one another, let go.

use std::rc::Rc;

use testudo_core::{
    plan::{Layout, containers},
    run::UnitRun,
};
use tokio::signal::unix::Signal;

use super::{Agent, signalled};
use crate::habitat::Place;

impl Agent {
    /// The container that a step's command runs in, where it is not this one.
    pub(super) fn container(&self, step: usize) -> Option<usize> {
        self.containers.get(step).copied().flatten().filter(|container| *container > 0)
    }

    /// What a step's command starts from.
    pub(super) fn place(&self, step: usize) -> Rc<Place> {
        let container = self.container(step);
        let guest = container.and_then(|container| self.processes.guests.place(container));
        let place = guest.unwrap_or_else(|| self.habitat.place.clone());
        match &self.run {
            Some(run) if !run.plan().sources.is_empty() => {
                let sources = self.habitat.sources(run.plan(), container.unwrap_or(0));
                Rc::new(Place { sources, ..(*place).clone() })
            }
            _ => place,
        }
    }

    /// Whether the container that a step needs is there; those before it make room. The first attempt waits for it; one
    /// that was lost since, or that is not started any more, is for the attempt to find out.
    pub(super) fn has_arrived(&self, step: usize) -> bool {
        let Some(container) = self.container(step) else { return true };
        if self.habitat.layout == Layout::Sequential {
            self.processes.guests.make_room(container);
        }
        self.told_to_go || self.processes.guests.place(container).is_some()
    }

    /// Whether a step's conditions look at variables, which its container's image may have.
    pub(super) fn looks_at_variables(&self, step: usize) -> bool {
        let conditions = self.run.as_ref().map_or(&[][..], |run| &run.step(step).conditions);
        conditions.iter().any(|condition| condition.contains("env"))
    }

    /// Waits until this process may end. Where containers follow one another it would be started again until the place
    /// has told it to go, which the place does when no other container is left.
    pub(super) async fn leave(&self, ends: &mut Option<Signal>) {
        if self.habitat.layout == Layout::Together || self.told_to_go {
            return;
        }
        let last = self.run.as_ref().map(UnitRun::plan).map_or(0, |plan| containers(plan).list.len() - 1);
        self.processes.guests.end(last);
        signalled(ends).await;
    }
}
