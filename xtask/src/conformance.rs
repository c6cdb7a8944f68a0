//! Runs case files against the implementation. A suite is a function from one case to what is wrong with it.

mod corpus;
mod execution;
mod expansion;
mod expressions;
mod resolution;
mod trees;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail, ensure};
use serde_json::Value as Json;

/// What is wrong with a case, if anything.
pub(crate) type Verdict = Result<(), String>;

/// One line of a case file.
pub(crate) struct Case<'c> {
    pub(crate) json: &'c Json,
    /// The line as written, for suites in which the order of keys means something.
    pub(crate) line: &'c str,
    /// The file it stands in.
    pub(crate) file: &'c Path,
}

type Suite<'o> = Box<dyn Fn(&Case<'_>) -> Verdict + Sync + 'o>;

/// How cases are run.
pub(crate) struct Options {
    /// Cases under way at once.
    jobs: usize,
    /// Where the units of whole runs live.
    runner: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options { jobs: 8, runner: None }
    }
}

pub(crate) const SUITES: &[&str] = &["expressions", "resolution", "expansion", "execution", "corpus"];

fn suite<'o>(name: &str, options: &'o Options) -> Option<Suite<'o>> {
    Some(match name {
        "expressions" => Box::new(|case| expressions::check(case.json)),
        "resolution" => Box::new(resolution::check),
        "expansion" => Box::new(expansion::check),
        "execution" => Box::new(|case| execution::check(case, options.runner.as_deref())),
        "corpus" => Box::new(corpus::check),
        _ => return None,
    })
}

/// `SUITE [--runner RUNNER] [--jobs N] FILE_OR_DIR...`, in any order.
pub(crate) fn main(name: &str, arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let (mut options, mut paths) = (Options::default(), Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
        match *argument {
            "--runner" => options.runner = Some((*value()?).to_owned()),
            "--jobs" => options.jobs = value()?.parse().context("--jobs needs a number")?,
            path => paths.push(PathBuf::from(path)),
        }
    }
    ensure!(options.runner.is_none() || name == "execution", "only the suite execution has a use for --runner");
    run(name, &options, &paths)
}

fn run(name: &str, options: &Options, paths: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let Some(check) = suite(name, options) else {
        bail!("no suite {name}; there are: {}", SUITES.join(", "));
    };
    let mut cases = Vec::new();
    for file in paths.iter().map(|path| case_files(path)).collect::<anyhow::Result<Vec<_>>>()?.concat() {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = format!("{}:{}", file.display(), number + 1);
            let json: Json = serde_json::from_str(line).with_context(|| format!("{place} is not JSON"))?;
            cases.push((file.clone(), place, line.to_owned(), json));
        }
    }
    // Whole runs mostly wait; the rest is too quick for it to matter.
    let next = AtomicUsize::new(0);
    let complaints: Vec<Mutex<Option<String>>> = cases.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((file, _, line, json)) = cases.get(at) else { return };
                    if let Err(complaint) = check(&Case { json, line, file }) {
                        *complaints[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(complaint);
                    }
                }
            });
        }
    });
    let mut failed = 0;
    for ((_, place, _, json), complaint) in cases.iter().zip(complaints) {
        if let Some(complaint) = complaint.into_inner().unwrap_or_else(PoisonError::into_inner) {
            failed += 1;
            let name = json["id"].as_str().or_else(|| json["file"].as_str()).unwrap_or("?");
            println!("FAILED {name} ({place})\n{complaint}");
        }
    }
    println!("{} passed, {failed} failed", cases.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The file itself, or every `.jsonl` file below a directory, in order.
fn case_files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(case_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance").join(name)
    }

    #[test]
    fn resolution_agrees_with_the_reference_or_differs_knowingly() {
        let outcome = run("resolution", &Options::default(), &[cases("resolution.cases.jsonl")]).unwrap();
        assert_eq!(outcome, ExitCode::SUCCESS);
    }

    #[test]
    fn expansion_agrees_with_the_reference_or_differs_knowingly() {
        let outcome = run("expansion", &Options::default(), &[cases("expansion.cases.jsonl")]).unwrap();
        assert_eq!(outcome, ExitCode::SUCCESS);
    }

    #[test]
    fn real_documents_get_the_verdict_they_deserve() {
        let outcome = run("corpus", &Options::default(), &[cases("../corpus")]).unwrap();
        assert_eq!(outcome, ExitCode::SUCCESS);
    }
}
