//! What happened in a place, for whoever asks afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use testudo_core::{
    frame::PackId,
    run::{Status, UnitKey},
};

/// A unit of some execution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub execution: String,
    pub unit: UnitKey,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.execution, self.unit)
    }
}

/// An account of a place.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// How often each attempt of a step's command was run.
    pub ran: BTreeMap<(At, usize, u32), u32>,
    /// The lives that were told to begin.
    pub begun: BTreeMap<At, BTreeSet<String>>,
    /// Units in the order in which they were made (true) and went (false).
    pub traffic: Vec<(At, bool)>,
    /// Units whose agents came to an early end.
    pub struck: BTreeSet<At>,
    /// Units that stopped because nobody spoke to them.
    pub orphaned: BTreeSet<At>,
    /// What units had when they went.
    pub left: BTreeMap<At, Left>,
}

/// What a unit had.
#[derive(Debug, Clone, Default)]
pub struct Left {
    pub over: Option<Status>,
    pub output: Vec<u8>,
    pub packs: BTreeMap<PackId, Vec<u8>>,
}

impl Book {
    /// Commands that were run more than once.
    pub fn run_twice(&self) -> Vec<String> {
        let twice = self.ran.iter().filter(|(_, times)| **times > 1);
        twice.map(|((at, step, attempt), times)| format!("{at} step {step} attempt {attempt}: {times} times")).collect()
    }

    /// Units of which more than one life was told to begin.
    pub fn begun_twice(&self) -> Vec<String> {
        let twice = self.begun.iter().filter(|(_, lives)| lives.len() > 1);
        twice.map(|(at, lives)| format!("{at}: {}", lives.iter().cloned().collect::<Vec<_>>().join(", "))).collect()
    }

    /// The most units that were there at once among those that `which` holds for.
    pub fn crowd(&self, which: impl Fn(&At) -> bool) -> usize {
        let (mut there, mut most) = (0_usize, 0);
        for (_, came) in self.traffic.iter().filter(|(at, _)| which(at)) {
            there = if *came { there + 1 } else { there.saturating_sub(1) };
            most = most.max(there);
        }
        most
    }
}
