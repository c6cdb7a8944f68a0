//! Chores of the repository, in Rust so that they run wherever it builds.

mod conformance;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["conformance", suite, paths @ ..] if !paths.is_empty() => {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            conformance::main(suite, &paths)
        }
        ["tidy"] => tidy::main(),
        [testudo_agent::jq::HELPER_ARGUMENT] => testudo_agent::jq::helper_main(),
        _ => {
            eprintln!(
                "usage: cargo xtask conformance SUITE FILE_OR_DIR...\n       cargo xtask tidy\nsuites: {}",
                conformance::SUITES.join(", ")
            );
            Ok(ExitCode::from(2))
        }
    }
}
