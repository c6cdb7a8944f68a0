//! What an event is about, and what it changes: an execution may have thousands of units, and looks at few at a time.
//!
//! Everything here follows from units and blocks and is brought up to date where they change; nothing else is true
//! because it stands here.

use std::collections::BTreeSet;

use super::{BlockKey, Execution, UnitPhase};
use crate::run::UnitKey;

/// What an event was about.
#[derive(Debug)]
pub(super) enum Touched {
    Unit(UnitKey),
    Block(BlockKey),
    /// Everybody may have to do something else now.
    All,
    Nothing,
}

/// Units and blocks by what is asked of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Units of which something is left.
    pub(super) live: BTreeSet<UnitKey>,
    /// Units that stand still.
    pub(super) paused: BTreeSet<UnitKey>,
    /// Blocks in which something may still change.
    pub(super) open: BTreeSet<BlockKey>,
    /// Units of which something else may be wanted than when it was last asked.
    pub(super) changed: BTreeSet<UnitKey>,
}

fn keep<T: Ord + Clone>(set: &mut BTreeSet<T>, item: &T, belongs: bool) {
    if !belongs {
        set.remove(item);
    } else if !set.contains(item) {
        set.insert(item.clone());
    }
}

impl Execution {
    /// Brings up to date what is known of a unit.
    pub(super) fn note_unit(&mut self, key: &UnitKey) {
        let Some(unit) = self.units.get(key) else { return };
        let paused = matches!(unit.phase, UnitPhase::Met(_)) && unit.over.is_none() && unit.run.is_paused();
        keep(&mut self.index.live, key, unit.phase != UnitPhase::Reaped);
        keep(&mut self.index.paused, key, paused);
        keep(&mut self.index.changed, key, true);
    }

    /// Brings up to date what is known of a block.
    pub(super) fn note_block(&mut self, key: &BlockKey, open: bool) {
        keep(&mut self.index.open, key, open);
        keep(&mut self.index.changed, &key.0, true);
    }
}
