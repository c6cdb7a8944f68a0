//! Outputs as people read them: lines with their times and steps, out of records.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use jiff::Timestamp;
use testudo_core::frame::record;

/// Reads the records of a kept output one after another.
#[derive(Debug)]
pub struct OutputReader<R> {
    inner: R,
    buffer: Vec<u8>,
}

impl OutputReader<File> {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(OutputReader { inner: File::open(path)?, buffer: Vec::new() })
    }
}

impl<R: Read> OutputReader<R> {
    /// The next record: step, time in nanoseconds, bytes. Nothing at the end, or where it is cut short.
    pub fn read(&mut self) -> io::Result<Option<(u32, u64, &[u8])>> {
        let mut header = [0; record::HEADER];
        if read_full(&mut self.inner, &mut header)? < header.len() {
            return Ok(None);
        }
        let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        if length > record::MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a record is longer than any"));
        }
        self.buffer.resize(length, 0);
        if read_full(&mut self.inner, &mut self.buffer)? < length {
            return Ok(None);
        }
        let step = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let nanos = u64::from_be_bytes(header[8..].try_into().map_err(io::Error::other)?);
        Ok(Some((step, nanos, &self.buffer)))
    }
}

fn read_full(inner: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match inner.read(&mut buffer[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}

/// Puts records together to lines. A line has the time and the step of its first byte.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    step: u32,
    nanos: u64,
}

impl Lines {
    /// Takes a record in; calls back with each line that is whole: step, nanoseconds, bytes without the line feed.
    pub fn take(&mut self, step: u32, nanos: u64, bytes: &[u8], mut each: impl FnMut(u32, u64, &[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.line.is_empty() {
                (self.step, self.nanos) = (step, nanos);
            }
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                self.line.extend_from_slice(&rest[..end]);
                each(self.step, self.nanos, &self.line);
                self.line.clear();
                rest = &rest[end + 1..];
                // An empty line is a line too.
                (self.step, self.nanos) = (step, nanos);
            } else {
                self.line.extend_from_slice(rest);
                rest = &[];
            }
        }
    }

    /// The line that never ended, if there is one.
    pub fn finish(&mut self, mut each: impl FnMut(u32, u64, &[u8])) {
        if !self.line.is_empty() {
            each(self.step, self.nanos, &self.line);
            self.line.clear();
        }
    }
}

/// The time in front of a line: exactly 30 characters.
pub fn stamp(nanos: u64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.9}")
}

/// Writes a kept output as text, each line with its time.
pub(crate) fn write_text(from: &Path, to: &Path) -> io::Result<()> {
    let mut reader = OutputReader::open(from)?;
    let mut out = BufWriter::with_capacity(1 << 18, File::create(to)?);
    let mut lines = Lines::default();
    let mut failed = Ok(());
    // Lines of one record have one time: it is spelled once.
    let mut stamped = (u64::MAX, String::new());
    let mut write = |nanos: u64, line: &[u8], failed: &mut io::Result<()>| {
        if nanos != stamped.0 {
            stamped = (nanos, format!("{} ", stamp(nanos)));
        }
        if failed.is_ok() {
            *failed = out
                .write_all(stamped.1.as_bytes())
                .and_then(|()| out.write_all(line))
                .and_then(|()| out.write_all(b"\n"));
        }
    };
    while let Some((step, nanos, bytes)) = reader.read()? {
        lines.take(step, nanos, bytes, |_, nanos, line| write(nanos, line, &mut failed));
    }
    lines.finish(|_, nanos, line| write(nanos, line, &mut failed));
    failed?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_thirty_characters() {
        assert_eq!(stamp(1_700_000_000_123_456_789), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(stamp(0).len(), 30);
    }

    #[test]
    fn a_line_in_two_records_is_one_line() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for (step, bytes) in [(1, &b"hel"[..]), (1, b"lo\n\nwor"), (2, b"ld")] {
            lines.take(step, 0, bytes, |step, _, line| seen.push((step, String::from_utf8_lossy(line).into_owned())));
        }
        lines.finish(|step, _, line| seen.push((step, String::from_utf8_lossy(line).into_owned())));
        assert_eq!(seen, [(1, "hello".to_owned()), (1, String::new()), (1, "world".to_owned())]);
    }
}
