//! Tidiness that no compiler checks: who may know whom, licences, versions that are there twice, and what is written
//! in source files. Each check is a function from what was read to complaints.

mod arrows;
mod licences;
mod sources;
mod versions;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// What a check has to say. Complaints fail; notes are for whoever reads on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    complaints: Vec<String>,
    notes: Vec<String>,
}

impl Findings {
    fn complain(&mut self, text: impl Into<String>) {
        self.complaints.push(text.into());
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

pub(crate) fn main() -> anyhow::Result<ExitCode> {
    let root = crate::root();
    let metadata = Metadata::read(&root)?;
    let checks = [
        ("arrows", arrows::check(&metadata)),
        ("licences", licences::check(&metadata)),
        ("versions", versions::check(&metadata)),
        ("manifests", sources::check_manifests(&metadata)?),
        ("sources", sources::check_sources(&root)?),
    ];
    let mut failed = 0;
    for (name, findings) in &checks {
        findings.notes.iter().for_each(|note| println!("note: {name}: {note}"));
        findings.complaints.iter().for_each(|complaint| println!("FAILED {name}: {complaint}"));
        failed += usize::from(!findings.complaints.is_empty());
    }
    println!("tidy: {} passed, {failed} failed", checks.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// As much of `cargo metadata` as the checks look at.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// None for what the crate itself uses, else `dev` or `build`.
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo, for the platform that testudo is for.
    fn read(root: &Path) -> anyhow::Result<Self> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(root)
            .output()
            .context("cargo metadata could not be started")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        serde_json::from_slice(&output.stdout).context("cargo metadata is not what was expected")
    }

    fn package(&self, id: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == id)
    }

    fn members(&self) -> impl Iterator<Item = &Package> {
        self.workspace_members.iter().filter_map(|id| self.package(id))
    }

    /// The packages that each package uses itself, by id; what only its tests use is left out.
    fn uses(&self) -> BTreeMap<&str, Vec<&str>> {
        let is_used = |dependency: &&Dependency| {
            dependency.dep_kinds.iter().any(|DependencyKind { kind }| kind.as_deref() != Some("dev"))
        };
        let mut uses: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for node in &self.resolve.nodes {
            let used = node.deps.iter().filter(is_used).map(|dependency| &*dependency.pkg);
            uses.entry(&node.id).or_default().extend(used);
        }
        uses
    }
}
