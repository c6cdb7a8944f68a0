//! Files read into documents: those that were named, and what lies beside them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use testudo_core::{
    source::{Diagnostic, SourceFile, Sources},
    workflow::{Document, Documents, Reading, load},
};

/// Longest file that is read as a workflow.
const LONGEST: u64 = 16 << 20;

/// What was read.
pub(crate) struct Read {
    pub(crate) sources: Sources,
    pub(crate) documents: Documents,
    pub(crate) findings: Vec<Diagnostic>,
}

impl Read {
    /// Reads the named files; folders stand for the YAML files in them.
    pub(crate) fn named(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            if path.is_dir() {
                let before = files.len();
                files.extend(beside(path));
                anyhow::ensure!(files.len() > before, "there is no YAML file in {}", path.display());
            } else {
                files.push(path.clone());
            }
        }
        let sources = Sources::new(files.iter().map(|path| source(path)).collect::<anyhow::Result<Vec<_>>>()?);
        let (documents, findings) = load(&sources, Reading::default());
        Ok(Read { sources, documents, findings })
    }

    /// Adds what lies in the folders of the named files, as far as it is sound: others may be found there by name.
    pub(crate) fn with_neighbours(mut self, paths: &[PathBuf]) -> Self {
        let mut known: Vec<PathBuf> = paths.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
        let mut files = Vec::new();
        for path in paths {
            let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
            let folder = folder.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
            for file in folder.map(beside).unwrap_or_default() {
                if let Ok(real) = fs::canonicalize(&file)
                    && !known.contains(&real)
                    && let Ok(source) = source(&file)
                {
                    known.push(real);
                    files.push(source);
                }
            }
        }
        let (documents, _) = load(&Sources::new(files), Reading::default());
        for document in documents.iter() {
            if !self.documents.iter().any(|known| known.kind == document.kind && known.name == document.name) {
                self.documents.push(document.clone());
            }
        }
        self
    }

    /// The workflow to run.
    pub(crate) fn workflow(&self, name: Option<&str>) -> anyhow::Result<&Document> {
        match name {
            Some(name) => {
                self.documents.workflow(name).with_context(|| format!("none of the files has a workflow called {name}"))
            }
            None => self.documents.workflows.first().context("there is no TestWorkflow in what was given"),
        }
    }
}

fn source(path: &Path) -> anyhow::Result<SourceFile> {
    let shown = path.display().to_string();
    let meta = fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
    anyhow::ensure!(meta.len() <= LONGEST, "{shown} has {} bytes; a workflow has at most {LONGEST}", meta.len());
    let bytes = fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("{shown} is not UTF-8 text: byte {at} begins no character")
    })?;
    Ok(SourceFile::new(shown, text))
}

/// The YAML files of a folder, in order.
fn beside(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let yaml = |path: &PathBuf| {
        path.is_file() && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(yaml).collect();
    files.sort();
    files
}
