//! The log of an execution: JSON, a line an event.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use testudo_core::run::Event;
use testudo_engine::{Journal, JournalError};

use crate::Folder;

/// A log that is open for adding.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// How many events there are, and where they end, when it was last looked at.
    known: Option<(u64, u64)>,
}

impl Log {
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        Ok(Log { file, known: None })
    }

    /// Reads everything, and cuts off a last line that a death has torn.
    fn read(&mut self) -> Result<Vec<Event>, JournalError> {
        self.file.rewind()?;
        let (events, whole) = parse(&self.file)?;
        self.file.set_len(whole)?;
        self.file.seek(SeekFrom::End(0))?;
        self.known = Some((events.len() as u64, whole));
        Ok(events)
    }

    fn append(&mut self, offset: u64, events: &[Event]) -> Result<(), JournalError> {
        let length = self.file.metadata()?.len();
        let found = match self.known {
            Some((count, end)) if end == length => count,
            // Not looked at yet, or somebody else has written.
            _ => self.read()?.len() as u64,
        };
        if found != offset {
            return Err(JournalError::Stale { expected: offset, found });
        }
        let mut lines = Vec::new();
        let mut sync = false;
        for event in events {
            sync |= matches!(event, Event::Met { .. } | Event::Ended { .. });
            serde_json::to_writer(&mut lines, event).map_err(io::Error::other)?;
            lines.push(b'\n');
        }
        let before = self.file.stream_position()?;
        if let Err(error) = self.file.write_all(&lines) {
            // What was written of it is no event: the disk may have room again later.
            self.file.set_len(before)?;
            self.file.seek(SeekFrom::Start(before))?;
            return Err(error.into());
        }
        if sync {
            // On disk before a unit is told to begin; the rest goes along with the next of these.
            self.file.sync_data()?;
        }
        self.known = Some((found + events.len() as u64, before + lines.len() as u64));
        Ok(())
    }
}

/// Reads a log without touching it.
pub(crate) fn read(path: &Path) -> Result<Vec<Event>, JournalError> {
    match File::open(path) {
        Ok(file) => Ok(parse(&file)?.0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// A log that somebody else adds to, read as it grows.
#[derive(Debug)]
pub struct LogTail {
    path: PathBuf,
    file: Option<File>,
    /// How many events have been read.
    count: u64,
    /// What stands behind the last of them: the beginning of a line.
    rest: Vec<u8>,
}

impl LogTail {
    /// Whole events since this was last asked.
    pub fn news(&mut self) -> Result<Vec<Event>, JournalError> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            }
        }
        let Some(file) = &mut self.file else { return Ok(Vec::new()) };
        let whole = file.stream_position()? - self.rest.len() as u64;
        if file.metadata()?.len() < whole + self.rest.len() as u64 {
            // What a death had torn has been cut off.
            self.rest.clear();
            file.seek(SeekFrom::Start(whole))?;
        }
        file.read_to_end(&mut self.rest)?;
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut events = Vec::new();
        for line in self.rest[..end].split_inclusive(|byte| *byte == b'\n') {
            let event = serde_json::from_slice(line)
                .map_err(|error| JournalError::Corrupt { offset: self.count, why: error.to_string() })?;
            self.count += 1;
            events.push(event);
        }
        self.rest.drain(..end);
        Ok(events)
    }
}

impl Folder {
    /// The log from its beginning, for somebody who only reads it.
    pub fn tail(&self) -> LogTail {
        LogTail { path: self.path.join("log"), file: None, count: 0, rest: Vec::new() }
    }
}

/// The events of a log, and where the last whole one ends.
fn parse(file: &File) -> Result<(Vec<Event>, u64), JournalError> {
    let mut reader = BufReader::new(file);
    let (mut events, mut whole, mut line) = (Vec::new(), 0, Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.last() != Some(&b'\n') {
            break;
        }
        let event = serde_json::from_slice(&line)
            .map_err(|error| JournalError::Corrupt { offset: events.len() as u64, why: error.to_string() })?;
        events.push(event);
        whole += line.len() as u64;
        line.clear();
    }
    Ok((events, whole))
}

#[async_trait]
impl Journal for Folder {
    async fn read(&self) -> Result<Vec<Event>, JournalError> {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).read()
    }

    async fn append(&self, offset: u64, events: &[Event]) -> Result<(), JournalError> {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(offset, events)
    }
}
