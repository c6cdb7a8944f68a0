//! What befalls units and the ways to them.

use super::{Chance, Fate};

/// What befalls a place. Nothing by default.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub agents: Vec<AgentFault>,
    pub odds: Odds,
}

/// What befalls one agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentFault {
    /// Which of the units that the place ever made, from 0.
    pub nth: usize,
    /// After so many of its reports.
    pub reports: u64,
    pub how: AgentEnd,
}

/// How an agent comes to an early end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentEnd {
    /// It dies, and what it ran with it.
    Dies,
    /// The place makes it anew under the same name: another life, which must never begin.
    SecondLife,
    /// It is started again on the journal that it left.
    Restarts,
}

/// How often something goes wrong, in a hundred times.
#[derive(Debug, Clone, Copy, Default)]
pub struct Odds {
    /// A connection is cut, sooner or later.
    pub cut: u64,
    /// A connection falls silent.
    pub mute: u64,
    /// A report is followed by one that was sent before.
    pub repeat: u64,
    /// The place cannot do just now what it is asked.
    pub busy: u64,
}

impl Odds {
    /// What becomes of a new connection.
    pub(super) fn fate(self, chance: &mut Chance) -> Fate {
        // Far enough to get on, and short enough to be met in the middle of things.
        let after = 200 + usize::try_from(chance.below(20_000)).unwrap_or(0);
        if chance.percent(self.cut) {
            Fate::Cut(after)
        } else if chance.percent(self.mute) {
            Fate::Mute(after)
        } else {
            Fate::Whole
        }
    }
}
