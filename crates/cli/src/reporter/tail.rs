//! The last lines that units wrote, for a view that shows no more of them.

use std::collections::BTreeMap;

use testudo_core::{frame::record, run::UnitKey};

use super::words;

/// Bytes that are remembered of a step.
const REMEMBERED: usize = 8 << 10;

/// The last output of each step of each unit.
#[derive(Debug, Default)]
pub(super) struct Tails {
    units: BTreeMap<UnitKey, Unit>,
}

#[derive(Debug, Default)]
struct Unit {
    /// A record that has not wholly come.
    rest: Vec<u8>,
    steps: BTreeMap<u32, Tail>,
}

#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    /// There was more.
    cut: bool,
}

impl Tails {
    /// Takes output in.
    pub(super) fn output(&mut self, unit: &UnitKey, records: &[u8]) {
        if !self.units.contains_key(unit) {
            self.units.insert(unit.clone(), Unit::default());
        }
        let Some(known) = self.units.get_mut(unit) else { return };
        let mut rest = std::mem::take(&mut known.rest);
        if rest.is_empty() {
            rest.extend_from_slice(known.take(records));
        } else {
            rest.extend_from_slice(records);
            let left = known.take(&rest).len();
            rest.drain(..rest.len() - left);
        }
        known.rest = rest;
    }

    /// A unit is gone.
    pub(super) fn forget(&mut self, unit: &UnitKey) {
        self.units.remove(unit);
    }

    /// The last lines of a step, as they may stand on a screen.
    pub(super) fn last(&self, unit: &UnitKey, step: usize, lines: usize) -> Vec<String> {
        let Some(tail) = self.tail(unit, step) else { return Vec::new() };
        let all = String::from_utf8_lossy(&tail.bytes);
        let all: Vec<&str> = all.lines().filter(|line| !line.trim().is_empty()).collect();
        all[all.len().saturating_sub(lines)..].iter().map(|line| words::tame(line.as_bytes())).collect()
    }

    /// All lines of a step that wrote no more than so many.
    pub(super) fn whole(&self, unit: &UnitKey, step: usize, most: usize) -> Vec<String> {
        let Some(tail) = self.tail(unit, step).filter(|tail| !tail.cut) else { return Vec::new() };
        let all = String::from_utf8_lossy(&tail.bytes);
        let lines: Vec<String> = all.lines().map(|line| words::tame(line.as_bytes())).collect();
        if lines.len() <= most { lines } else { Vec::new() }
    }

    fn tail(&self, unit: &UnitKey, step: usize) -> Option<&Tail> {
        self.units.get(unit)?.steps.get(&u32::try_from(step).ok()?)
    }
}

impl Unit {
    fn take<'a>(&mut self, records: &'a [u8]) -> &'a [u8] {
        let mut at = records;
        while let Some((one, after)) = record::split(at) {
            at = after;
            self.steps.entry(one.step).or_default().push(one.bytes);
        }
        at
    }
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        let from = bytes.len().saturating_sub(REMEMBERED);
        self.cut |= from > 0;
        self.bytes.extend_from_slice(&bytes[from..]);
        // Seldom, so that a flood is not moved about all the time.
        if self.bytes.len() > 2 * REMEMBERED {
            self.bytes.drain(..self.bytes.len() - REMEMBERED);
            self.cut = true;
        }
    }
}
