//! One execution's folder.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use testudo_core::{
    plan::Plan,
    run::{Event, Execution},
};
use testudo_engine::JournalError;

/// What went wrong with files.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{what} {path}: {source}")]
    Io { what: &'static str, path: String, source: io::Error },
    #[error("{0}")]
    Refused(String),
    #[error("there is no execution {0}")]
    Absent(String),
    #[error("{0} is at work by another testudo")]
    Busy(String),
    #[error("{path} does not parse: {why}")]
    Unreadable { path: String, why: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl StoreError {
    pub(crate) fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.display().to_string();
        move |source| StoreError::Io { what, path, source }
    }
}

/// What a list of executions shows, kept beside the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    pub id: String,
    pub name: String,
    pub workflow: String,
    pub number: u64,
    pub created: Timestamp,
    /// Where artifacts go.
    pub artifacts: PathBuf,
    /// The command that would start it again.
    pub command: String,
    /// The execution that started this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

impl Meta {
    pub(crate) fn read(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("meta");
        let text = fs::read(&path).map_err(StoreError::at("reading", &path))?;
        serde_json::from_slice(&text)
            .map_err(|error| StoreError::Unreadable { path: path.display().to_string(), why: error.to_string() })
    }
}

/// One execution on disk.
#[derive(Debug)]
pub struct Folder {
    pub(crate) path: PathBuf,
    pub meta: Meta,
    pub plan: Arc<Plan>,
    pub(crate) log: Mutex<crate::journal::Log>,
    pub(crate) outputs: Mutex<HashMap<String, crate::blobs::Growing>>,
    pub(crate) packs: Mutex<HashMap<String, crate::blobs::Growing>>,
    lock: Mutex<Option<File>>,
}

impl Folder {
    /// Makes the folder of a new execution, all of it or nothing.
    pub fn create(path: &Path, meta: &Meta, plan: &Plan) -> Result<Self, StoreError> {
        let aside = path.with_extension("new");
        let _ = fs::remove_dir_all(&aside);
        DirBuilder::new().mode(0o700).create(&aside).map_err(StoreError::at("making", &aside))?;
        for folder in ["units", "outputs", "packs"] {
            let below = aside.join(folder);
            DirBuilder::new().mode(0o700).create(&below).map_err(StoreError::at("making", &below))?;
        }
        write_json(&aside.join("plan"), plan)?;
        write_json(&aside.join("meta"), meta)?;
        crate::sealed::make_key(&aside.join("key"))?;
        fs::rename(&aside, path).map_err(StoreError::at("making", path))?;
        Self::open(path)
    }

    /// Opens the folder of a known execution.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let meta = Meta::read(path)?;
        let plan_path = path.join("plan");
        let text = fs::read(&plan_path).map_err(StoreError::at("reading", &plan_path))?;
        let plan: Plan = serde_json::from_slice(&text).map_err(|error| StoreError::Unreadable {
            path: plan_path.display().to_string(),
            why: error.to_string(),
        })?;
        Ok(Folder {
            path: path.to_owned(),
            meta,
            plan: Arc::new(plan),
            log: Mutex::new(crate::journal::Log::open(&path.join("log"))?),
            outputs: Mutex::default(),
            packs: Mutex::default(),
            lock: Mutex::new(None),
        })
    }

    /// Takes the lock of whoever drives this execution. It falls with the process.
    pub fn lock(&self) -> Result<(), StoreError> {
        let path = self.path.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(StoreError::at("opening", &path))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| StoreError::Busy(self.meta.name.clone()))?;
        *self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(file);
        Ok(())
    }

    /// Whether somebody drives it.
    pub fn is_driven(&self) -> bool {
        File::open(self.path.join("lock"))
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
    }

    /// The log as it stands, folded.
    pub fn execution(&self) -> Result<Execution, StoreError> {
        let log: Vec<Event> = self.events()?;
        Execution::replay(self.plan.clone(), &log)
            .map_err(|error| StoreError::Unreadable { path: self.path.display().to_string(), why: error.to_string() })
    }

    /// The log as it stands.
    pub fn events(&self) -> Result<Vec<Event>, StoreError> {
        Ok(crate::journal::read(&self.path.join("log"))?)
    }

    /// Where this execution lives.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its artifacts go.
    pub fn artifacts(&self) -> &Path {
        &self.meta.artifacts
    }

    /// The execution's own key: whatever else needs one derives it from this.
    pub fn key(&self) -> Result<[u8; 32], StoreError> {
        crate::sealed::key(&self.path)
    }

    /// Keeps values that are no part of plan or log, sealed with the execution's key.
    pub fn seal(&self, values: &[u8]) -> Result<(), StoreError> {
        crate::sealed::write(&self.path, values)
    }

    /// The values that were sealed.
    pub fn unseal(&self) -> Result<Option<Vec<u8>>, StoreError> {
        crate::sealed::read(&self.path)
    }
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let text = serde_json::to_vec(value)
        .map_err(|error| StoreError::Unreadable { path: path.display().to_string(), why: error.to_string() })?;
    fs::write(path, text).map_err(StoreError::at("writing", path))
}
