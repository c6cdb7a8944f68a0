//! Folds for people: what an execution's reports amount to, and what its parts are called.
//!
//! Nothing here is decided by, or decides, how an execution ended; that is `run`'s. How a summary looks is left to
//! whoever shows it.

use crate::run::{Case, CaseStatus, Entries, Execution, UnitKey};

mod label;
mod reports;

pub use label::{label_of, step_of};
pub use reports::{ReportFile, place_of, reports_of, title_of};

/// How many of the slowest cases are worth a look.
const SLOWEST: usize = 10;

/// An execution in numbers, with the cases that ask for a person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    pub tests: u64,
    pub passed: u64,
    pub failed: u64,
    pub errored: u64,
    pub skipped: u64,
    /// From its beginning to its end, or to when it was last heard of.
    pub duration_ms: u64,
    /// Failed and errored cases, in the order of workers and reports.
    pub failures: Vec<FoundCase>,
    /// The cases that took longest, the longest first.
    pub slowest: Vec<FoundCase>,
    /// Report files.
    pub files: u64,
    pub artifacts: Entries,
}

/// A case, and where it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundCase {
    pub case: Case,
    /// What its unit is called, like `slow 3/4`; empty for the execution's own.
    pub worker: String,
    /// The step that its unit, or its report, belongs to.
    pub step: String,
    pub unit: UnitKey,
}

/// Sums an execution up.
pub fn of(execution: &Execution) -> Summary {
    let mut summary = Summary { duration_ms: duration(execution), ..Summary::default() };
    for (_, unit) in execution.units() {
        summary.artifacts.files += unit.artifacts.files;
        summary.artifacts.bytes += unit.artifacts.bytes;
    }
    let reports = reports_of(execution);
    let mut slowest: Vec<(&ReportFile<'_>, &Case)> = Vec::new();
    for report in &reports {
        summary.files += 1;
        for &case in &report.cases {
            summary.tests += 1;
            match case.status {
                CaseStatus::Passed => summary.passed += 1,
                CaseStatus::Failed => summary.failed += 1,
                CaseStatus::Errored => summary.errored += 1,
                CaseStatus::Skipped => summary.skipped += 1,
            }
            if matches!(case.status, CaseStatus::Failed | CaseStatus::Errored) {
                summary.failures.push(found(report, case));
            }
            if case.duration > 0 {
                slowest.push((report, case));
            }
        }
    }
    slowest.sort_by_key(|(_, case)| std::cmp::Reverse(case.duration));
    summary.slowest = slowest.into_iter().take(SLOWEST).map(|(report, case)| found(report, case)).collect();
    summary
}

fn found(report: &ReportFile<'_>, case: &Case) -> FoundCase {
    FoundCase {
        case: case.clone(),
        worker: report.worker.clone(),
        step: report.step.clone(),
        unit: report.unit.clone(),
    }
}

fn duration(execution: &Execution) -> u64 {
    let heard = || execution.units().filter_map(|(_, unit)| unit.run.last_heard()).max();
    let end = execution.ended().map(|(_, at)| at).or_else(heard);
    let (Some(start), Some(end)) = (execution.created_at(), end) else { return 0 };
    u64::try_from(end.duration_since(start).as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
