//! One unit's folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::DirBuilderExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use testudo_agent::{
    Settings,
    start::{ARGUMENT, LAST_WORDS},
    sys,
};
use testudo_engine::RunnerError;
use tokio::{io::unix::AsyncFd, net::UnixStream};

/// Longest path of a socket that the kernel takes, less its end.
const SOCKET_PATH: usize = 107;

/// A unit's folder: what is known of the unit is what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the unit unless it was made before, alive or not.
    pub(crate) fn ensure(&self, settings: &Settings, program: &Path) -> Result<(), RunnerError> {
        let refused = |what: &Path| {
            let what = what.display().to_string();
            move |error: io::Error| RunnerError::Refused(format!("{what}: {error}"))
        };
        let lock_path = self.file("lock");
        if let Ok(lock) = File::open(&lock_path) {
            return match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                // Alive.
                Err(_) => Ok(()),
                Ok(()) if self.file("launched").exists() => Ok(()),
                // Its launcher died before the agent stood: nothing of it has run.
                Ok(()) => {
                    fs::remove_dir_all(&self.0).map_err(refused(&self.0))?;
                    drop(lock);
                    self.make(settings, program)
                }
            };
        }
        self.make(settings, program)
    }

    fn make(&self, settings: &Settings, program: &Path) -> Result<(), RunnerError> {
        let refused = |what: &Path| {
            let what = what.display().to_string();
            move |error: io::Error| RunnerError::Refused(format!("{what}: {error}"))
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(refused(&self.0))?;
        fs::create_dir(self.file("root")).map_err(refused(&self.file("root")))?;
        let text = serde_json::to_vec(settings).map_err(|error| RunnerError::Refused(error.to_string()))?;
        fs::write(self.file("unit.json"), text).map_err(refused(&self.file("unit.json")))?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(self.file("lock"));
        let lock = OwnedFd::from(lock.map_err(refused(&self.file("lock")))?);
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| RunnerError::Unreachable(error.into()))?;
        let listener = self.listen().map_err(refused(&self.file("sock")))?;
        let folder = OwnedFd::from(File::open(&self.0).map_err(refused(&self.0))?);
        let verdict = sys::launch(program, &[ARGUMENT], &listener, &lock, &folder).map_err(refused(program))?;
        verdict.map_err(RunnerError::Refused)?;
        File::create(self.file("launched")).map(drop).map_err(refused(&self.file("launched")))
    }

    fn listen(&self) -> io::Result<OwnedFd> {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let (path, _folder) = self.socket_path()?;
        bind(&socket, &SocketAddrUnix::new(path.as_os_str().as_bytes())?)?;
        listen(&socket, 16)?;
        Ok(socket)
    }

    /// The socket's path, by way of a descriptor where it is too long for the kernel.
    fn socket_path(&self) -> io::Result<(PathBuf, Option<File>)> {
        let path = self.file("sock");
        if path.as_os_str().len() <= SOCKET_PATH {
            return Ok((path, None));
        }
        let folder = File::open(&self.0)?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&folder);
        Ok((PathBuf::from(format!("/proc/self/fd/{number}/sock")), Some(folder)))
    }

    pub(crate) async fn connect(&self) -> io::Result<UnixStream> {
        let (path, _folder) = self.socket_path()?;
        UnixStream::connect(path).await
    }

    /// Whether the agent lives: then it holds the lock.
    pub(crate) fn is_alive(&self) -> bool {
        File::open(self.file("lock")).is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
    }

    /// The agent's process, if it lives: looked at between two looks at the lock, so that a number that was given to
    /// somebody else is not taken for it.
    fn process(&self) -> Option<OwnedFd> {
        let number: i32 = fs::read_to_string(self.file("pid")).ok()?.parse().ok()?;
        let process = pidfd_open(Pid::from_raw(number)?, PidfdFlags::NONBLOCK).ok()?;
        self.is_alive().then_some(process)
    }

    /// Why the agent is gone, as far as it could say so.
    pub(crate) fn why_gone(&self) -> String {
        let said = fs::read_to_string(self.file(LAST_WORDS)).unwrap_or_default();
        let said = said.trim();
        if said.is_empty() { "its agent is gone".to_owned() } else { format!("its agent is gone: {said}") }
    }

    /// Returns when the agent is gone.
    pub(crate) async fn wait_for_end(&self) {
        while self.is_alive() {
            let Some(process) = self.process() else {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                continue;
            };
            #[expect(deprecated, reason = "the descriptor is owned by what watches it, and by nothing else")]
            let watched = AsyncFd::new(process);
            if let Ok(process) = watched {
                // Readable once it has ended.
                let _ = process.readable().await;
            }
            if self.is_alive() {
                // The lock falls a moment after the process does.
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
    }

    /// Kills the agent, and with it, as the first of its namespace, everything in the unit.
    pub(crate) fn kill(&self) -> io::Result<()> {
        match self.process() {
            Some(process) => match pidfd_send_signal(process.as_fd(), Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => Err(error.into()),
            },
            None => Ok(()),
        }
    }
}
