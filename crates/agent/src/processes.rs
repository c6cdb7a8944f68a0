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

/// How often the kernel has killed a process of this container for memory. Only there: elsewhere a control group may be
/// shared with others.
pub(crate) fn memory_kills() -> Option<u64> {
    // The first is cgroup v2's, the second v1's.
    let texts = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
    let text = texts.iter().find_map(|path| std::fs::read_to_string(path).ok())?;
    kills(&text)
}

/// What is said of a command of which the kernel has killed a process for memory.
pub(crate) const KILLED_FOR_MEMORY: &str =
    "oomKilled: a process of this step was killed for the memory that its container may use";

/// What is said of a command in whose time the kernel has killed for memory more often than `before`.
pub(crate) fn killed_for_memory(before: Option<u64>) -> Option<String> {
    let rose = memory_kills()? > before?;
    rose.then(|| KILLED_FOR_MEMORY.to_owned())
}

fn kills(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_for_memory_are_counted_in_both_kinds_of_control_groups() {
        assert_eq!(kills("low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 0\n"), Some(3));
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"), Some(5));
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\n"), None);
    }
}
