//! Which of the events that arrive are news.

use std::collections::{BTreeMap, BTreeSet};

use super::{Execution, UnitPhase};
use crate::{
    frame::Source,
    run::{Event, Instance, InstancePhase, Seen, UnitKey},
};

/// What the earlier events of a batch change about the later ones.
#[derive(Default)]
struct Batch {
    /// The last report of each unit.
    seq: BTreeMap<UnitKey, u64>,
    /// Nothing is heard of these any more.
    silent: BTreeSet<UnitKey>,
}

impl Execution {
    /// The events of `batch` that are news; hearing a thing twice is harmless.
    pub fn unseen(&self, batch: Vec<Event>) -> Vec<Event> {
        let mut before = Batch::default();
        batch.into_iter().filter(|event| self.is_news(event, &mut before)).collect()
    }

    fn is_news(&self, event: &Event, before: &mut Batch) -> bool {
        match event {
            Event::Created { .. } => self.created.is_none(),
            Event::Met { unit, .. } => {
                !before.silent.contains(unit)
                    && self.units.get(unit).is_some_and(|known| known.phase == UnitPhase::Wanted)
            }
            Event::Reported { unit, life, seq, .. } => {
                let Some(known) = self.units.get(unit) else { return false };
                let seen = before.seq.entry(unit.clone()).or_insert(known.seq);
                let news = !before.silent.contains(unit) && known.is_life(life) && *seq == *seen + 1;
                if news {
                    *seen = *seq;
                }
                news
            }
            Event::Seen { unit, seen, .. } => self.units.get(unit).is_some_and(|known| match seen {
                Seen::Waiting { reason } => known.over.is_none() && known.held_up.as_ref() != Some(reason),
                Seen::Placed { node } => known.node.as_ref() != Some(node),
                // Of one that has ended this is how it is cleared away.
                Seen::Leaving { reason } => known.over.is_none() && known.leaving.as_ref() != Some(reason),
            }),
            Event::Lost { unit, .. } => {
                let known = self.units.get(unit);
                let alive = known.is_some_and(|known| {
                    matches!(known.phase, UnitPhase::Wanted | UnitPhase::Met(_)) && !known.is_released()
                });
                alive && before.silent.insert(unit.clone())
            }
            Event::Kept { unit, source, .. } => self.units.get(unit).is_some_and(|known| match source {
                Source::Output => !known.output_kept,
                Source::Pack(pack) => known.packs.get(pack).is_some_and(|pack| pack.kept.is_none()),
            }),
            Event::Reaped { unit, .. } => {
                before.silent.insert(unit.clone());
                self.units.get(unit).is_some_and(|known| known.phase != UnitPhase::Reaped)
            }
            Event::ChildStarted { unit, step, attempt, index, .. } => self
                .instance(unit, *step, *attempt, *index)
                .is_some_and(|instance| instance.phase == InstancePhase::Waiting),
            Event::ChildEnded { unit, step, attempt, index, .. } => {
                self.instance(unit, *step, *attempt, *index).is_some_and(|instance| instance.phase.status().is_none())
            }
            Event::StopRequested { how, .. } => {
                self.ended.is_none() && self.stop.as_ref().is_none_or(|stop| stop.how < *how)
            }
            Event::PauseRequested { .. } => self.ended.is_none() && !self.toggles.last().copied().unwrap_or(false),
            Event::ResumeRequested { .. } => self.ended.is_none() && self.is_paused(),
            Event::Expired { timer, .. } => self.timers().contains_key(timer),
            Event::Ended { .. } => self.ended.is_none(),
        }
    }

    fn instance(&self, unit: &UnitKey, step: usize, attempt: u32, index: usize) -> Option<&Instance> {
        self.blocks.get(&(unit.clone(), step, attempt))?.instances.get(index)
    }
}
