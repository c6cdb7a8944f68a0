//! What an agent is told before it exists: one file in its folder, without a secret in it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The file's name in the unit's folder.
pub(crate) const FILE: &str = "unit.json";

/// How one agent is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The unit's name within its execution.
    pub unit: String,
    /// The unit's folder.
    pub folder: PathBuf,
    /// What no command may see: the folder of all executions.
    pub hidden: PathBuf,
    /// Seconds without a word from anybody after which the unit is stopped.
    pub orphan_limit: u64,
}
