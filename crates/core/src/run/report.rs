//! What travels between a unit and its engine: reports up, words down.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::Status;
use crate::{expr::Value, frame::PackId, plan::UnitPlan};

/// A fact about a unit, told by its agent. A step is named by its number in the unit's plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Report {
    /// The word was journaled; it need not be said again.
    Heard {
        word: WordId,
    },
    /// A step's condition held.
    Entered {
        step: usize,
    },
    /// A step's condition did not hold, or nothing may start any more.
    Skipped {
        step: usize,
    },
    /// An operation is about to begin. Written before acting: what is begun and not ended was aborted.
    Started {
        step: usize,
        attempt: u32,
    },
    /// An operation ended; `again` says that the plan's retry starts another attempt.
    Attempted {
        step: usize,
        attempt: u32,
        outcome: Outcome,
        #[serde(default)]
        again: bool,
    },
    /// A group ran out of time: what is in it is over, save what always runs.
    TimedOut {
        step: usize,
    },
    /// A group has failed of what it has beside its steps: what is in it is over, save what always runs.
    Failed {
        step: usize,
        reason: String,
    },
    /// Everything stands still. `gate`: because the step says `paused: true`.
    Paused {
        step: usize,
        gate: bool,
    },
    Resumed {
        step: usize,
    },
    /// A stop took effect: only what always runs may still start.
    Stopping {
        ending: Ending,
        reason: String,
    },
    /// The window of a stop is over: nothing may start any more.
    Closed,
    /// What a step wrote under `/testkube/outputs`, after its last attempt.
    Outputs {
        step: usize,
        values: BTreeMap<String, String>,
    },
    /// A value that a command printed for later steps.
    Emitted {
        name: String,
        value: Value,
    },
    /// A step whose work is other units or executions: what the agent found out that they depend on.
    Requested {
        step: usize,
        attempt: u32,
        request: Request,
    },
    /// A pack can be read.
    Packed {
        pack: PackId,
        length: u64,
        digest: String,
        purpose: PackPurpose,
    },
    /// A report file was found among the artifacts.
    Cases {
        step: usize,
        file: String,
        kind: String,
        cases: Vec<Case>,
    },
    /// A service is ready.
    Ready,
    /// A service ended and is started again, for the n-th time.
    Restarted {
        count: u32,
    },
    /// Something a person should know that changes nothing.
    Warned {
        text: String,
    },
    /// All is done. The output ends at `output` bytes.
    Over {
        status: Status,
        output: u64,
    },
}

/// How one attempt of an operation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// The command ended by itself, or the engine's work did (0 or 1).
    Exit { code: i32 },
    /// It could not be started or carried out: an ordinary failure with exit code 1.
    Error { message: String },
    /// The top process was killed from outside.
    Killed { signal: String },
    /// It ran out of time: its own, or that of the group `by`.
    TimedOut {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<usize>,
    },
    /// It was taken down because the group `by` has failed.
    Failed { by: usize, reason: String },
    /// It was taken down by a stop.
    Stopped,
    /// The plan cannot be carried out any further: the run is aborted.
    Fatal { message: String, code: Option<i32> },
}

/// Why a unit is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// By the system: a deadline, fail-fast, a service that is no longer needed.
    Aborted,
    /// By a person.
    Canceled,
}

impl Ending {
    /// What whoever ends that way has come to.
    pub fn status(self) -> Status {
        match self {
            Ending::Aborted => Status::Aborted,
            Ending::Canceled => Status::Canceled,
        }
    }
}

/// What the agent found out for a step that the engine carries out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    Parallel { answers: Vec<Answer> },
    Services { answers: Vec<Answer> },
    StopServices { start: usize, failed: bool },
    Execute { answers: Vec<Answer> },
}

/// What an expression asked of the unit's surroundings, and what it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// A name, or a call with its arguments as text.
    pub question: String,
    pub value: Value,
}

/// What a pack is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PackPurpose {
    /// Handed to workers or services.
    Transfer,
    /// Handed back to the parent, to be unpacked there.
    Fetch { to: String },
    /// To be kept for people. The step waits until it is.
    Artifacts { step: usize, attempt: u32, entries: Entries },
}

/// How many files a pack has, and how many bytes they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    pub files: u64,
    pub bytes: u64,
}

/// One case of a test report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub suite: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub class: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where in the file: the line that failed where the report says so, else the one the case begins at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    pub status: CaseStatus,
    /// Milliseconds.
    pub duration: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
}

/// How a test case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CaseStatus {
    Passed,
    Failed,
    Errored,
    Skipped,
}

/// Identifies a word within its unit; the same word has the same id however often it is said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WordId(pub String);

impl WordId {
    /// Whether a later word of its kind was heard. Pauses, resumes and what becomes of gates are numbered: an old connection
    /// may still carry one that others have overtaken, and then it is not to be obeyed.
    pub fn comes_late(&self, heard: &BTreeSet<WordId>) -> bool {
        let numbered = |word: &str| {
            let (kind, number) =
                word.split_once(':').filter(|(kind, _)| matches!(*kind, "toggle" | "open" | "refuse"))?;
            Some((kind.to_owned(), number.parse::<u64>().ok()?))
        };
        let Some((kind, number)) = numbered(&self.0) else { return false };
        heard.iter().filter_map(|word| numbered(&word.0)).any(|(other, later)| other == kind && later > number)
    }
}

/// What an engine asks of a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Word {
    /// Carry this out.
    Begin {
        plan: Arc<UnitPlan>,
        values: Box<Values>,
    },
    /// News about a step that the engine carries out.
    Tell {
        step: usize,
        attempt: u32,
        told: Told,
    },
    Pause,
    /// Goes on; `gate` opens only what waits at its own `paused: true`.
    Resume {
        gate: bool,
    },
    /// Nobody opens the gate that it waits at: the step behind it fails without being run.
    Refuse {
        reason: String,
    },
    /// Ends in order: what runs is taken down after `grace`, what always runs may still run for `window`.
    Stop {
        ending: Ending,
        reason: String,
        grace: u64,
        window: u64,
    },
    /// Everything is kept: the agent may go.
    Bye,
}

/// What a unit needs beside its plan. Never journaled by an agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Values {
    /// By `secret/<name>/<key>` or `configMap/<name>/<key>`.
    pub references: BTreeMap<String, String>,
    /// Words to be masked that no reference holds.
    pub sensitive: Vec<String>,
    /// Where others reach this unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Environment that comes from whoever started the run.
    pub env: BTreeMap<String, String>,
    /// The pack that stands in for repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<PackId>,
    /// What expressions know from the start beside the plan, by name: the execution that started this one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<String, Value>,
}

/// News about a step that the engine carries out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Told {
    /// A line for the step's output.
    Line { text: String },
    /// Put a pack's files into the unit.
    Unpack { pack: PackId, to: String },
    /// The pack is kept, or could not be.
    Kept { pack: PackId, error: Option<String> },
    /// The work is done. Values become known to later expressions.
    Done { passed: bool, values: BTreeMap<String, Value> },
    /// What the step had done is undone, and the group that it is in has failed of it.
    Failed { reason: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_a_later_resume_has_overtaken_is_not_obeyed() {
        let word = |id: &str| WordId(id.to_owned());
        let heard = ["begin", "tell:9:0:0", "toggle:2", "toggle:10", "open:3"].map(word).into();
        let late = ["toggle:1", "toggle:9", "open:2"].map(|id| word(id).comes_late(&heard));
        let in_time = ["toggle:11", "open:4", "tell:1:0:0", "stop"].map(|id| word(id).comes_late(&heard));
        assert_eq!((late, in_time), ([true; 3], [false; 4]));
    }
}
