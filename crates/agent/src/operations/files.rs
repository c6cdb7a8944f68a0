//! `content.files`: put where commands see them, read-only, in a mount namespace of each command's own.

use std::{
    ffi::CString,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use testudo_core::{
    plan::{File, Reference, Surroundings},
    run::Outcome,
};

use super::Evaluate;
use crate::{scope::normal, sys::Bound};

/// Where the files themselves lie, in the unit's own root.
const FOLDER: &str = "/.testudo";

/// Files in place for one attempt; they go with this value.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) bound: Vec<Bound>,
    made: Vec<PathBuf>,
}

/// Puts the files of a step in place.
pub(super) fn place(evaluate: &Evaluate<'_>, around: &Surroundings) -> Result<Placed, Outcome> {
    let mut placed = Placed::default();
    for (number, file) in around.files.iter().enumerate() {
        let name = evaluate.text(&file.path)?;
        let content = content(evaluate, file)?;
        let base = if around.working_dir.is_empty() { Path::new("/data") } else { &evaluate.environment.working_dir };
        let target = normal(&base.join(&name));
        placed.add(number, &target, content.as_bytes(), file.mode).map_err(|error| Outcome::Error {
            message: format!("the file {} could not be put in place: {error}", target.display()),
        })?;
    }
    Ok(placed)
}

fn content(evaluate: &Evaluate<'_>, file: &File) -> Result<String, Outcome> {
    if let Some(reference) = &file.content_from {
        let Reference { name, key, optional, .. } = reference;
        let value = evaluate.values.references.get(&reference.path()).cloned();
        return match value {
            Some(value) => Ok(value),
            None if *optional => Ok(String::new()),
            None => Err(Outcome::Error {
                message: format!(
                    "{} needs the key {} of {name}, which is not there",
                    file.path,
                    key.as_deref().unwrap_or("*")
                ),
            }),
        };
    }
    evaluate.text(file.content.as_deref().unwrap_or_default())
}

impl Placed {
    fn add(&mut self, number: usize, target: &Path, content: &[u8], mode: Option<u32>) -> io::Result<()> {
        let source = self.write(&format!("file-{number}"), content, mode.unwrap_or(0o644))?;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        if fs::symlink_metadata(target).is_err() {
            fs::File::create(target)?;
            self.made.push(target.to_owned());
        }
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
        self.bound.push(Bound { source: path(&source)?, target: path(target)? });
        Ok(())
    }

    /// A script that is too long for an argument.
    pub(super) fn script(&mut self, script: &[u8]) -> io::Result<PathBuf> {
        self.write("script", script, 0o644)
    }

    fn write(&mut self, name: &str, content: &[u8], mode: u32) -> io::Result<PathBuf> {
        fs::create_dir_all(FOLDER)?;
        let path = Path::new(FOLDER).join(name);
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        self.made.push(path.clone());
        Ok(path)
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        for path in &self.made {
            // A step may have removed its own.
            let _ = fs::remove_file(path);
        }
    }
}
