//! What an engine logs: facts in the past tense, with everything that could not be computed again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Ending, Report, Status, UnitKey};
use crate::frame::{PackId, Source};

/// One entry of an execution's log. A format: additive, every variant pinned by a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// First of every log.
    Created {
        at: Timestamp,
    },
    /// An agent answered for the first time. Any other life under this key is never begun.
    Met {
        unit: UnitKey,
        life: String,
        /// Where other units reach it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        at: Timestamp,
    },
    /// What a unit said, in its own time.
    Reported {
        unit: UnitKey,
        life: String,
        seq: u64,
        at: Timestamp,
        report: Report,
    },
    /// What its place says of a unit, apart from what its agent says.
    Seen {
        unit: UnitKey,
        seen: Seen,
        at: Timestamp,
    },
    /// A unit will not be heard of any more, or never came to be.
    Lost {
        unit: UnitKey,
        at: Timestamp,
        reason: String,
        /// How it had ended before, as its place knows without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Status>,
    },
    /// Bytes are safe on this side.
    Kept {
        unit: UnitKey,
        source: Source,
        length: u64,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        digest: String,
        /// Why they could not be kept; then they are given up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Nothing is left of a unit.
    Reaped {
        unit: UnitKey,
        at: Timestamp,
        /// Why something may be left all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<String>,
    },
    /// An execution that a step started has come to be.
    ChildStarted {
        unit: UnitKey,
        step: usize,
        attempt: u32,
        index: usize,
        id: String,
        name: String,
        at: Timestamp,
    },
    /// It ended, or could not be started.
    ChildEnded {
        unit: UnitKey,
        step: usize,
        attempt: u32,
        index: usize,
        end: ChildEnd,
        at: Timestamp,
    },
    /// Somebody, or a limit, wants the execution to end.
    StopRequested {
        how: StopHow,
        reason: String,
        at: Timestamp,
    },
    PauseRequested {
        at: Timestamp,
    },
    ResumeRequested {
        at: Timestamp,
    },
    /// A moment that the log implies has come.
    Expired {
        timer: Timer,
        at: Timestamp,
    },
    /// Last of every log.
    Ended {
        status: Status,
        at: Timestamp,
    },
}

/// What a place says of a unit that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Seen {
    /// It does not run yet, and why.
    Waiting { reason: String },
    /// The machine that it was put on.
    Placed { node: String },
    /// It runs and is about to be taken away, and why.
    Leaving { reason: String },
}

/// How an execution is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StopHow {
    /// In order, by the system.
    Abort,
    /// In order, by a person.
    Cancel,
    /// At once.
    Kill,
}

impl StopHow {
    /// What the units are told.
    pub fn ending(self) -> Ending {
        match self {
            StopHow::Abort => Ending::Aborted,
            StopHow::Cancel | StopHow::Kill => Ending::Canceled,
        }
    }
}

/// A moment that the log implies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Timer {
    /// The execution's own limit.
    Deadline,
    /// Nobody resumed a pause.
    Pause,
}

/// How a child execution ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildEnd {
    pub status: Status,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Artifacts of it that its parent takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetched: Vec<Fetched>,
}

/// Artifacts of a child execution, packed for the unit of the step that started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// Among the packs of the parent; none where nothing was found, or it could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackId>,
    pub to: String,
    pub files: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
