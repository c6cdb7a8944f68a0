//! What the world is like, apart from what befalls it.

use std::{collections::BTreeMap, time::Duration};

use super::Chance;

/// Everything that is so from the start, and does not depend on who asks or when.
#[derive(Debug, Clone)]
pub struct World {
    pub seed: u64,
    /// Files that every unit finds, by path: for `file()` and `glob()`.
    pub files: BTreeMap<String, String>,
    /// How units come to be, by name; the others after a moment.
    pub starts: BTreeMap<String, Start>,
    /// Silence after which an agent stops its unit.
    pub orphan_limit: Duration,
}

/// How a unit comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    After(Duration),
    /// It is made, and nobody ever answers.
    Never,
    /// The place will not have it.
    Refused(String),
}

impl World {
    pub fn new(seed: u64) -> Self {
        World { seed, files: BTreeMap::new(), starts: BTreeMap::new(), orphan_limit: Duration::from_mins(10) }
    }

    /// How a unit of this name comes to be.
    pub(super) fn start(&self, unit: &str) -> Start {
        let moment = || Start::After(Chance::about(self.seed, unit).millis(5, 500));
        self.starts.get(unit).cloned().unwrap_or_else(moment)
    }
}
