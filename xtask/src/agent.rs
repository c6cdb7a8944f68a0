//! The agent as one static file that needs nothing of the image it runs in.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value as Json;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds it, where anything changed, and says where it is.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let mut flags = env::var("RUSTFLAGS").unwrap_or_default();
    flags.push_str(" -C target-feature=+crt-static");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--profile", "agent", "--package", "testudo-agent", "--bin", "testudo-agent"])
        // Named, though it is this machine's: macros are libraries of the compiler and must not see the flag.
        .args(["--target", TARGET, "--message-format", "json-render-diagnostics"])
        .env("RUSTFLAGS", flags.trim())
        .current_dir(crate::root())
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    ensure!(output.status.success(), "the agent does not build");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo does not say where the agent is")
}
