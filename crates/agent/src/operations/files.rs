//! `content.files`: put where commands see them, read-only, in a mount namespace of each command's own. In a container,
//! which has no right to make one, they are written where they belong for as long as the command runs.

use std::{
    ffi::CString,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use testudo_core::{
    plan::{File, Reference, Surroundings},
    run::Outcome,
};

use super::Evaluate;
use crate::{
    scope::normal,
    sys::{Bound, Caller},
};

/// Where the files themselves lie, in the unit's own root.
const FOLDER: &str = "/.testudo";

/// The file that holds a script which is too long for an argument.
pub(super) const SCRIPT: &str = "/.testudo/script";

/// A file as a step sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rendered {
    pub(crate) target: PathBuf,
    content: String,
    mode: u32,
}

/// Files in place for one attempt; they go with this value.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    pub(super) bound: Vec<Bound>,
    made: Vec<PathBuf>,
    /// Files that others stand in for, and where they are meanwhile.
    aside: Vec<(PathBuf, PathBuf)>,
}

/// The files of a step with everything in them final.
pub(super) fn render(evaluate: &Evaluate<'_>, around: &Surroundings) -> Result<Vec<Rendered>, Outcome> {
    around
        .files
        .iter()
        .map(|file| {
            let name = evaluate.text(&file.path)?;
            let content = content(evaluate, file)?;
            let base =
                if around.working_dir.is_empty() { Path::new("/data") } else { &evaluate.environment.working_dir };
            Ok(Rendered { target: normal(&base.join(&name)), content, mode: file.mode.unwrap_or(0o644) })
        })
        .collect()
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
    if let Some(source) = &file.content_source {
        let number = evaluate.run.plan().source(source);
        let value = number.and_then(|number| evaluate.environment.sources.get(&number));
        return value
            .cloned()
            .ok_or_else(|| Outcome::Error { message: format!("{} needs what only a cluster can tell", file.path) });
    }
    evaluate.text(file.content.as_deref().unwrap_or_default())
}

impl Placed {
    /// Puts the files of a step in place.
    pub(super) fn all(&mut self, files: &[Rendered], caller: Caller) -> Result<(), Outcome> {
        for (number, file) in files.iter().enumerate() {
            let done = match caller {
                Caller::Container => self.put(file),
                Caller::Root | Caller::User { .. } => self.bind(number, file),
            };
            done.map_err(|error| Outcome::Error {
                message: format!("the file {} could not be put in place: {error}", file.target.display()),
            })?;
        }
        Ok(())
    }

    fn bind(&mut self, number: usize, file: &Rendered) -> io::Result<()> {
        let Rendered { target, content, mode } = file;
        let source = Path::new(FOLDER).join(format!("file-{number}"));
        self.write(&source, content.as_bytes(), *mode)?;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        if fs::symlink_metadata(target).is_err() {
            fs::File::create(target)?;
            self.made.push(target.clone());
        }
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
        self.bound.push(Bound { source: path(&source)?, target: path(target)? });
        Ok(())
    }

    /// Writes a file where it belongs.
    pub(crate) fn put(&mut self, file: &Rendered) -> io::Result<()> {
        let Rendered { target, content, mode } = file;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        if fs::symlink_metadata(target).is_ok() {
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            let aside = target.with_file_name(format!(".{name}.testudo"));
            fs::rename(target, &aside)?;
            self.aside.push((aside, target.clone()));
        }
        self.made.push(target.clone());
        fs::write(target, content)?;
        fs::set_permissions(target, fs::Permissions::from_mode(*mode))
    }

    /// A script that is too long for an argument.
    pub(super) fn script(&mut self, script: &[u8]) -> io::Result<()> {
        self.write(Path::new(SCRIPT), script, 0o644)
    }

    fn write(&mut self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        fs::create_dir_all(FOLDER)?;
        fs::write(path, content)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        self.made.push(path.to_owned());
        Ok(())
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        for path in &self.made {
            // A step may have removed its own.
            let _ = fs::remove_file(path);
        }
        for (aside, target) in &self.aside {
            let _ = fs::rename(aside, target);
        }
    }
}
