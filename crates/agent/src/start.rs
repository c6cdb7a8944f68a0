//! From a fresh process to a unit's agent.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixListener},
};

use rustix::fs::{Mode, OFlags, openat};

use crate::{
    door::Door,
    habitat::Habitat,
    processes::open_below,
    settings::{FILE, Settings},
    sys::{self, Caller, Room},
    unit,
};

/// The hidden argument that turns the binary into an agent.
pub const ARGUMENT: &str = "agent";

/// Carries out one unit; the exit code of the process.
pub fn main() -> i32 {
    let Ok(verdict) = sys::inherited(sys::VERDICT_FD) else {
        eprintln!("testudo agent is started by a runner, not by hand");
        return 2;
    };
    match prepare() {
        Ok(prepared) => {
            sys::say_verdict(verdict, "ok");
            let last_words = LastWords::reserve(&prepared.folder);
            match prepared.run() {
                Ok(()) => 0,
                Err(error) => {
                    last_words.say(&error.to_string());
                    1
                }
            }
        }
        Err(error) => {
            sys::say_verdict(verdict, &error);
            1
        }
    }
}

/// A file in the unit's folder in which a dying agent says why. Its room is taken beforehand: the commonest reason is
/// a disk that is full.
struct LastWords(Option<File>);

/// The name of that file.
pub const LAST_WORDS: &str = "last-words";
/// Its length in bytes.
const ROOM: usize = 512;

impl LastWords {
    fn reserve(folder: &OwnedFd) -> Self {
        let reserve = || {
            let mut file = open_below(folder, LAST_WORDS, true)?;
            file.write_all(&[b' '; ROOM])?;
            Ok::<_, io::Error>(file)
        };
        LastWords(reserve().ok())
    }

    fn say(&self, text: &str) {
        if let Some(file) = &self.0 {
            let text = &text.as_bytes()[..text.len().min(ROOM)];
            // Nobody is left who could be told of a failure.
            let _ = rustix::io::pwrite(file, text, 0);
        }
    }
}

struct Prepared {
    settings: Settings,
    caller: Caller,
    folder: OwnedFd,
    listener: OwnedFd,
    _lock: OwnedFd,
}

fn prepare() -> Result<Prepared, String> {
    let said = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("{what}: {error}")
    };
    let listener = sys::inherited(sys::LISTENER_FD).map_err(said("the unit's socket"))?;
    let lock = sys::inherited(sys::LOCK_FD).map_err(said("the unit's lock"))?;
    let folder = sys::inherited(sys::FOLDER_FD).map_err(said("the unit's folder"))?;
    let settings = read_settings(&folder).map_err(said("the unit's settings"))?;
    let caller = Caller::current();
    sys::become_first(caller, &folder).map_err(|error| error.to_string())?;
    let room =
        Room { root: settings.folder.join("root"), shared: settings.folder.clone(), hidden: settings.hidden.clone() };
    room.enter().map_err(|error| error.to_string())?;
    // Whoever connects sees the credentials of who listened last: this process.
    rustix::net::listen(&listener, 16).map_err(|error| format!("the unit's socket: {error}"))?;
    Ok(Prepared { settings, caller, folder, listener, _lock: lock })
}

fn read_settings(folder: &OwnedFd) -> io::Result<Settings> {
    let mut text = String::new();
    File::from(openat(folder, FILE, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?).read_to_string(&mut text)?;
    serde_json::from_str(&text).map_err(io::Error::other)
}

impl Prepared {
    fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
        let listener = UnixListener::from(self.listener);
        listener.set_nonblocking(true)?;
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let door = Door::Socket(tokio::net::UnixListener::from_std(listener)?);
            unit::Agent::new(self.settings, Habitat::machine(self.caller), self.folder)?.run(door).await
        })
    }
}
