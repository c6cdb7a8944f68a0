//! The last screen: did it pass, what failed and why, where the files are, which command comes next.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use testudo_core::{
    run::{Execution, Outcome, Status, UnitKey},
    summary::{self, FoundCase, Summary, place_of, title_of},
};
use testudo_store::{Folder, Lines, Meta, OutputReader};

use super::{
    header::quoted,
    style::{DIM, Marks, RESET, bold, paint},
    why::{self, Cause},
    words,
};

/// Lines of output that are shown of a step that failed.
const TAIL: usize = 20;
/// Lines of a message that are shown of a failed case.
const MESSAGE: usize = 6;
/// Where values begin in the lines at the bottom.
const NAMES: usize = 10;

/// How much is shown, and with what.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) marks: Marks,
    pub(super) show_failures: usize,
    pub(super) width: usize,
}

/// What the last screen is made of.
pub(super) struct Over<'a> {
    pub(super) execution: &'a Execution,
    pub(super) summary: &'a Summary,
    pub(super) meta: &'a Meta,
    /// Where the person is.
    pub(super) here: &'a Path,
    /// The last lines that a step of a unit wrote.
    pub(super) tail: &'a dyn Fn(&UnitKey, Option<usize>) -> Vec<String>,
}

/// The last screen of the run in a folder.
pub(super) fn of_folder(folder: &Folder, view: View) -> io::Result<String> {
    let execution = folder.execution().map_err(io::Error::other)?;
    let summary = summary::of(&execution);
    let here = std::env::current_dir().unwrap_or_default();
    let tail = |unit: &UnitKey, step: Option<usize>| tail(&folder.output_path(unit), step).unwrap_or_default();
    let over = Over { execution: &execution, summary: &summary, meta: &folder.meta, here: &here, tail: &tail };
    Ok(text(&over, view))
}

/// The last lines of a kept output.
fn tail(path: &Path, step: Option<usize>) -> io::Result<Vec<String>> {
    let mut reader = OutputReader::open(path)?;
    let mut lines = Lines::default();
    // The oldest line's buffer becomes the newest's: a long output costs no more than a short one.
    let mut last: VecDeque<Vec<u8>> = VecDeque::with_capacity(TAIL);
    let mut keep = |of: u32, _: u64, line: &[u8]| {
        if step.is_some_and(|step| u32::try_from(step) != Ok(of)) {
            return;
        }
        let mut buffer = if last.len() == TAIL { last.pop_front().unwrap_or_default() } else { Vec::new() };
        buffer.clear();
        buffer.extend_from_slice(line);
        last.push_back(buffer);
    };
    while let Some((step, nanos, bytes)) = reader.read()? {
        lines.take(step, nanos, bytes, &mut keep);
    }
    lines.finish(&mut keep);
    Ok(last.iter().map(|line| words::tame(line)).collect())
}

/// The last screen.
pub(super) fn text(over: &Over<'_>, view: View) -> String {
    let status = over.execution.status();
    let mut lines = vec![status_line(over, view)];
    let mut causes = if status == Status::Passed { Vec::new() } else { why::causes(over.execution) };
    if status == Status::Canceled {
        // Whoever stopped it knows why it ended.
        causes.retain(|cause| !cause.stopped);
    }
    if status != Status::Passed {
        lines.extend(failures(over, &causes, view));
    }
    lines.extend(bottom(over, &causes, view));
    lines.push(String::new());
    view.marks.plain(lines.join("\n"))
}

fn status_line(over: &Over<'_>, view: View) -> String {
    let status = over.execution.status();
    let took = words::duration(Duration::from_millis(over.summary.duration_ms));
    let style = paint(status);
    let mark = view.marks.of(status, 0);
    let link = if matches!(status, Status::Passed | Status::Failed) { "in" } else { "after" };
    let first = format!("{style}{mark} {status}{RESET} {link} {took}");
    let reason = over.execution.stop_reason().map(|(_, reason)| reason.to_owned());
    let facts = [tests(over.summary), reason.filter(|reason| !reason.is_empty())];
    let facts: Vec<String> = std::iter::once(first).chain(facts.into_iter().flatten()).collect();
    facts.join(&format!(" {} ", view.marks.dot()))
}

/// `408 tests, 407 passed, 1 failed`.
fn tests(summary: &Summary) -> Option<String> {
    let Summary { tests, passed, failed, errored, skipped, .. } = *summary;
    if tests == 0 {
        return None;
    }
    let total = words::counted(tests, "test");
    if passed == tests {
        return Some(if tests == 1 { format!("{total}, passed") } else { format!("{total}, all passed") });
    }
    let facts = [(passed, "passed"), (failed, "failed"), (errored, "with errors"), (skipped, "skipped")];
    let facts = facts.into_iter().filter(|(number, _)| *number > 0);
    let facts: Vec<String> = facts.map(|(number, what)| format!("{} {what}", words::count(number))).collect();
    Some(format!("{total}, {}", facts.join(", ")))
}

/// The first failures, each behind an empty line: cases of reports before raw lines.
fn failures(over: &Over<'_>, causes: &[Cause], view: View) -> Vec<String> {
    let cases = &over.summary.failures;
    // A unit whose report tells of failed cases has told why it failed.
    let told = |cause: &&Cause| cases.iter().any(|found| found.unit == cause.unit);
    let mut raw: Vec<(&Cause, usize)> = Vec::new();
    for cause in causes.iter().filter(|cause| !told(cause)) {
        match raw.iter_mut().find(|(first, _)| alike(over, first, cause)) {
            Some((_, others)) => *others += 1,
            None => raw.push((cause, 0)),
        }
    }
    let room = view.show_failures.saturating_sub(cases.len());
    let mut lines = Vec::new();
    for found in cases.iter().take(view.show_failures) {
        lines.push(String::new());
        lines.extend(case(found, view));
    }
    for (cause, others) in raw.iter().take(room) {
        lines.push(String::new());
        lines.extend(raw_cause(over, cause, *others, view));
    }
    let more = (cases.len() + raw.len()).saturating_sub(view.show_failures);
    if more > 0 && view.show_failures > 0 {
        let more = words::counted(more as u64, "more failure");
        lines.push(String::new());
        lines.push(format!("  {DIM}and {more}; --show-failures N shows more{RESET}"));
    }
    lines
}

fn case(found: &FoundCase, view: View) -> Vec<String> {
    let message = if found.case.message.is_empty() { &found.case.details } else { &found.case.message };
    let message: Vec<String> = message.lines().map(|line| words::tame(line.as_bytes())).collect();
    let message: Vec<&String> = message.iter().filter(|line| !line.trim().is_empty()).collect();
    let mut lines = vec![headline(&title_of(&found.case), &found.worker, Status::Failed, view)];
    lines.extend(message.iter().take(MESSAGE).map(|line| format!("  {line}")));
    if message.len() > MESSAGE {
        lines.push(format!("  {DIM}…{RESET}"));
    }
    lines.extend(place_of(&found.case).map(|place| format!("  {DIM}{place}{RESET}")));
    lines
}

/// Workers that failed for the same reason before their commands had a say are one failure.
fn alike(over: &Over<'_>, one: &Cause, other: &Cause) -> bool {
    let early = |cause: &Cause| {
        let outcome = over.execution.unit(&cause.unit).zip(cause.step);
        let outcome = outcome.and_then(|(unit, step)| unit.run.state(step).outcome.as_ref());
        !matches!(outcome, Some(Outcome::Exit { .. }))
    };
    one.why == other.why && early(one) && early(other) && one.unit != other.unit
}

fn raw_cause(over: &Over<'_>, cause: &Cause, others: usize, view: View) -> Vec<String> {
    let (step, worker) = why::named(over.execution, cause);
    let name = if step.is_empty() { over.meta.workflow.clone() } else { step };
    let worker = match others {
        0 => worker,
        1 => format!("{worker} and another"),
        more => format!("{worker} and {} others", words::count(more as u64)),
    };
    let mut lines = vec![headline(&name, &worker, cause.status, view)];
    // Why it was stopped stands in the first line of all.
    let why = if cause.stopped { "it was under way" } else { &cause.why };
    lines.extend(why.lines().map(|line| format!("  {line}")));
    if cause.child.is_some() {
        // What its step wrote only says so once more.
        return lines;
    }
    let tail = (over.tail)(&cause.unit, cause.step);
    let blank = |line: &&String| line.trim().is_empty();
    let from = tail.iter().take_while(blank).count();
    let to = tail.len() - tail.iter().rev().take_while(blank).count();
    let bar = if view.marks == Marks::Unicode { "│" } else { "|" };
    // What the step said of itself has been said.
    let said = |line: &&String| line.trim() == cause.why.trim();
    let tail = tail.get(from..to).unwrap_or_default().iter().filter(|line| !said(line));
    lines.extend(tail.map(|line| format!("  {DIM}{bar}{RESET} {line}")));
    lines
}

/// The mark, what failed, and where.
fn headline(name: &str, worker: &str, status: Status, view: View) -> String {
    let style = paint(status);
    let mark = view.marks.of(status, 0);
    let room = view.width.saturating_sub(words::width(mark) + 1);
    if worker.is_empty() {
        return format!("{style}{mark}{RESET} {}", bold(&words::cut(name, room)));
    }
    let worker = words::cut(worker, room.saturating_sub(23).max(20));
    let name = words::cut(name, room.saturating_sub(words::width(&worker) + 3).max(20));
    format!("{style}{mark}{RESET} {}   {worker}", bold(&name))
}

fn bottom(over: &Over<'_>, causes: &[Cause], view: View) -> Vec<String> {
    let name = quoted(&over.meta.name);
    let passed = over.execution.status() == Status::Passed;
    let mut facts: Vec<(&str, String)> = Vec::new();
    if passed && let Some(slowest) = over.summary.slowest.first() {
        facts.push(("slowest", slowest_line(slowest, view)));
    }
    let kept = over.summary.artifacts;
    if kept.files > 0 {
        let folder = format!("{}/", nearest(&over.meta.artifacts, over.here).display());
        let amount = format!("{}, {}", words::counted(kept.files, "file"), words::size(kept.bytes));
        facts.push(("files", format!("{folder}   {DIM}{amount}{RESET}")));
    }
    if over.summary.tests > 0 {
        facts.push(("report", format!("testudo report {name}")));
    }
    if !passed {
        facts.push(("log", log_command(over, causes, &name)));
        facts.push(("again", over.meta.command.clone()));
    }
    // Behind failures a line of space; behind a single line of status none.
    let space = (!passed).then(String::new);
    let facts = facts.into_iter().map(|(what, value)| format!("  {DIM}{}{RESET}{value}", words::padded(what, NAMES)));
    space.into_iter().chain(facts).collect()
}

fn slowest_line(slowest: &FoundCase, view: View) -> String {
    let took = words::duration(Duration::from_millis(slowest.case.duration));
    let worker = if slowest.worker.is_empty() { String::new() } else { format!(" ({})", slowest.worker) };
    let room = view.width.saturating_sub(NAMES + 6 + words::width(&took) + words::width(&worker));
    format!("{}{worker}   {took}", words::cut(&title_of(&slowest.case), room.max(16)))
}

/// The command that shows what the first failure wrote.
fn log_command(over: &Over<'_>, causes: &[Cause], name: &str) -> String {
    let child = causes.first().and_then(|cause| cause.child.as_ref());
    if over.summary.failures.is_empty()
        && let Some(child) = child
    {
        return format!("testudo logs {}", quoted(child));
    }
    let (step, worker) = match (over.summary.failures.first(), causes.first()) {
        (Some(found), _) => (found.step.clone(), found.worker.clone()),
        (None, Some(cause)) => why::named(over.execution, cause),
        (None, None) => (String::new(), String::new()),
    };
    let flags = [("step", step), ("worker", worker)].into_iter().filter(|(_, value)| !value.is_empty());
    let flags = flags.map(|(flag, value)| format!("--{flag} {}", quoted(&value)));
    [format!("testudo logs {name}")].into_iter().chain(flags).collect::<Vec<_>>().join(" ")
}

/// A path as it is shorter: from here, or from the root.
fn nearest(path: &Path, here: &Path) -> PathBuf {
    let mut up = PathBuf::new();
    for above in here.ancestors() {
        if let Ok(rest) = path.strip_prefix(above) {
            let relative = up.join(rest);
            let short = |path: &Path| path.as_os_str().len();
            return if short(&relative) <= short(path) { relative } else { path.to_owned() };
        }
        up.push("..");
    }
    path.to_owned()
}
