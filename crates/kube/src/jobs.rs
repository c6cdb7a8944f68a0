//! The Jobs of a run as this process uses them: who has made one, and when nobody needs it any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use testudo_core::run::UnitKey;
use testudo_engine::UnitSpec;
use tokio::sync::OnceCell;

use crate::names;

/// By name. The locks are held for a look or a change and never across a wait.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<BTreeMap<String, Arc<Made>>>);

/// One Job.
#[derive(Default)]
pub(crate) struct Made {
    /// It is there, with what goes with it.
    pub(crate) begun: OnceCell<()>,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    within: BTreeSet<UnitKey>,
    left: BTreeSet<UnitKey>,
    /// What is left of one of them stays, and so its Job has to.
    stays: bool,
}

impl Jobs {
    /// The Job that a unit is a pod of.
    pub(crate) fn of(&self, unit: &UnitSpec) -> Arc<Made> {
        lock(&self.0).entry(names::job(unit)).or_default().clone()
    }

    /// Whether something of the run stays for people to look at.
    pub(crate) fn any_stays(&self) -> bool {
        lock(&self.0).values().any(|made| lock(&made.members).stays)
    }

    /// It is removed.
    pub(crate) fn forget(&self, unit: &UnitSpec) {
        lock(&self.0).remove(&names::job(unit));
    }
}

impl Made {
    /// A unit is under way in it.
    pub(crate) fn enter(&self, unit: &UnitSpec) {
        lock(&self.members).within.insert(unit.key.clone());
    }

    /// A unit is not needed any more; whether the Job is not either.
    pub(crate) fn leave(&self, unit: &UnitSpec) -> bool {
        let mut members = lock(&self.members);
        members.within.remove(&unit.key);
        members.left.insert(unit.key.clone());
        members.stays |= unit.leave;
        if members.stays {
            return false;
        }
        match &unit.block {
            None => true,
            Some(block) if block.closing => members.within.is_empty(),
            Some(block) => block.units.iter().all(|unit| members.left.contains(unit)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
