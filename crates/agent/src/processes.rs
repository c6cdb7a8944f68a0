//! Processes of the unit: started, waited for, and everything else that turns up as an orphan taken in.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs::File,
    io,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    rc::Rc,
};

use tokio::{io::AsyncReadExt, net::unix::pipe, sync::oneshot};

use crate::{
    lend::Guests,
    sys::{self, Exit},
};

/// How a process that was waited for ended, or why there was none.
pub(crate) type Ended = Result<Exit, String>;
pub(crate) type Exiting = oneshot::Receiver<Ended>;

/// Knows who waits for which process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Processes {
    waiting: Rc<RefCell<HashMap<u32, oneshot::Sender<Ended>>>>,
    /// Other containers of the unit, with processes of their own.
    pub guests: Guests,
}

/// A process that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub exit: Exiting,
    /// What it and its descendants write, until the last of them is gone.
    pub output: PipeReader,
}

/// A pipe for what a command writes.
pub(crate) fn output_pipe() -> io::Result<(PipeReader, OwnedFd)> {
    use rustix::pipe::{PipeFlags, pipe_with};
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    // A larger pipe means fewer switches between a fast writer and its reader; a refusal is no loss.
    let _ = rustix::pipe::fcntl_setpipe_size(&write, 1 << 20);
    Ok((PipeReader(pipe::Receiver::from_owned_fd(read)?), write))
}

impl Processes {
    /// Starts a command; both its outputs come through one pipe.
    pub(crate) fn start(&self, mut command: Command) -> io::Result<Started> {
        let (output, write) = output_pipe()?;
        command.stdin(Stdio::null()).stdout(write.try_clone()?).stderr(write);
        Ok(Started { exit: self.spawn(command)?, output })
    }

    /// Starts a command whose output goes somewhere already.
    pub(crate) fn spawn(&self, mut command: Command) -> io::Result<Exiting> {
        let child = command.spawn()?;
        drop(command);
        let (sender, exit) = oneshot::channel();
        // Nothing is taken in between the spawn and here: taking in is another turn of the same thread.
        self.waiting.borrow_mut().insert(child.id(), sender);
        Ok(exit)
    }

    /// Sends a signal to everything that the unit runs.
    pub(crate) fn signal_all(&self, signal: i32) {
        sys::signal_all(signal);
        self.guests.signal_all(signal);
    }

    /// Takes in everything that has ended.
    pub(crate) fn reap(&self) {
        while let Some((pid, exit)) = sys::reap_one() {
            if let Some(sender) = self.waiting.borrow_mut().remove(&pid) {
                // Nobody waits any more when the attempt was given up.
                let _ = sender.send(Ok(exit));
            }
        }
    }
}

/// The reading end of a pipe.
#[derive(Debug)]
pub(crate) struct PipeReader(pipe::Receiver);

impl PipeReader {
    /// Reads what is there; 0 is the end.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).await
    }
}

/// Opens a file below the unit's folder.
pub(crate) fn open_below(folder: &OwnedFd, name: &str, write: bool) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, openat};
    let access = if write { OFlags::RDWR | OFlags::CREATE } else { OFlags::RDONLY };
    Ok(File::from(openat(folder, name, access | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?))
}
