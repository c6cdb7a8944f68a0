//! Artifacts: files out of a pack, into a folder of the user's, and nowhere else; and out of there again, for
//! executions of the same family.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Component, Path, PathBuf},
};

use testudo_core::{frame::PackId, glob::Globs};

use crate::{Folder, StoreError};

/// The longest artifact that is read as a text.
const LONGEST: u64 = 1 << 20;
/// Names that a refusal lists.
const NAMED: usize = 20;

/// Unpacks regular files below `target`; a later one of the same name wins.
pub(crate) fn unpack(pack: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    let root = fs::canonicalize(target)?;
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 20, File::open(pack)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path()?.into_owned();
        if !name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(io::Error::other(format!("{} leaves the folder", name.display())));
        }
        let path = root.join(&name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
            // A link that somebody put there must not lead the file elsewhere.
            if !fs::canonicalize(parent)?.starts_with(&root) {
                return Err(io::Error::other(format!("{} leaves the folder", name.display())));
            }
        }
        let _ = fs::remove_file(&path);
        let mut file = File::create(&path)?;
        io::copy(&mut entry, &mut file)?;
    }
    Ok(())
}

impl Folder {
    /// Bytes of an artifact; fewer than asked for are the last. A refusal says which artifacts there are.
    pub fn read_artifact(&self, name: &str, from: u64, length: usize) -> Result<Vec<u8>, String> {
        let name = name.trim_start_matches('/');
        let root = fs::canonicalize(self.artifacts()).ok();
        let path = root.as_ref().and_then(|root| fs::canonicalize(root.join(name)).ok());
        let inside = path.filter(|path| root.is_some_and(|root| path.starts_with(root)) && path.is_file());
        let Some(path) = inside else { return Err(self.without(name)) };
        let read = || {
            let mut file = File::open(&path)?;
            if file.metadata()?.len() > LONGEST {
                return Err(io::Error::other("it is longer than 1 MiB"));
            }
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.take(length as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| format!("artifact {name} of {}: {error}", self.meta.name))
    }

    fn without(&self, name: &str) -> String {
        let names = names(self.artifacts());
        let mut there = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        if names.len() > NAMED {
            there = format!("{there} and {} more", names.len() - NAMED);
        }
        let there = if there.is_empty() { "it has none".to_owned() } else { format!("it has {there}") };
        format!("{} has no artifact {name}; {there}", self.meta.name)
    }

    /// Packs artifacts of `other`, as one of the packs of this execution: how many there are. None make no pack.
    pub fn pack_artifacts(&self, other: &Folder, patterns: &[String], pack: &PackId) -> Result<u64, StoreError> {
        let path = self.pack_path(pack).map_err(|error| StoreError::Refused(error.what))?;
        let globs = Globs::new("/", patterns).map_err(|error| StoreError::Refused(error.to_string()))?;
        let root = other.artifacts();
        let names: Vec<String> = names(root).into_iter().filter(|name| globs.matches(&format!("/{name}"))).collect();
        if names.is_empty() {
            return Ok(0);
        }
        let write = || {
            let mut archive = tar::Builder::new(io::BufWriter::with_capacity(1 << 20, File::create(&path)?));
            for name in &names {
                archive.append_path_with_name(root.join(name), name)?;
            }
            archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
        };
        write().map_err(StoreError::at("packing", &path))?;
        Ok(names.len() as u64)
    }
}

/// The names of all files below a folder, in order. Links are left out: who knows where they lead.
fn names(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let name = folder.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(name),
                Ok(kind) if kind.is_file() => found.push(name.to_string_lossy().into_owned()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
