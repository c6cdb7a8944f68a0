//! Executions that wait for one another: `groups/<group>/` with a file for each that waits or runs.
//!
//! Whoever drives an execution holds the lock of its file, so a death frees its place by itself. Files are read and
//! written while the lock of their group is held, and never for long.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use testudo_core::plan::{Concurrency, Plan};
use testudo_engine::{Entering, Groups, Member, Standing, Ticket, Turn, standing};

use crate::{Meta, State};

/// The lock of a group, beside the files of its members; no id has a dot.
const LOCK: &str = ".lock";
/// Names of groups that are longer as a file's are known by their digest.
const LONGEST: usize = 120;

/// What stands in the file of an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    name: String,
    since: Timestamp,
    running: bool,
    /// The names of those that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    behind: Vec<String>,
    /// The name of whoever wants its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted_by: Option<String>,
}

impl Line {
    fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Writes where there is a file already: whoever has left is not brought back.
    fn write(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).truncate(true).open(path)?.write_all(&serde_json::to_vec(self)?)
    }

    fn member(self, id: String) -> Member {
        Member { since: self.since, id, name: self.name, running: self.running }
    }
}

impl State {
    /// Whom an execution that is driven and has not begun waits for, by name.
    pub fn behind(&self, plan: &Plan) -> Vec<String> {
        let Some(limit) = &plan.concurrency else { return Vec::new() };
        let line = Line::read(&self.group(&limit.group).join(&plan.execution.id));
        line.ok().filter(|line| !line.running).map(|line| line.behind).unwrap_or_default()
    }

    fn group(&self, name: &str) -> PathBuf {
        self.root().join("groups").join(file_name(name))
    }
}

/// A group's name as a file's: what could mean anything else there is spelled out.
fn file_name(group: &str) -> String {
    let mut name = String::new();
    for byte in group.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    if name.len() > LONGEST {
        let digest = Sha256::digest(group.as_bytes());
        name = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    }
    name
}

#[async_trait]
impl Groups for State {
    async fn enter(&self, entering: Entering<'_>) -> io::Result<Option<Box<dyn Ticket>>> {
        let Entering { plan, limit, begun, now } = entering;
        // It has waited since it was made, also when another engine fetches it back.
        let since = Meta::read(&self.folder(&plan.execution.id)).map_or(now, |meta| meta.created);
        let line =
            Line { name: plan.execution.name.clone(), since, running: begun, behind: Vec::new(), wanted_by: None };
        let group = self.group(&limit.group);
        let (limit, id, ancestors) = (limit.clone(), plan.execution.id.clone(), plan.execution.ancestors.clone());
        let place = blocking(move || Place::take(group, id, line, limit, &ancestors)).await?;
        Ok(place.map(|place| -> Box<dyn Ticket> { Box::new(FileTicket(Arc::new(place))) }))
    }
}

/// Another process may hold the lock of a group for a moment, and be held up itself.
async fn blocking<T: Send + 'static>(task: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(task).await.map_err(io::Error::other)?
}

struct FileTicket(Arc<Place>);

#[async_trait]
impl Ticket for FileTicket {
    fn since(&self) -> Timestamp {
        self.0.since
    }

    async fn look(&self) -> io::Result<Turn> {
        let place = self.0.clone();
        blocking(move || place.look()).await
    }
}

/// An execution's place in its group, until this is dropped.
struct Place {
    group: PathBuf,
    id: String,
    since: Timestamp,
    limit: Concurrency,
    line: Mutex<Line>,
    /// Holds the lock that says somebody drives it.
    _file: File,
}

impl Place {
    fn take(
        group: PathBuf,
        id: String,
        line: Line,
        limit: Concurrency,
        ancestors: &[String],
    ) -> io::Result<Option<Self>> {
        DirBuilder::new().recursive(true).mode(0o700).create(&group)?;
        let _lock = lock(&group)?;
        let others = others(&group, &id)?;
        if others.iter().any(|one| one.running && ancestors.contains(&one.id)) {
            return Ok(None);
        }
        let path = group.join(&id);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        line.write(&path)?;
        Ok(Some(Place { group, id, since: line.since, limit, line: Mutex::new(line), _file: file }))
    }

    fn look(&self) -> io::Result<Turn> {
        let _lock = lock(&self.group)?;
        let path = self.group.join(&self.id);
        let mut own = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if own.running {
            // What others wrote is the one thing that this side does not know.
            let wanted = Line::read(&path).ok().and_then(|line| line.wanted_by);
            return Ok(wanted.map_or(Turn::Go, Turn::Yield));
        }
        match standing(&own.clone().member(self.id.clone()), &others(&self.group, &self.id)?, &self.limit) {
            Standing::Go => {
                let placed = Line { running: true, behind: Vec::new(), ..own.clone() };
                placed.write(&path)?;
                *own = placed;
                Ok(Turn::Go)
            }
            Standing::Wait(behind, displaced) => {
                for id in displaced {
                    ask_for_room(&self.group.join(id), &own.name)?;
                }
                if own.behind != behind {
                    own.behind.clone_from(&behind);
                    own.write(&path)?;
                }
                Ok(Turn::Wait(behind))
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever finds it before the lock falls takes this execution for one that runs, a moment longer than it does.
        let _ = fs::remove_file(self.group.join(&self.id));
    }
}

/// Says in an execution's file who wants its place, unless somebody has.
fn ask_for_room(path: &Path, name: &str) -> io::Result<()> {
    let said = Line::read(path).and_then(|line| match line.wanted_by {
        Some(_) => Ok(()),
        None => Line { wanted_by: Some(name.to_owned()), ..line }.write(path),
    });
    match said {
        // It has left meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        said => said,
    }
}

/// Takes the lock of a group, until the result is dropped.
fn lock(group: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(group.join(LOCK))?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// Everybody else in a group. What the dead have left is removed.
fn others(group: &Path, own: &str) -> io::Result<Vec<Member>> {
    let mut members = Vec::new();
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        let Ok(id) = entry.file_name().into_string() else { continue };
        if id == LOCK || id == own {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => continue,
            }
        }
        match Line::read(&entry.path()) {
            Ok(line) => members.push(line.member(id)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Torn by the death of whoever wrote into it: somebody drives this one, and that is what counts.
            Err(_) => members.push(Member { since: Timestamp::UNIX_EPOCH, name: id.clone(), id, running: true }),
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_any_name_have_folders_of_their_own() {
        assert_eq!(file_name("deploy-prod"), "deploy-prod");
        assert_eq!(file_name("../a b"), "%2e%2e%2fa%20b");
        assert_eq!(file_name(&"ä".repeat(60)).len(), 64);
    }
}
