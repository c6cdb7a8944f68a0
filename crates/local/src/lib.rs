//! Units as processes of this machine: no root, no daemon, Linux.
//!
//! A unit is a folder with a lock, a socket and what stands behind its `/data`, `/tmp` and `/testkube`. The launcher
//! takes the lock and binds the socket, and the agent inherits both: whoever finds the lock free knows that the unit is
//! gone, and there is no window to poll.

mod address;
mod unit;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use testudo_agent::Settings;
use testudo_engine::{Duplex, Reap, Runner, RunnerError, Sighting, UnitSpec};

use unit::Folder;

/// How processes are set up.
#[derive(Debug, Clone)]
pub struct LocalRunner {
    /// Holds a folder for each execution.
    executions: PathBuf,
    /// The binary that turns into an agent.
    program: PathBuf,
    orphan_limit: Duration,
}

impl LocalRunner {
    /// Units below `executions/<id>/units`, with this very binary as their agent.
    pub fn new(executions: PathBuf, orphan_limit: Duration) -> Self {
        LocalRunner { executions, program: PathBuf::from("/proc/self/exe"), orphan_limit }
    }

    /// Another binary as agent.
    #[must_use]
    pub fn with_program(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    fn folder(&self, unit: &UnitSpec) -> Folder {
        Folder::new(self.executions.join(&unit.execution).join("units").join(unit.key.folder()))
    }

    fn settings(&self, unit: &UnitSpec, folder: &Path) -> Settings {
        Settings {
            unit: unit.key.to_string(),
            folder: folder.to_owned(),
            hidden: self.executions.clone(),
            orphan_limit: self.orphan_limit.as_secs(),
        }
    }
}

#[async_trait]
impl Runner for LocalRunner {
    async fn ensure(&self, unit: &UnitSpec) -> Result<(), RunnerError> {
        let folder = self.folder(unit);
        let settings = self.settings(unit, folder.path());
        let program = self.program.clone();
        tokio::task::spawn_blocking(move || folder.ensure(&settings, &program))
            .await
            .map_err(|error| RunnerError::Refused(error.to_string()))?
    }

    fn observe(&self, unit: &UnitSpec) -> BoxStream<'static, Sighting> {
        let folder = self.folder(unit);
        let address = address::of(&unit.execution, &unit.key);
        let now = if folder.is_alive() {
            Sighting::Present { address: Some(address.to_string()), node: None }
        } else {
            Sighting::Gone { reason: folder.why_gone() }
        };
        let gone = futures::stream::once(async move {
            folder.wait_for_end().await;
            Sighting::Gone { reason: folder.why_gone() }
        });
        match now {
            Sighting::Gone { .. } => futures::stream::once(async { now }).boxed(),
            now => futures::stream::once(async { now }).chain(gone).boxed(),
        }
    }

    async fn connect(&self, unit: &UnitSpec) -> Result<Box<dyn Duplex>, RunnerError> {
        let folder = self.folder(unit);
        match folder.connect().await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(RunnerError::Unreachable(error)),
        }
    }

    async fn reap(&self, unit: &UnitSpec, how: Reap) -> Result<(), RunnerError> {
        let folder = self.folder(unit);
        if how == Reap::Gently {
            // It has been told to go; most are gone already.
            let _ = tokio::time::timeout(Duration::from_secs(1), folder.wait_for_end()).await;
        }
        folder.kill().map_err(RunnerError::Unreachable)?;
        let ended = tokio::time::timeout(Duration::from_secs(5), folder.wait_for_end()).await;
        ended.map_err(|_| RunnerError::Unreachable(io::ErrorKind::TimedOut.into()))?;
        tokio::task::spawn_blocking(move || remove(folder.path()))
            .await
            .map_err(|error| RunnerError::Refused(error.to_string()))?
            .map_err(RunnerError::Unreachable)
    }
}

/// Removes a folder, also one in which somebody took rights away.
fn remove(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            let mut waiting = vec![path.to_owned()];
            while let Some(folder) = waiting.pop() {
                let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
                for entry in fs::read_dir(&folder)?.flatten() {
                    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        waiting.push(entry.path());
                    }
                }
            }
            fs::remove_dir_all(path)
        }
    }
}
