//! What an agent has said, numbered, on disk before it is sent.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek, Write},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use testudo_core::{frame::Numbered, run::Report};

/// One line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Life(String),
    Report(Numbered),
}

/// The reports of one life.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    pub life: String,
    reports: Vec<Numbered>,
}

impl Journal {
    /// Reads what an earlier agent of this unit left, or begins a life. A last line without its line feed was torn by
    /// a death and is cut off; anything else that does not parse is an error.
    pub(crate) fn open(mut file: File) -> io::Result<Self> {
        let mut life = None;
        let mut reports = Vec::new();
        let mut whole = 0;
        let mut reader = BufReader::new(&mut file);
        let mut text = Vec::new();
        while reader.read_until(b'\n', &mut text)? > 0 {
            if text.last() != Some(&b'\n') {
                break;
            }
            match serde_json::from_slice(&text).map_err(io::Error::other)? {
                Line::Life(known) => life = Some(known),
                Line::Report(report) => reports.push(report),
            }
            whole += text.len() as u64;
            text.clear();
        }
        file.set_len(whole)?;
        file.seek(io::SeekFrom::End(0))?;
        let known = life.is_some();
        let life = life.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        let mut journal = Journal { file, life, reports };
        if !known {
            let line = Line::Life(journal.life.clone());
            journal.append(&line)?;
        }
        Ok(journal)
    }

    /// Whether an earlier agent had begun.
    pub(crate) fn has_history(&self) -> bool {
        !self.reports.is_empty()
    }

    /// Writes a report down.
    pub(crate) fn write(&mut self, report: Report) -> io::Result<&Numbered> {
        let numbered = Numbered { seq: self.seq() + 1, at: Timestamp::now(), report };
        let line = Line::Report(numbered);
        self.append(&line)?;
        if let Line::Report(numbered) = line {
            self.reports.push(numbered);
        }
        Ok(self.reports.last().expect("one was just written"))
    }

    /// The number of the last report.
    pub(crate) fn seq(&self) -> u64 {
        self.reports.last().map_or(0, |report| report.seq)
    }

    /// Reports after a number.
    pub(crate) fn after(&self, seq: u64) -> &[Numbered] {
        let start = usize::try_from(seq).unwrap_or(usize::MAX).min(self.reports.len());
        &self.reports[start..]
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line).map_err(io::Error::other)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)
    }
}
