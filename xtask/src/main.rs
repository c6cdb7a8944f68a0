//! Chores of the repository, in Rust so that they run wherever it builds.

mod agent;
mod conformance;
mod image;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["conformance", suite, arguments @ ..] if !arguments.is_empty() => conformance::main(suite, arguments),
        ["tidy"] => tidy::main(),
        ["agent"] => {
            println!("{}", agent::build()?.display());
            Ok(ExitCode::SUCCESS)
        }
        ["image", arguments @ ..] => image::main(arguments).map(|()| ExitCode::SUCCESS),
        [testudo_agent::jq::HELPER_ARGUMENT] => testudo_agent::jq::helper_main(),
        _ => {
            eprintln!(
                "usage: cargo xtask conformance SUITE [--runner RUNNER] [--jobs N] FILE_OR_DIR...\n       cargo xtask tidy\n       \
                 cargo xtask agent\n       {}\nsuites: {}",
                image::USAGE,
                conformance::SUITES.join(", ")
            );
            Ok(ExitCode::from(2))
        }
    }
}

/// Where the repository is.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where what is built lies.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
