//! Runs case files against the implementation. A suite is a function from one case to what is wrong with it.

mod corpus;
mod expansion;
mod expressions;
mod resolution;
mod trees;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
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

type Suite = fn(&Case<'_>) -> Verdict;

pub(crate) const SUITES: &[&str] = &["expressions", "resolution", "expansion", "corpus"];

fn suite(name: &str) -> Option<Suite> {
    match name {
        "expressions" => Some(|case| expressions::check(case.json)),
        "resolution" => Some(resolution::check),
        "expansion" => Some(expansion::check),
        "corpus" => Some(corpus::check),
        _ => None,
    }
}

pub(crate) fn main(name: &str, paths: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let Some(check) = suite(name) else {
        bail!("no suite {name}; there are: {}", SUITES.join(", "));
    };
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for file in paths.iter().map(|path| case_files(path)).collect::<anyhow::Result<Vec<_>>>()?.concat() {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = || format!("{}:{}", file.display(), number + 1);
            let case: Json = serde_json::from_str(line).with_context(|| format!("{} is not JSON", place()))?;
            match check(&Case { json: &case, line, file: &file }) {
                Ok(()) => passed += 1,
                Err(complaint) => {
                    failed += 1;
                    let name = case["id"].as_str().or_else(|| case["file"].as_str()).unwrap_or("?");
                    println!("FAILED {name} ({})\n{complaint}", place());
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
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
        let outcome = main("resolution", &[cases("resolution.cases.jsonl")]).unwrap();
        assert_eq!(outcome, ExitCode::SUCCESS);
    }

    #[test]
    fn expansion_agrees_with_the_reference_or_differs_knowingly() {
        let outcome = main("expansion", &[cases("expansion.cases.jsonl")]).unwrap();
        assert_eq!(outcome, ExitCode::SUCCESS);
    }

    #[test]
    fn real_documents_get_the_verdict_they_deserve() {
        let outcome = main("corpus", &[cases("../corpus")]).unwrap();
        assert_eq!(outcome, ExitCode::SUCCESS);
    }
}
