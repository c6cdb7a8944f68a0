//! What a step hands to later steps: files under `/testkube/outputs`.

use std::{collections::BTreeMap, fs, path::Path};

const FOLDER: &str = "/testkube/outputs";
/// Longest output in bytes.
const LONGEST: usize = 4096;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) warnings: Vec<String>,
}

/// Forgets what an earlier attempt or step wrote.
pub(crate) fn clear() {
    let Ok(entries) = fs::read_dir(FOLDER) else {
        let _ = fs::create_dir_all(FOLDER);
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        // A step may have taken away the right to do so; what it left is then read as its own.
        drop(removed);
    }
}

/// Reads what the step wrote, and takes it away.
pub(crate) fn collect() -> Collected {
    let mut collected = Collected::default();
    let Ok(entries) = fs::read_dir(FOLDER) else { return collected };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if name.starts_with('.') || !is_file {
            continue;
        }
        match fs::read(Path::new(FOLDER).join(&name)) {
            Ok(bytes) if bytes.len() > LONGEST => collected
                .warnings
                .push(format!("warn: output {name} has {} bytes, more than {LONGEST}: it is left out", bytes.len())),
            Ok(bytes) => {
                collected.values.insert(name, String::from_utf8_lossy(&bytes).trim().to_owned());
            }
            Err(error) => collected.warnings.push(format!("warn: output {name}: {error}")),
        }
    }
    if !collected.values.is_empty() || !collected.warnings.is_empty() {
        clear();
    }
    collected
}
