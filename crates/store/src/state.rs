//! The state folder of a user: executions, and the numbers that workflows have come to.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::folder::{Folder, Meta, StoreError};

/// A user's state folder.
#[derive(Debug, Clone)]
pub struct State {
    root: PathBuf,
}

impl State {
    /// Opens the folder, or makes it.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        for folder in ["executions", "numbers"] {
            let path = root.join(folder);
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(StoreError::at("making", &path))?;
        }
        Ok(State { root })
    }

    /// Holds a folder for each execution.
    pub fn executions(&self) -> PathBuf {
        self.root.join("executions")
    }

    /// The next number of a workflow.
    pub fn next_number(&self, workflow: &str) -> Result<u64, StoreError> {
        let path = self.root.join("numbers").join(workflow.replace('/', "--"));
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open.map_err(StoreError::at("opening", &path))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|error| StoreError::at("locking", &path)(error.into()))?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(StoreError::at("reading", &path))?;
        let number = text.trim().parse::<u64>().unwrap_or(0) + 1;
        let write = |file: &mut File| {
            file.rewind()?;
            file.set_len(0)?;
            file.write_all(number.to_string().as_bytes())
        };
        write(&mut file).map_err(StoreError::at("writing", &path))?;
        Ok(number)
    }

    /// The folder of an execution by id.
    pub fn folder(&self, id: &str) -> PathBuf {
        self.executions().join(id)
    }

    /// An execution by an id that somebody handed in.
    pub fn by_id(&self, id: &str) -> Result<Folder, StoreError> {
        if id.is_empty() || id.contains('/') || id.starts_with('.') || !self.folder(id).join("plan").exists() {
            return Err(StoreError::Absent(id.to_owned()));
        }
        Folder::open(&self.folder(id))
    }

    /// All executions, newest first.
    pub fn list(&self) -> Result<Vec<Meta>, StoreError> {
        let path = self.executions();
        let entries = fs::read_dir(&path).map_err(StoreError::at("reading", &path))?;
        let mut all: Vec<Meta> = entries.flatten().filter_map(|entry| Meta::read(&entry.path()).ok()).collect();
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
        Ok(all)
    }

    /// An execution by name or id; the newest without either.
    pub fn find(&self, name: Option<&str>) -> Result<Folder, StoreError> {
        if let Some(name) = name {
            let path = self.folder(name);
            if path.join("plan").exists() {
                return Folder::open(&path);
            }
        }
        let all = self.list()?;
        let found = match name {
            None => all.iter().find(|meta| meta.parent.is_none()),
            Some(name) => all.iter().find(|meta| meta.name == name || meta.id.starts_with(name)),
        };
        match found {
            Some(meta) => Folder::open(&self.folder(&meta.id)),
            None => Err(StoreError::Absent(name.unwrap_or("any execution").to_owned())),
        }
    }

    /// Where this state is.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
