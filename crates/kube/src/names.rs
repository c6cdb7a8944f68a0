//! What objects are called, and the labels that they are found by.

use testudo_core::plan::{LONGEST_NAME, shortened};
use testudo_engine::UnitSpec;

use crate::runner::Settings;

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
/// What others name the labels by which people select executions, resources and workflows.
pub(crate) const FOREIGN: &[&str] = &["testkube.io", "testworkflows.testkube.io"];
/// Where in its execution a Job hangs, as an annotation: it may hold what no label may. Each pod of it is a unit.
pub(crate) const PLACE: &str = "testudo.dev/place";
/// Who owns the fields that we set.
pub(crate) const FIELD_MANAGER: &str = "testudo";
/// Where a unit is found: the place of its Job, and which of its pods it is.
pub(crate) fn place(unit: &UnitSpec) -> (String, usize) {
    match &unit.block {
        Some(block) => (block.place.clone(), block.index),
        None => (unit.key.to_string(), 0),
    }
}

/// Where a unit's objects are: in the namespace that `job.namespace` names, else in the run's.
pub(crate) fn namespace<'a>(unit: &'a UnitSpec, settings: &'a Settings) -> &'a str {
    let named = unit.plan.job.as_ref().and_then(|job| job.get_str("namespace"));
    named.filter(|name| !name.is_empty()).unwrap_or(&settings.namespace)
}

/// The name of the Job and the Secret of a place.
pub(crate) fn job(unit: &UnitSpec) -> String {
    shortened(&format!("{}-{}", unit.execution, place(unit).0), LONGEST_NAME)
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
