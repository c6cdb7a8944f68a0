//! What objects are called, and the labels that they are found by.

use testudo_core::plan::{LONGEST_NAME, shortened};
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
/// The name of a unit's Job and Secret.
pub(crate) fn job(unit: &UnitSpec) -> String {
    shortened(&format!("{}-{}", unit.execution, unit.key), LONGEST_NAME)
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
    fn labels_take_what_they_can() {
        assert_eq!(label("My_workflow.v1"), "My_workflow.v1");
        assert!(!label("").is_empty());
        assert!(label("über/alles").len() <= 63);
    }
}
