//! Connections of an agent.

use std::time::Duration;

use testudo_core::frame::{Down, Up};
use tokio::{sync::mpsc, task::JoinSet};

use super::Input;
use crate::{Duplex, Frames, Hearer, Link, Sayer};

/// Somebody who wants to talk to an agent.
pub(in crate::sim) type Guest = Box<dyn Duplex>;

/// What goes up.
enum Out {
    Say(Up),
    Send(u64, Vec<u8>),
}

/// A connection as the loop knows it.
pub(super) struct Linked {
    outbox: mpsc::UnboundedSender<Out>,
    /// It has said how much it knows.
    pub(super) welcomed: bool,
    /// How much of the output was announced to it, and how much it has read.
    announced: u64,
    read: u64,
}

impl Linked {
    /// Serves a connection until it breaks; what it hears goes to the loop.
    pub(super) fn open(id: u64, guest: Guest, inbox: mpsc::UnboundedSender<Input>, tasks: &mut JoinSet<()>) -> Self {
        let (hearer, sayer) = Link::new(guest).split();
        let (outbox, queue) = mpsc::unbounded_channel();
        tasks.spawn(speak(sayer, queue));
        tasks.spawn(listen(id, hearer, inbox));
        Linked { outbox, welcomed: false, announced: 0, read: 0 }
    }

    /// Says something; a broken connection hears nothing, and resumes later.
    pub(super) fn say(&self, up: Up) {
        let _ = self.outbox.send(Out::Say(up));
    }

    /// Answers a read of the output.
    pub(super) fn send(&mut self, read: u64, bytes: Vec<u8>) {
        let _ = self.outbox.send(Out::Send(read, bytes));
    }

    /// Remembers how far the output was read.
    pub(super) fn has_read(&mut self, upto: u64) {
        self.read = self.read.max(upto);
    }

    /// Says where the output stands, to a reader that has caught up: it asks for more by itself otherwise.
    pub(super) fn announce(&mut self, length: u64) {
        if self.welcomed && length > self.announced && self.read >= self.announced {
            self.announced = length;
            self.say(Up::Output { length });
        }
    }
}

/// How long a piece of a read is on its way.
const PIECE: Duration = Duration::from_millis(3);

async fn speak(mut sayer: Sayer, mut queue: mpsc::UnboundedReceiver<Out>) {
    while let Some(out) = queue.recv().await {
        let said = match out {
            Out::Say(up) => sayer.say(&up).await,
            Out::Send(read, bytes) => {
                // What is bulky takes its time, so that a death may fall into the middle of it.
                tokio::time::sleep(PIECE).await;
                sayer.send(read, &bytes).await
            }
        };
        if said.is_err() {
            return;
        }
    }
}

async fn listen(id: u64, mut hearer: Hearer, inbox: mpsc::UnboundedSender<Input>) {
    loop {
        let input = match hearer.next::<Down>().await {
            Ok(Frames::Control(down)) => Input::Down(id, Box::new(down)),
            Ok(Frames::Data(read, bytes)) => Input::Data(read, bytes),
            Err(_) => {
                let _ = inbox.send(Input::Unlinked(id));
                return;
            }
        };
        if inbox.send(input).is_err() {
            return;
        }
    }
}
