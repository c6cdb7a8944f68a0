//! Containers of a pod beside the one that leads: each lends itself to one command at a time.
//!
//! The leader and a guest talk over a socket on the volume that they share: a length (u32), then JSON. The pipe that a
//! command writes to crosses with the word that starts it, so its output comes to the leader like that of any other.
//!
//! Where containers follow one another, a guest that has heard that its turn is over ends in order, and the kubelet
//! starts the next. One whose leader leaves it without a word fails: then the kubelet starts no other.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    rc::Rc,
    time::Duration,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use testudo_core::plan::Layout;
use tokio::{
    io::Interest,
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};

use crate::{
    habitat::Place,
    operations::files::{Placed, Rendered},
    processes::{Ended, Exiting, KILLED_FOR_MEMORY, Processes, Started, killed_for_memory, memory_kills, output_pipe},
    sys::{self, Caller},
};

/// Where the leader listens.
const SOCKET: &str = "/.testudo/lead";
/// Longest message: a command with its environment and files.
const LONGEST: usize = 64 << 20;

/// A command for another container.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Loan {
    pub(crate) argv: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) dir: PathBuf,
    pub(crate) files: Vec<Rendered>,
}

#[derive(Debug, Serialize, Deserialize)]
enum ToGuest {
    Start {
        id: u64,
        loan: Loan,
    },
    Signal {
        signal: i32,
    },
    /// Its turn is over.
    Go,
}

#[derive(Debug, Serialize, Deserialize)]
enum ToLeader {
    Here {
        container: usize,
        place: Place,
    },
    Ended {
        id: u64,
        exit: Ended,
    },
    /// Whoever runs the place has told it to go.
    ToldToGo,
}

/// What a guest tells the agent that leads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum News {
    /// It is there, and can be lent.
    Here,
    /// The place takes the unit away.
    ToldToGo,
}

type Waiting = Rc<RefCell<HashMap<u64, oneshot::Sender<Ended>>>>;

/// The containers that lend themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guests(Rc<RefCell<Lent>>);

#[derive(Debug, Default)]
struct Lent {
    /// By their number in the unit.
    guests: BTreeMap<usize, Guest>,
    /// Those before it have had their turn.
    turn: usize,
    /// None is needed any more; the last one of the unit may end in order.
    over: Option<usize>,
}

#[derive(Debug)]
struct Guest {
    place: Rc<Place>,
    words: mpsc::UnboundedSender<(ToGuest, Option<OwnedFd>)>,
    waiting: Waiting,
    next: u64,
    /// What it offered is still known: whoever wants it is told.
    is_gone: bool,
    /// The kernel has killed a process in it for memory.
    lacked_memory: bool,
}

impl Guest {
    fn dismiss(&self) {
        // One that is gone needs no word.
        let _ = self.words.send((ToGuest::Go, None));
    }
}

impl Guests {
    /// What a container offers, once it is there.
    pub(crate) fn place(&self, container: usize) -> Option<Rc<Place>> {
        self.0.borrow().guests.get(&container).map(|guest| guest.place.clone())
    }

    /// Starts a command in a container.
    pub(crate) fn start(&self, container: usize, loan: Loan) -> io::Result<Started> {
        let mut lent = self.0.borrow_mut();
        let guest = lent.guests.get_mut(&container).ok_or_else(|| io::Error::other("its container is not started"))?;
        if guest.is_gone {
            return Err(io::Error::other("its container has ended"));
        }
        let (output, write) = output_pipe()?;
        let (sender, exit) = oneshot::channel();
        guest.next += 1;
        guest.waiting.borrow_mut().insert(guest.next, sender);
        let id = guest.next;
        // A guest that has just gone is noticed by its silence.
        let _ = guest.words.send((ToGuest::Start { id, loan }, Some(write)));
        Ok(Started { exit, output })
    }

    /// Sends a signal to all that the guests have started.
    pub(crate) fn signal_all(&self, signal: i32) {
        for guest in self.0.borrow().guests.values() {
            let _ = guest.words.send((ToGuest::Signal { signal }, None));
        }
    }

    /// Makes room for a container: those before it have had their turn, also where they have not come yet.
    pub(crate) fn make_room(&self, container: usize) {
        let mut lent = self.0.borrow_mut();
        if container > lent.turn {
            lent.guests.range(lent.turn..container).for_each(|(_, guest)| guest.dismiss());
            lent.turn = container;
        }
    }

    /// Lets all go, and those that still come: the last container of the unit in order, of any other the end means that
    /// no more is to be started.
    pub(crate) fn end(&self, last: usize) {
        let mut lent = self.0.borrow_mut();
        if let Some(guest) = lent.guests.get(&last) {
            guest.dismiss();
        }
        lent.guests.clear();
        lent.over = Some(last);
    }

    /// Why the place takes a unit away whose containers follow one another, where that is for one of them.
    pub(crate) fn trouble(&self) -> Option<&'static str> {
        let lent = self.0.borrow();
        if lent.guests.range(lent.turn..).any(|(_, guest)| guest.is_gone) {
            return Some("a container of the unit has ended before its turn was over");
        }
        let lacked = lent.guests.range(..lent.turn).any(|(_, guest)| guest.lacked_memory);
        lacked.then_some("oomKilled: after a container that has lacked memory no other one is started")
    }

    /// Takes guests in as they come; `hears` is told of each.
    pub(crate) fn listen(&self, hears: impl Fn(News) + Clone + 'static) -> io::Result<()> {
        // Whoever led before is gone.
        let _ = fs::remove_file(SOCKET);
        let listener = UnixListener::bind(SOCKET)?;
        fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o666))?;
        let guests = self.clone();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(guests.clone().host(stream, hears.clone()));
            }
        });
        Ok(())
    }

    async fn host(self, stream: UnixStream, hears: impl Fn(News)) {
        let Ok((ToLeader::Here { container, place }, _)) = receive(&stream).await else { return };
        let (words, mut queue) = mpsc::unbounded_channel();
        let waiting = Waiting::default();
        let guest = Guest {
            place: Rc::new(place),
            words,
            waiting: waiting.clone(),
            next: 0,
            is_gone: false,
            lacked_memory: false,
        };
        self.admit(container, guest);
        hears(News::Here);
        let tell = async {
            while let Some((word, fd)) = queue.recv().await {
                send(&stream, &word, fd.as_ref()).await?;
            }
            Ok::<_, io::Error>(())
        };
        let hear = async {
            loop {
                match receive(&stream).await?.0 {
                    ToLeader::Ended { id, exit } => {
                        if exit.as_ref().is_err_and(|message| message == KILLED_FOR_MEMORY)
                            && let Some(guest) = self.0.borrow_mut().guests.get_mut(&container)
                        {
                            guest.lacked_memory = true;
                        }
                        if let Some(sender) = waiting.borrow_mut().remove(&id) {
                            let _ = sender.send(exit);
                        }
                    }
                    ToLeader::ToldToGo => hears(News::ToldToGo),
                    ToLeader::Here { .. } => return Err::<(), io::Error>(io::ErrorKind::InvalidData.into()),
                }
            }
        };
        // Whichever breaks, the container is gone; with the last word to it the connection ends.
        tokio::select! {
            _ = tell => {}
            _ = hear => {}
        }
        if let Some(guest) = self.0.borrow_mut().guests.get_mut(&container) {
            guest.is_gone = true;
        }
        for (_, sender) in waiting.borrow_mut().drain() {
            let _ = sender.send(Err("its container has ended".to_owned()));
        }
    }

    /// Takes one in, unless it comes too late to be needed.
    fn admit(&self, container: usize, guest: Guest) {
        let mut lent = self.0.borrow_mut();
        if lent.over.map_or(container < lent.turn, |last| container == last) {
            guest.dismiss();
        }
        if lent.over.is_none() {
            lent.guests.insert(container, guest);
        }
    }
}

/// Lends this container to the leader of its pod until its turn is over or that one is gone.
pub(crate) async fn lend(container: usize, place: Place, patience: Duration, layout: Layout) -> io::Result<()> {
    let begun = tokio::time::Instant::now();
    let place = Place { is_elsewhere: true, ..place };
    let stream = loop {
        match UnixStream::connect(SOCKET).await {
            Ok(stream) => break stream,
            Err(error) if begun.elapsed() > patience => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let stream = Rc::new(stream);
    send(&stream, &ToLeader::Here { container, place }, None).await?;
    let (hears, mut heard) = mpsc::unbounded_channel();
    let ear = stream.clone();
    // On its own, so that nothing is given up half-way.
    tokio::task::spawn_local(async move {
        while let Ok(word) = receive::<ToGuest>(&ear).await {
            let _ = hears.send(word);
        }
    });
    let mut children = signal(SignalKind::child())?;
    // Of containers that follow one another the leader's is the last to be told.
    let mut terminate = signal(SignalKind::terminate())?;
    let processes = Processes::default();
    let (ends, mut ended) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            word = heard.recv() => match word {
                Some((ToGuest::Signal { signal }, _)) => sys::signal_all(signal),
                Some((ToGuest::Start { id, loan }, fd)) => {
                    let before = memory_kills();
                    let started = fd.ok_or_else(|| "its output has nowhere to go".to_owned());
                    match started.and_then(|fd| start(&processes, loan, fd)) {
                        Ok((exit, files)) => {
                            let ends = ends.clone();
                            tokio::task::spawn_local(async move {
                                let exit = exit.await.unwrap_or_else(|_| Err("it was lost sight of".to_owned()));
                                drop(files);
                                let exit = killed_for_memory(before).map_or(exit, Err);
                                let _ = ends.send((id, exit));
                            });
                        }
                        Err(error) => {
                            let _ = ends.send((id, Err(error)));
                        }
                    }
                }
                Some((ToGuest::Go, _)) => {
                    sys::signal_all(libc::SIGKILL);
                    return Ok(());
                }
                // The leader is gone, and the unit with it.
                None => {
                    sys::signal_all(libc::SIGKILL);
                    return match layout {
                        Layout::Together => Ok(()),
                        Layout::Sequential => Err(io::Error::other("the unit is over: no other container is started")),
                    };
                }
            },
            Some((id, exit)) = ended.recv() => send(&stream, &ToLeader::Ended { id, exit }, None).await?,
            Some(()) = terminate.recv() => {
                // A leader that is gone needs no word.
                let _ = send(&stream, &ToLeader::ToldToGo, None).await;
            }
            _ = children.recv() => processes.reap(),
        }
    }
}

fn start(processes: &Processes, loan: Loan, output: OwnedFd) -> Result<(Exiting, Placed), String> {
    let Loan { argv, env, dir, files } = loan;
    let mut placed = Placed::default();
    for file in &files {
        placed
            .put(file)
            .map_err(|error| format!("the file {} could not be put in place: {error}", file.target.display()))?;
    }
    let program = argv.first().ok_or_else(|| "there is no command to run".to_owned())?;
    let dir = existing(&dir, &output);
    let mut command = Command::new(program);
    command.args(&argv[1..]).env_clear().envs(&env).current_dir(dir).stdin(Stdio::null());
    command.stdout(output.try_clone().map_err(|error| error.to_string())?).stderr(output);
    sys::prepare(&mut command, Caller::Container, Vec::new());
    let exit = processes.spawn(command).map_err(|error| format!("{}: {error}", Path::new(program).display()))?;
    Ok((exit, placed))
}

/// Makes a directory exist; where that fails, the nearest outer one that does serves, and the output says so.
fn existing<'a>(dir: &'a Path, output: &OwnedFd) -> &'a Path {
    match fs::create_dir_all(dir) {
        Ok(()) => dir,
        Err(error) => {
            let text = format!("warn: error using {} as working directory: {error}\n", dir.display());
            // Nobody else could be told.
            let _ = rustix::io::write(output, text.as_bytes());
            dir.ancestors().find(|outer| outer.is_dir()).unwrap_or(Path::new("/"))
        }
    }
}

async fn send<T: Serialize>(stream: &UnixStream, message: &T, fd: Option<&OwnedFd>) -> io::Result<()> {
    let body = serde_json::to_vec(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?.to_be_bytes();
    let mut bytes = length.to_vec();
    bytes.extend_from_slice(&body);
    let mut sent = stream
        .async_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let fds = fd.map(|fd| [fd.as_fd()]);
            if let Some(fds) = &fds {
                control.push(SendAncillaryMessage::ScmRights(fds));
            }
            let part = [io::IoSlice::new(&bytes)];
            Ok(rustix::net::sendmsg(stream, &part, &mut control, SendFlags::NOSIGNAL)?)
        })
        .await?;
    while sent < bytes.len() {
        sent += stream.async_io(Interest::WRITABLE, || Ok(rustix::io::write(stream, &bytes[sent..])?)).await?;
    }
    Ok(())
}

async fn receive<T: DeserializeOwned>(stream: &UnixStream) -> io::Result<(T, Option<OwnedFd>)> {
    let mut length = [0; 4];
    let fd = fill(stream, &mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    let later = fill(stream, &mut body).await?;
    Ok((serde_json::from_slice(&body).map_err(io::Error::other)?, fd.or(later)))
}

/// Fills a buffer, and takes in a descriptor that comes with the bytes.
async fn fill(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<Option<OwnedFd>> {
    let mut found = None;
    let mut filled = 0;
    while filled < buffer.len() {
        let read = stream
            .async_io(Interest::READABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let mut part = [io::IoSliceMut::new(&mut buffer[filled..])];
                let read = rustix::net::recvmsg(stream, &mut part, &mut control, RecvFlags::CMSG_CLOEXEC)?;
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(mut fds) = message {
                        found = found.take().or_else(|| fds.next());
                    }
                }
                Ok(read.bytes)
            })
            .await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
