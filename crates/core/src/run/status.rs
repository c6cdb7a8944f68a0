//! How steps and executions can stand.

use serde::{Deserialize, Serialize};

/// The status of a step, a unit or an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Queued,
    Running,
    Paused,
    Passed,
    Failed,
    Timeout,
    Skipped,
    Aborted,
    Canceled,
}

impl Status {
    /// Nothing more will happen.
    pub fn is_final(self) -> bool {
        !matches!(self, Status::Queued | Status::Running | Status::Paused)
    }

    /// What later conditions count as success.
    pub fn is_fine(self) -> bool {
        matches!(self, Status::Passed | Status::Skipped)
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Passed => "passed",
            Status::Failed => "failed",
            Status::Timeout => "timeout",
            Status::Skipped => "skipped",
            Status::Aborted => "aborted",
            Status::Canceled => "canceled",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
