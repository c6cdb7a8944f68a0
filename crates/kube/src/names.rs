//! What objects are called, and the labels that they are found by.

use sha2::{Digest, Sha256};
use testudo_engine::UnitSpec;

/// Who says that an object is ours.
pub const MANAGED: (&str, &str) = ("app.kubernetes.io/managed-by", "testudo");
/// The run that an object belongs to: an execution with all that it started.
pub(crate) const ROOT: &str = "testudo.dev/root";
/// The execution that an object belongs to.
pub(crate) const EXECUTION: &str = "testudo.dev/execution";
/// The workflow that was run.
pub(crate) const WORKFLOW: &str = "testudo.dev/workflow";
/// What the unit is to its execution.
pub(crate) const ROLE: &str = "testudo.dev/role";
/// The unit's name, as an annotation: it may hold what no label may.
pub(crate) const UNIT: &str = "testudo.dev/unit";
/// Who owns the fields that we set.
pub(crate) const FIELD_MANAGER: &str = "testudo";
/// Longest name of a Job: its pods get a number and five letters more, and have to fit a host's name of 63.
const LONGEST: usize = 52;

/// The name of a unit's Job and Secret.
pub(crate) fn job(unit: &UnitSpec) -> String {
    shortened(&format!("{}-{}", unit.execution, unit.key), LONGEST)
}

/// A name that Kubernetes takes, with a digest at its end where something had to go.
pub(crate) fn shortened(name: &str, longest: usize) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let plain: String = name.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let trimmed = plain.trim_matches('-');
    if trimmed == name && name.len() <= longest {
        return name.to_owned();
    }
    let digest: String = Sha256::digest(name.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let kept = trimmed[..trimmed.len().min(longest - 9)].trim_end_matches('-');
    if kept.is_empty() { digest } else { format!("{kept}-{digest}") }
}

/// A value that a label may have.
pub(crate) fn label(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.len() <= 63
        && text.chars().all(fits)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
    {
        return text.to_owned();
    }
    shortened(&text.to_ascii_lowercase(), 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_stay_apart() {
        assert_eq!(shortened("main", 52), "main");
        let long = "a".repeat(80);
        assert_eq!(shortened(&long, 52).len(), 52);
        assert!(shortened("ü", 52).len() <= 52);
        assert_ne!(shortened("tests/0", 52), shortened("tests+0", 52));
        assert_ne!(shortened(&format!("{long}1"), 52), shortened(&format!("{long}2"), 52));
    }

    #[test]
    fn labels_take_what_they_can() {
        assert_eq!(label("My_workflow.v1"), "My_workflow.v1");
        assert_eq!(label("").len(), 8);
        assert!(label("über/alles").len() <= 63);
    }
}
