//! What ought to be under way, as values: the engine makes its tasks match.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Status, StopHow, Timer, UnitKey, Word, WordId};
use crate::{
    frame::{PackId, Source},
    plan::{ChildRequest, UnitPlan},
};

/// Everything that ought to be under way.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub units: BTreeMap<UnitKey, UnitWant>,
    /// Units of which nothing is wanted any more, where only what has changed was asked for.
    pub gone: BTreeSet<UnitKey>,
    /// By the place that a child's id follows from.
    pub children: BTreeMap<UnitKey, ChildWant>,
    pub timers: BTreeMap<Timer, Timestamp>,
    /// Nothing is left to do but to write down the end.
    pub end: Option<Status>,
}

/// What ought to be under way for one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitWant {
    pub plan: Arc<UnitPlan>,
    /// The block that it can be made in one with.
    pub block: Option<BlockRef>,
    /// The life that was met; another is never begun.
    pub life: Option<String>,
    /// How long it may take until somebody meets it, in milliseconds.
    pub start: u64,
    /// The last report heard of it.
    pub seq: u64,
    /// Words not known to have been heard, in order. The values of `begin` are added by whoever has them.
    pub words: Vec<(WordId, Word)>,
    /// Packs to read and keep.
    pub keep: Vec<Keep>,
    /// Where the output ends, once that is known.
    pub output_end: Option<u64>,
    /// Where else the output goes when it is kept: a name among the artifacts.
    pub log_artifact: Option<String>,
    /// It is to be gone.
    pub reap: Option<ReapHow>,
    /// What is left of it then stays for people to look at, where its place can do that.
    pub leave: bool,
}

/// Units that differ in nothing but their numbers, for places that make them all at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRef {
    /// The same for all its units, and for those of no other block of the execution; no unit is called so.
    pub place: String,
    /// Which one of `units` this is.
    pub index: usize,
    pub units: Arc<[UnitKey]>,
    /// How many there may be at a time.
    pub parallelism: usize,
    /// None of them that is not under way will be wanted any more.
    pub closing: bool,
}

/// Bytes of a unit that this side has to have before the unit may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    pub pack: PackId,
    pub length: u64,
    pub digest: String,
    /// Put its files among the artifacts, below this prefix.
    pub artifacts: Option<String>,
}

impl Keep {
    /// What to read.
    pub fn source(&self) -> Source {
        Source::Pack(self.pack.clone())
    }
}

/// How a unit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReapHow {
    /// It has heard `bye` and ends by itself.
    Gently,
    /// Whatever it is doing.
    Now,
}

/// A child execution that ought to be under way.
#[derive(Debug, Clone)]
pub struct ChildWant {
    pub unit: UnitKey,
    pub step: usize,
    pub attempt: u32,
    pub index: usize,
    pub request: ChildRequest,
    /// Its own id, made from where it hangs.
    pub id: String,
    /// It is to be stopped.
    pub stop: Option<StopHow>,
}
