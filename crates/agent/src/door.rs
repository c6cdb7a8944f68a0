//! Where a unit is spoken to: a Unix socket on a machine of its own, a port where only a network leads to it.

use std::{io, os::fd::AsFd, time::Duration};

use testudo_core::frame::Hello;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::{
    link::{self, Served},
    sealed::{self, Key},
    sys,
};

/// How long somebody may take to show that they have the key.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where connections come from.
pub(crate) enum Door {
    /// In a folder that only its owner can enter; the other end has to be the same user.
    Socket(UnixListener),
    /// Open to a network; the other end has to have the key.
    Port(TcpListener, Key),
}

/// Somebody at the door.
pub(crate) enum Caller {
    Socket(UnixStream),
    Port(TcpStream, Key),
}

impl Door {
    /// Waits for the next one.
    pub(crate) async fn next(&self) -> io::Result<Caller> {
        match self {
            Door::Socket(listener) => Ok(Caller::Socket(listener.accept().await?.0)),
            Door::Port(listener, key) => Ok(Caller::Port(listener.accept().await?.0, key.clone())),
        }
    }
}

impl Caller {
    /// Serves them, if they are who they have to be.
    pub(crate) async fn serve(self, id: u64, hello: Hello, served: Served) {
        match self {
            Caller::Socket(stream) => {
                let own = rustix::process::geteuid().as_raw();
                if sys::peer_uid(stream.as_fd()).is_ok_and(|uid| uid == own) {
                    let (reader, writer) = stream.into_split();
                    link::serve(id, reader, writer, hello, served).await;
                }
            }
            Caller::Port(stream, key) => {
                // Words are short and should not wait for one another.
                let _ = stream.set_nodelay(true);
                if let Ok(Ok((reader, writer))) = tokio::time::timeout(PATIENCE, sealed::answer(stream, &key)).await {
                    link::serve(id, reader, writer, hello, served).await;
                }
            }
        }
    }
}
