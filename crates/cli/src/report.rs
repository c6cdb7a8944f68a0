//! One report over all units of an execution, for other tools and for people.

use std::fmt::Write;

use anyhow::Context;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;
use testudo_core::{
    run::{Case, CaseStatus, Execution},
    summary::{self, FoundCase, ReportFile, Summary, place_of, title_of},
};

use crate::{args::Format, reporter::words};

/// Longest text of a failure in a table or a list that people read.
const LONGEST: usize = 2000;

pub(crate) fn render(execution: &Execution, format: Format) -> anyhow::Result<String> {
    match format {
        Format::Junit => junit(execution),
        Format::Json => json(execution),
        Format::Md => Ok(markdown(&execution.plan().execution.name, &summary::of(execution))),
    }
}

/// A suite for each report file: two workers may have run the same case, and a reader should see both.
fn junit(execution: &Execution) -> anyhow::Result<String> {
    let mut report = Report::new(execution.plan().execution.name.as_str());
    report.set_time(millis(summary::of(execution).duration_ms));
    report.add_test_suites(summary::reports_of(execution).iter().map(suite));
    report.to_string().context("the report could not be written")
}

fn suite(file: &ReportFile<'_>) -> TestSuite {
    let mut suite = TestSuite::new(suite_name(file));
    for (name, value) in [("unit", file.unit.to_string()), ("step", file.step.clone()), ("worker", file.worker.clone())]
    {
        if !value.is_empty() {
            suite.add_property(Property::new(name, value));
        }
    }
    suite.add_property(Property::new("file", file.file.as_str()));
    suite.set_time(millis(file.cases.iter().map(|case| case.duration).sum()));
    suite.add_test_cases(file.cases.iter().map(|case| test_case(case)));
    suite
}

fn suite_name(file: &ReportFile<'_>) -> String {
    let parts = [file.step.as_str(), file.worker.as_str(), file.file.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn test_case(case: &Case) -> TestCase {
    let mut status = match case.status {
        CaseStatus::Passed => TestCaseStatus::success(),
        CaseStatus::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        CaseStatus::Errored => TestCaseStatus::non_success(NonSuccessKind::Error),
        CaseStatus::Skipped => TestCaseStatus::skipped(),
    };
    if case.status != CaseStatus::Passed {
        if !case.message.is_empty() {
            status.set_message(case.message.as_str());
        }
        if !case.details.is_empty() {
            status.set_description(case.details.as_str());
        }
    }
    let mut test = TestCase::new(case.name.as_str(), status);
    let class = if case.class.is_empty() { &case.suite } else { &case.class };
    if !class.is_empty() {
        test.set_classname(class.as_str());
    }
    test.set_time(millis(case.duration));
    let line = case.line.map(|line| line.to_string());
    for (name, value) in [("file", case.file.as_deref()), ("line", line.as_deref())] {
        if let Some(value) = value {
            test.extra.insert(name.into(), value.into());
        }
    }
    test
}

fn millis(millis: u64) -> std::time::Duration {
    std::time::Duration::from_millis(millis)
}

fn json(execution: &Execution) -> anyhow::Result<String> {
    let summary = summary::of(execution);
    let identity = &execution.plan().execution;
    let reports: Vec<_> = summary::reports_of(execution)
        .iter()
        .map(|report| {
            json!({
                "unit": report.unit,
                "step": report.step,
                "worker": report.worker,
                "file": report.file,
                "cases": report.cases,
            })
        })
        .collect();
    let whole = json!({
        "workflow": execution.plan().workflow,
        "name": identity.name,
        "id": identity.id,
        "status": execution.status(),
        "duration": summary.duration_ms,
        "summary": {
            "tests": summary.tests,
            "passed": summary.passed,
            "failed": summary.failed,
            "errored": summary.errored,
            "skipped": summary.skipped,
        },
        "artifacts": summary.artifacts,
        "reports": reports,
    });
    Ok(serde_json::to_string_pretty(&whole)? + "\n")
}

/// For pull requests and chats: the numbers, what failed and why, what was slow.
fn markdown(name: &str, summary: &Summary) -> String {
    let mut text = String::new();
    let Summary { tests, passed, failed, errored, skipped, duration_ms, failures, slowest, files, artifacts: _ } =
        summary;
    let _ = writeln!(text, "# {}\n", plain(name));
    if *files == 0 {
        text.push_str("There are no test reports in this run.\n");
        return text;
    }
    text.push_str("| tests | passed | failed | errors | skipped | time |\n|--:|--:|--:|--:|--:|--:|\n");
    let time = words::duration(millis(*duration_ms));
    let _ = writeln!(text, "| {tests} | {passed} | {failed} | {errored} | {skipped} | {time} |");
    if !failures.is_empty() {
        text.push_str("\n## Failed\n");
        for found in failures {
            failure(&mut text, found);
        }
    }
    if !slowest.is_empty() {
        text.push_str("\n## Slowest\n\n| time | case | worker |\n|--:|---|---|\n");
        for FoundCase { case, worker, .. } in slowest {
            let time = words::duration(millis(case.duration));
            let _ = writeln!(text, "| {time} | {} | {} |", cell(&title_of(case)), cell(worker));
        }
    }
    text
}

fn failure(text: &mut String, FoundCase { case, worker, step, .. }: &FoundCase) {
    let _ = writeln!(text, "\n### {}\n", plain(&title_of(case)));
    let where_from: Vec<String> =
        [step, worker].into_iter().filter(|part| !part.is_empty()).map(|part| plain(part)).collect();
    let place = place_of(case).map(|place| format!("`{}`", place.replace('`', "'")));
    let facts: Vec<String> = where_from.into_iter().chain(place).collect();
    if !facts.is_empty() {
        let _ = writeln!(text, "{}\n", facts.join(" · "));
    }
    let message = if case.message.is_empty() { case.details.as_str() } else { case.message.as_str() };
    if !message.is_empty() {
        let shown = message.get(..message.floor_char_boundary(LONGEST)).unwrap_or_default();
        let more = if shown.len() < message.len() { "\n…" } else { "" };
        let fence = fence(shown);
        let _ = writeln!(text, "{fence}text\n{shown}{more}\n{fence}");
    }
}

/// A fence longer than any run of backticks in what it holds.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

/// Text that Markdown leaves as it is, in one line.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => plain.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' => plain.extend(['\\', c]),
            _ => plain.push(c),
        }
    }
    plain
}

/// Code in a cell of a table, where even code must not hold a bar.
fn cell(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = text.replace(['\n', '\r'], " ").replace('`', "'").replace('|', "\\|");
    format!("`{text}`")
}

#[cfg(test)]
mod tests;
