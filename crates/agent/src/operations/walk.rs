//! Finding files by patterns.

use std::path::{Path, PathBuf};

use testudo_core::glob::Globs;
use walkdir::WalkDir;

/// Regular files that some pattern wants and no `!`-pattern refuses, in order. Links are not followed.
pub(crate) fn matching(directory: &Path, patterns: &[String]) -> Result<Vec<PathBuf>, String> {
    let globs = Globs::new(&directory.to_string_lossy(), patterns).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for root in globs.roots() {
        for entry in WalkDir::new(&root).sort_by_file_name().into_iter().flatten() {
            if entry.file_type().is_file() && globs.matches(&entry.path().to_string_lossy()) {
                found.push(entry.into_path());
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What a collection of files for keeps found: the files, and what was left out and why.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Where each file is, by the name it is kept under.
    pub(crate) files: Vec<(PathBuf, PathBuf)>,
    pub(crate) warnings: Vec<String>,
}

/// Files and links to files below `root`, for keeping: names are relative to `root`.
pub(crate) fn collect(root: &Path, globs: &Globs, skip: impl Fn(&Path) -> bool, shared: &[PathBuf]) -> Collected {
    let mut collected = Collected::default();
    let mut starts: Vec<PathBuf> = globs.roots().into_iter().map(PathBuf::from).collect();
    starts.sort();
    starts.dedup();
    let mut paths = Vec::new();
    for start in starts {
        let walk = WalkDir::new(&start).sort_by_file_name().into_iter().filter_entry(|entry| !skip(entry.path()));
        for entry in walk {
            match entry {
                Ok(entry) if !entry.file_type().is_dir() && globs.matches(&entry.path().to_string_lossy()) => {
                    paths.push(entry.into_path());
                }
                Ok(_) => {}
                Err(error) if error.io_error().is_some_and(|io| io.kind() == std::io::ErrorKind::NotFound) => {}
                Err(error) => collected.warnings.push(format!("warn: {error}")),
            }
        }
    }
    paths.sort();
    paths.dedup();
    for path in paths {
        let Ok(name) = path.strip_prefix(root) else { continue };
        match judge(&path, shared) {
            Ok(()) => collected.files.push((path.clone(), name.to_owned())),
            Err(why) => collected.warnings.push(format!("warn: {}: {why}", path.display())),
        }
    }
    collected
}

/// Whether a file can be kept: a link is judged by what it leads to.
fn judge(path: &Path, shared: &[PathBuf]) -> Result<(), String> {
    let own = std::fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if own.is_file() {
        return std::fs::File::open(path).map(drop).map_err(|error| error.to_string());
    }
    if !own.is_symlink() {
        return Err("neither a file nor a link: left out".to_owned());
    }
    let target = std::fs::canonicalize(path).map_err(|_| "a link that leads nowhere: left out".to_owned())?;
    if target.is_dir() {
        return Err("a link to a folder: left out".to_owned());
    }
    if !shared.iter().any(|volume| target.starts_with(volume)) {
        return Err("a link that leaves the shared volumes: left out".to_owned());
    }
    Ok(())
}
