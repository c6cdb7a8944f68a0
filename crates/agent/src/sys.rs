//! The only module with `unsafe` in it: namespaces, mounts, and what happens between fork and exec.
//!
//! A unit's agent is process 1 of a PID namespace of its own, in a mount namespace whose root is a tmpfs with the
//! machine's directories bound into it. An ordinary user gets there through a user namespace in which the agent is
//! root; each command leaves that behind through a second one that maps it back to the caller's own uid, so commands
//! have no rights that the caller lacks. Real root uses no user namespace.

#![expect(unsafe_code, reason = "fork, unshare and pre_exec have no safe form")]

use serde::{Deserialize, Serialize};
use std::{
    ffi::{CStr, CString},
    fs,
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::Command,
};

mod root;

pub use root::{Room, RootError};

/// What the agent inherits from its launcher, by number.
pub const LISTENER_FD: RawFd = 3;
/// The lock of the unit: it falls when the agent dies, not when the launcher does.
pub const LOCK_FD: RawFd = 4;
/// The unit's folder.
pub const FOLDER_FD: RawFd = 5;
/// Where the agent says `ok`, or what is in the way.
pub const VERDICT_FD: RawFd = 6;

/// Whose rights commands have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Real root: no user namespace.
    Root,
    /// An ordinary user: back through a second user namespace.
    User { uid: u32, gid: u32 },
    /// A container, which is all the isolation there is.
    Container,
}

impl Caller {
    /// Who runs this process.
    pub fn current() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if uid == 0 { Caller::Root } else { Caller::User { uid, gid } }
    }
}

/// Starts the agent: `program` with `args`, with the four descriptors at their fixed numbers, in a session of its own.
/// Returns when it stands, or with what is in its way.
pub fn launch(
    program: &Path,
    args: &[&str],
    listener: &OwnedFd,
    lock: &OwnedFd,
    folder: &OwnedFd,
) -> io::Result<Result<(), String>> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let wanted = [
        (listener.as_raw_fd(), LISTENER_FD),
        (lock.as_raw_fd(), LOCK_FD),
        (folder.as_raw_fd(), FOLDER_FD),
        (write.as_raw_fd(), VERDICT_FD),
    ];
    let mut command = Command::new(program);
    command.args(args).stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    // SAFETY: only async-signal-safe calls on numbers that the parent keeps open until after the spawn.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            // First out of the way, so that no target overwrites a source.
            let mut moved = [0; 4];
            for (place, (from, _)) in moved.iter_mut().zip(wanted) {
                *place = check(libc::fcntl(from, libc::F_DUPFD, 16))?;
            }
            for (place, (_, to)) in moved.iter().zip(wanted) {
                check(libc::dup2(*place, to))?;
                libc::close(*place);
            }
            Ok(())
        });
    }
    let mut child = command.spawn()?;
    drop(write);
    let mut verdict = String::new();
    fs::File::from(read).read_to_string(&mut verdict)?;
    child.wait()?;
    Ok(match verdict.as_str() {
        "ok" => Ok(()),
        "" => Err("the agent ended before it stood".to_owned()),
        other => Err(other.to_owned()),
    })
}

/// Takes an inherited descriptor, so that no command inherits it further.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the launcher opened these for the agent alone, and each is taken once.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(fd)
}

/// Why a unit cannot have namespaces.
#[derive(Debug, thiserror::Error)]
pub enum IsolateError {
    #[error(
        "this kernel lets no ordinary user make namespaces ({source}); {}",
        setting().unwrap_or("an administrator can allow it with `sysctl user.max_user_namespaces=10000`")
    )]
    Forbidden { source: io::Error },
    #[error("namespaces: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Root(#[from] RootError),
}

/// The setting that stands in the way of user namespaces, as far as one can see.
fn setting() -> Option<&'static str> {
    let reads = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    if reads("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return Some("an administrator can allow it with `sysctl kernel.unprivileged_userns_clone=1`");
    }
    if reads("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        return Some("an administrator can allow it with `sysctl kernel.apparmor_restrict_unprivileged_userns=0`");
    }
    if reads("/proc/sys/user/max_user_namespaces", "0") {
        return Some("an administrator can allow it with `sysctl user.max_user_namespaces=10000`");
    }
    None
}

/// Whether this machine lets a caller have what units are made of.
pub fn may_isolate(caller: Caller) -> Result<(), IsolateError> {
    let user = if let Caller::User { .. } = caller { libc::CLONE_NEWUSER } else { 0 };
    let mut command = Command::new("/proc/self/exe");
    command.arg("--version").stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    // SAFETY: a single system call between fork and exec.
    unsafe {
        command.pre_exec(move || unshare(user | libc::CLONE_NEWNS | libc::CLONE_NEWPID));
    }
    match command.status() {
        Ok(_) => Ok(()),
        Err(source) if user != 0 => Err(IsolateError::Forbidden { source }),
        Err(source) => Err(source.into()),
    }
}

/// Moves the calling process's future children into namespaces of their own and becomes the first of them. The
/// process that called is gone afterwards: it wrote the child's number into `pid` of the unit's folder and ended.
pub fn become_first(caller: Caller, folder: &OwnedFd) -> Result<(), IsolateError> {
    if let Caller::User { uid, gid } = caller {
        unshare(libc::CLONE_NEWUSER).map_err(|source| IsolateError::Forbidden { source })?;
        write_maps(0, 0, uid, gid)?;
    }
    unshare(libc::CLONE_NEWNS | libc::CLONE_NEWPID).map_err(|source| match caller {
        Caller::Root | Caller::Container => IsolateError::Io(source),
        Caller::User { .. } => IsolateError::Forbidden { source },
    })?;
    // SAFETY: the process has one thread.
    let pid = check(unsafe { libc::fork() })?;
    if pid != 0 {
        let written = write_pid(folder, pid);
        // SAFETY: nothing is to be flushed or dropped; the child owns all that matters.
        unsafe { libc::_exit(i32::from(written.is_err())) };
    }
    Ok(())
}

fn write_pid(folder: &OwnedFd, pid: libc::pid_t) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags, openat};
    let file = openat(folder, c"pid", OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC, Mode::RUSR | Mode::WUSR)?;
    fs::File::from(file).write_all(pid.to_string().as_bytes())
}

/// Tells the launcher how it went, and lets it go.
pub fn say_verdict(fd: OwnedFd, verdict: &str) {
    let mut file = fs::File::from(fd);
    // A launcher that died in between needs no answer.
    let _ = file.write_all(verdict.as_bytes());
}

fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: plain system call; the process has one thread.
    check(unsafe { libc::unshare(flags) }).map(drop)
}

/// Maps one user and group of the namespace just made to one outside. Safe between fork and exec.
fn write_maps(inner_uid: u32, inner_gid: u32, outer_uid: u32, outer_gid: u32) -> io::Result<()> {
    write_file(c"/proc/self/setgroups", b"deny").or_else(|error| {
        // It is denied already in a namespace within a namespace.
        if error.raw_os_error() == Some(libc::EPERM) { Ok(()) } else { Err(error) }
    })?;
    write_file(c"/proc/self/uid_map", map_line(inner_uid, outer_uid, &mut [0; 32]))?;
    write_file(c"/proc/self/gid_map", map_line(inner_gid, outer_gid, &mut [0; 32]))
}

fn map_line(inner: u32, outer: u32, buffer: &mut [u8; 32]) -> &[u8] {
    let mut rest = &mut buffer[..];
    // 32 bytes hold two 32-bit numbers and what is between them.
    let _ = write!(rest, "{inner} {outer} 1");
    let left = rest.len();
    &buffer[..32 - left]
}

fn write_file(path: &CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: async-signal-safe calls with valid pointers and lengths.
    unsafe {
        let fd = check(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC))?;
        let written = libc::write(fd, bytes.as_ptr().cast(), bytes.len());
        let result = if written < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
        libc::close(fd);
        result
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A file that one command sees at a path: bound there in a mount namespace of its own.
#[derive(Debug, Clone)]
pub struct Bound {
    pub source: CString,
    pub target: CString,
}

/// Prepares a command of the unit: a process group of its own, default signals, umask 022, the caller's own rights,
/// and `files` where it expects them.
pub fn prepare(command: &mut Command, caller: Caller, files: Vec<Bound>) {
    // SAFETY: only async-signal-safe calls; everything they read was made before the fork.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            libc::umask(0o022);
            reset_signals();
            // Victims before the agent when memory runs out.
            let _ = write_file(c"/proc/self/oom_score_adj", b"500");
            if !files.is_empty() {
                check(libc::unshare(libc::CLONE_NEWNS))?;
                for file in &files {
                    bind(&file.source, &file.target)?;
                }
            }
            if let Caller::User { uid, gid } = caller {
                check(libc::unshare(libc::CLONE_NEWUSER))?;
                write_maps(uid, gid, 0, 0)?;
            }
            Ok(())
        });
    }
}

/// Lets whoever shares the unit's files write to what a command makes: steps in other containers may be other users.
pub fn share_with_group(command: &mut Command) {
    // SAFETY: umask is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::umask(0o002);
            Ok(())
        });
    }
}

unsafe fn bind(source: &CStr, target: &CStr) -> io::Result<()> {
    // SAFETY: valid strings; no other pointer is read.
    unsafe {
        let none = std::ptr::null();
        check(libc::mount(source.as_ptr(), target.as_ptr(), none, libc::MS_BIND, none.cast()))?;
        let flags = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY;
        check(libc::mount(source.as_ptr(), target.as_ptr(), none, flags, none.cast())).map(drop)
    }
}

/// A Rust program ignores SIGPIPE; commands start with what a shell would give them.
unsafe fn reset_signals() {
    // SAFETY: sigaction and sigprocmask with values made here.
    unsafe {
        for signal in 1..=31 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Keeps others of the same user from reading this process's memory and environment.
pub fn hide_from_others() -> io::Result<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }).map(drop)
}

/// Sends a signal to every process of the unit but the agent.
pub fn signal_all(signal: libc::c_int) {
    // SAFETY: as process 1 of a PID namespace, -1 means everything in it but oneself; elsewhere nothing is sent.
    if std::process::id() == 1 {
        unsafe { libc::kill(-1, signal) };
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// Takes one ended child in, any child.
pub fn reap_one() -> Option<(u32, Exit)> {
    let mut status = 0;
    // SAFETY: the pointer is valid for the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    if pid <= 0 {
        return None;
    }
    let exit = if libc::WIFSIGNALED(status) {
        Exit::Signal(libc::WTERMSIG(status))
    } else {
        Exit::Code(libc::WEXITSTATUS(status))
    };
    Some((pid.unsigned_abs(), exit))
}

/// The uid at the other end of a Unix socket, as this process sees it.
pub fn peer_uid(socket: BorrowedFd<'_>) -> io::Result<u32> {
    // A peer outside of this PID namespace has the number 0 here, for which the type of rustix has no room.
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).map_err(io::Error::other)?;
    let place = (&raw mut peer).cast();
    // SAFETY: the pointers are valid for the call, and the length is that of what they point to.
    check(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, place, &raw mut length)
    })?;
    Ok(peer.uid)
}
