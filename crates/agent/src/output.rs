//! What a unit has said: records in a file, masked before they reach the disk.

use std::{
    fs::File,
    io::{self, IoSlice, Seek, Write},
    os::unix::fs::FileExt,
};

use jiff::Timestamp;
use rustix::fs::{FallocateFlags, fallocate};
use testudo_core::frame::{self, record};

use crate::mask::Mask;

/// What is given back to the disk at once.
const RELEASE: u64 = 64 << 20;

/// The output of a unit.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    length: u64,
    mask: Mask,
    step: u32,
    /// The last byte was a line feed, or there is none yet.
    at_line_start: bool,
    buffer: Vec<u8>,
    /// The disk has been given back up to here.
    released: u64,
    /// What is written here is also said aloud.
    echo: bool,
}

impl Output {
    /// Goes on behind what the file has.
    pub(crate) fn new(mut file: File, mask: Mask, echo: bool) -> io::Result<Self> {
        let length = file.seek(io::SeekFrom::End(0))?;
        Ok(Output {
            file,
            length,
            mask,
            step: record::NO_STEP,
            at_line_start: true,
            buffer: Vec::new(),
            released: 0,
            echo,
        })
    }

    /// Bytes that can be read.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Words that are to be hidden from now on.
    pub(crate) fn set_mask(&mut self, mask: Mask) -> io::Result<()> {
        self.flush()?;
        self.mask = mask;
        Ok(())
    }

    /// The mask, for what is said elsewhere.
    pub(crate) fn mask(&self) -> &Mask {
        &self.mask
    }

    /// What follows belongs to another step; it starts on a line of its own.
    pub(crate) fn enter(&mut self, step: usize) -> io::Result<()> {
        let step = u32::try_from(step).unwrap_or(record::NO_STEP);
        if step != self.step {
            self.flush()?;
            if !self.at_line_start {
                self.append(b"\n")?;
            }
            self.step = step;
        }
        Ok(())
    }

    /// Bytes as a command wrote them.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.mask.is_idle() {
            return self.append(bytes);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.mask.feed(bytes, &mut buffer);
        let result = self.append(&buffer);
        self.buffer = buffer;
        result
    }

    /// A line of the agent's own.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.flush()?;
        let text = self.mask.text(text);
        let lead = if self.at_line_start { "" } else { "\n" };
        self.append(format!("{lead}{text}\n").as_bytes())
    }

    /// Whether a line that has ended is held back because its end may begin a sensitive word.
    pub(crate) fn holds_line(&self) -> bool {
        self.mask.holds_line()
    }

    /// Lets go what was held back.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !self.mask.holds_back() {
            return Ok(());
        }
        let mut buffer = Vec::new();
        self.mask.flush(&mut buffer);
        self.append(&buffer)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(last) = bytes.last() else { return Ok(()) };
        self.at_line_start = *last == b'\n';
        let nanos = u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(0);
        for part in bytes.chunks(record::MAX) {
            let header = record::header(self.step, nanos, part.len());
            write_all(&mut self.file, &header, part)?;
            self.length += (header.len() + part.len()) as u64;
        }
        if self.echo {
            // For people who look at the place itself; nothing depends on it.
            let mut stdout = io::stdout().lock();
            let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
        }
        Ok(())
    }

    /// Gives back the disk of what is kept elsewhere, a large piece at a time.
    pub(crate) fn release(&mut self, kept: u64) {
        let end = kept / RELEASE * RELEASE;
        if end > self.released {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // A file system that cannot do it keeps the bytes until the unit goes.
            let _ = fallocate(&self.file, flags, self.released, end - self.released);
            self.released = end;
        }
    }

    /// Appends to `out` the frames that answer a read; how many bytes they hold. Fewer than asked for are all there is.
    pub(crate) fn answer(&self, read: u64, from: u64, length: usize, out: &mut Vec<u8>) -> io::Result<usize> {
        let available = usize::try_from(self.length.saturating_sub(from)).unwrap_or(usize::MAX);
        let length = length.min(available);
        frame::encode_filled(read, length, out, |at, part| self.file.read_exact_at(part, from + at as u64))?;
        Ok(length)
    }
}

fn write_all(file: &mut File, header: &[u8], bytes: &[u8]) -> io::Result<()> {
    let written = file.write_vectored(&[IoSlice::new(header), IoSlice::new(bytes)])?;
    if written < header.len() {
        file.write_all(&header[written..])?;
        return file.write_all(bytes);
    }
    file.write_all(&bytes[written - header.len()..])
}
