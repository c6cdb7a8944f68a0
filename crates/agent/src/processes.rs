//! Processes of the unit: started, waited for, and everything else that turns up as an orphan taken in.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    process::{Command, Stdio},
    rc::Rc,
};

use tokio::{
    io::unix::AsyncFd,
    sync::oneshot,
};

use crate::sys::{self, Exit};

/// Knows who waits for which process.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    waiting: Rc<RefCell<HashMap<u32, oneshot::Sender<Exit>>>>,
}

/// A process that was started.
#[derive(Debug)]
pub struct Started {
    pub exit: oneshot::Receiver<Exit>,
    /// What it and its descendants write, until the last of them is gone.
    pub output: PipeReader,
}

impl Processes {
    /// Starts a command; both its outputs come through one pipe.
    pub fn start(&self, mut command: Command) -> io::Result<Started> {
        use rustix::pipe::{PipeFlags, pipe_with};
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&read, true)?;
        // A larger pipe means fewer switches between a fast writer and its reader; a refusal is no loss.
        let _ = rustix::pipe::fcntl_setpipe_size(&write, 1 << 20);
        command.stdin(Stdio::null()).stdout(write.try_clone()?).stderr(write);
        let child = command.spawn()?;
        drop(command);
        let (sender, exit) = oneshot::channel();
        // Nothing is taken in between the spawn and here: taking in is another turn of the same thread.
        self.waiting.borrow_mut().insert(child.id(), sender);
        Ok(Started { exit, output: PipeReader::new(read)? })
    }

    /// Takes in everything that has ended.
    pub fn reap(&self) {
        while let Some((pid, exit)) = sys::reap_one() {
            if let Some(sender) = self.waiting.borrow_mut().remove(&pid) {
                // Nobody waits any more when the attempt was given up.
                let _ = sender.send(exit);
            }
        }
    }
}

/// The reading end of a pipe.
#[derive(Debug)]
pub struct PipeReader(AsyncFd<OwnedFd>);

impl PipeReader {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(PipeReader(AsyncFd::new(fd)?))
    }

    /// Reads what is there; 0 is the end.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            if let Ok(result) = ready.try_io(|fd| Ok(rustix::io::read(fd.as_fd(), &mut *buffer)?)) {
                return result;
            }
        }
    }

    /// Reads what is there without waiting; nothing is there yet when it would block.
    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match rustix::io::read(self.0.get_ref().as_fd(), buffer) {
            Err(rustix::io::Errno::AGAIN) => Ok(0),
            result => Ok(result?),
        }
    }
}

impl AsRawFd for PipeReader {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Opens a file below the unit's folder.
pub fn open_below(folder: &OwnedFd, name: &str, write: bool) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, openat};
    let access = if write { OFlags::RDWR | OFlags::CREATE | OFlags::APPEND } else { OFlags::RDONLY };
    Ok(File::from(openat(folder, name, access | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?))
}
