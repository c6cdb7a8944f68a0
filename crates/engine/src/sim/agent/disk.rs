//! What an agent leaves behind: its journal, what its unit said, packs and files.

use std::collections::BTreeMap;

use jiff::Timestamp;
use testudo_core::{
    frame::{Numbered, PackId, record},
    run::{Report, Status},
};

use crate::sim::World;

/// A unit's disk. It outlives the agent.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Disk {
    pub(in crate::sim) life: String,
    pub(in crate::sim) reports: Vec<Numbered>,
    /// Records, as they can be read.
    pub(in crate::sim) output: Vec<u8>,
    pub(in crate::sim) packs: BTreeMap<PackId, Vec<u8>>,
    pub(in crate::sim) files: BTreeMap<String, String>,
    /// What the command under way has written for later steps.
    pub(in crate::sim) outputs: BTreeMap<String, String>,
}

impl Disk {
    pub(in crate::sim) fn new(life: String, world: &World) -> Self {
        Disk {
            life,
            reports: Vec::new(),
            output: Vec::new(),
            packs: BTreeMap::new(),
            files: world.files.clone(),
            outputs: BTreeMap::new(),
        }
    }

    /// The number of the last report.
    pub(super) fn seq(&self) -> u64 {
        self.reports.len() as u64
    }

    /// Writes a report down.
    pub(super) fn write(&mut self, report: Report, at: Timestamp) -> Numbered {
        let numbered = Numbered { seq: self.seq() + 1, at, report };
        self.reports.push(numbered.clone());
        numbered
    }

    /// Reports after a number.
    pub(super) fn after(&self, seq: u64) -> Vec<Numbered> {
        self.reports.iter().skip(usize::try_from(seq).unwrap_or(usize::MAX)).cloned().collect()
    }

    /// Adds to the output.
    pub(super) fn say(&mut self, step: usize, at: Timestamp, bytes: &[u8]) {
        let step = u32::try_from(step).unwrap_or(record::NO_STEP);
        let nanos = u64::try_from(at.as_nanosecond()).unwrap_or(0);
        for part in bytes.chunks(record::MAX) {
            self.output.extend_from_slice(&record::header(step, nanos, part.len()));
            self.output.extend_from_slice(part);
        }
    }

    /// What it said of itself at its end.
    pub(in crate::sim) fn over(&self) -> Option<Status> {
        self.reports.iter().find_map(|numbered| match numbered.report {
            Report::Over { status, .. } => Some(status),
            _ => None,
        })
    }
}
