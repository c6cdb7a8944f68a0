//! Markers by which CI systems fold the output of a step.

use jiff::Timestamp;

/// Which system's markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fold {
    None,
    GitHub,
    GitLab,
    Azure,
}

impl Fold {
    /// What stands in the place of a step's first line.
    pub(super) fn open(self, step: usize, title: &str, at: Timestamp) -> Option<String> {
        match self {
            Fold::None => None,
            Fold::GitHub => Some(format!("::group::{title}\n")),
            Fold::GitLab => {
                Some(format!("\x1b[0Ksection_start:{}:step_{step}[collapsed=true]\r\x1b[0K{title}\n", at.as_second()))
            }
            Fold::Azure => Some(format!("##[group]{title}\n")),
        }
    }

    /// What stands behind its output.
    pub(super) fn close(self, step: usize, at: Timestamp) -> Option<String> {
        match self {
            Fold::None => None,
            Fold::GitHub => Some("::endgroup::\n".to_owned()),
            Fold::GitLab => Some(format!("\x1b[0Ksection_end:{}:step_{step}\r\x1b[0K\n", at.as_second())),
            Fold::Azure => Some("##[endgroup]\n".to_owned()),
        }
    }
}
