//! A connection to whoever asks: an engine, as often as it likes.

use std::{cell::RefCell, collections::HashMap, io, os::unix::fs::FileExt, rc::Rc};

use testudo_core::frame::{self, Answered, Ask, Down, FrameType, Hello, Source, Up};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, watch},
};

use crate::{output::Output, processes::open_below, unit::Input};

/// What a connection may read, and where it brings what it hears.
#[derive(Clone)]
pub(crate) struct Served {
    pub output: Rc<RefCell<Output>>,
    /// How much of the output somebody has kept.
    pub kept: Rc<watch::Sender<u64>>,
    /// The length of the output, as it grows.
    pub grown: watch::Receiver<u64>,
    pub folder: Rc<std::os::fd::OwnedFd>,
    pub inbox: mpsc::UnboundedSender<Input>,
}

/// The writing side of a connection. Unbounded: what is pushed is small, and what is bulky was asked for, at most
/// [`frame::MAX_READ`] at a time.
#[derive(Debug, Clone)]
pub(crate) struct Writer(mpsc::UnboundedSender<Vec<u8>>);

impl Writer {
    /// Says something; a broken connection hears nothing, and resumes later.
    pub(crate) fn say(&self, up: &Up) {
        let mut bytes = Vec::new();
        frame::encode(up, &mut bytes);
        let _ = self.0.send(bytes);
    }
}

/// Serves one connection until it breaks.
pub(crate) async fn serve<R, W>(id: u64, reader: R, writer: W, hello: Hello, served: Served)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    let (sender, queue) = mpsc::unbounded_channel();
    let handle = Writer(sender);
    handle.say(&Up::Hello(hello));
    let inbox = served.inbox.clone();
    let _ = inbox.send(Input::Linked(id, handle.clone()));
    let pump = tokio::task::spawn_local(write(writer, queue));
    let _ = read(id, reader, handle, served).await;
    let _ = inbox.send(Input::Unlinked(id));
    pump.abort();
}

async fn write<W: AsyncWrite + Unpin>(mut stream: W, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// What has been announced of the output, and read of it.
#[derive(Default)]
struct Announced {
    length: u64,
    read: u64,
}

async fn read<R: AsyncRead + Unpin>(id: u64, mut stream: R, writer: Writer, mut served: Served) -> io::Result<()> {
    let mut announced = Announced::default();
    let mut message = Vec::new();
    let mut packs = HashMap::new();
    let mut frames = Frames::default();
    loop {
        tokio::select! {
            // Dropped half-way, the reader keeps what it has.
            next = frames.next(&mut stream) => {
                let (kind, payload) = next?;
                match kind {
                    FrameType::Part => message.extend_from_slice(&payload),
                    FrameType::Control => {
                        message.extend_from_slice(&payload);
                        let down = serde_json::from_slice::<Down>(&message).map_err(io::Error::other)?;
                        message.clear();
                        match down {
                            Down::Ask(Ask::Read { read, source, from, length }) => {
                                let sent = answer(&writer, &served, &mut packs, read, &source, from, length);
                                if source == Source::Output {
                                    announced.read = announced.read.max(from + sent);
                                }
                            }
                            // An engine has its own way to the family.
                            Down::Ask(Ask::ReadFamily { .. }) => {}
                            other => {
                                let _ = served.inbox.send(Input::Down(id, Box::new(other)));
                            }
                        }
                    }
                    FrameType::Data => {
                        let (read, bytes) = payload.split_at_checked(8).ok_or(io::ErrorKind::InvalidData)?;
                        let read = u64::from_be_bytes(read.try_into().map_err(io::Error::other)?);
                        let _ = served.inbox.send(Input::Data(read, bytes.to_vec()));
                    }
                }
            }
            changed = served.grown.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
        }
        // Announced only to a reader that has caught up: it asks for more by itself otherwise.
        let length = *served.grown.borrow_and_update();
        if length > announced.length && announced.read >= announced.length {
            announced.length = length;
            writer.say(&Up::Output { length });
        }
    }
}

fn answer(
    writer: &Writer,
    served: &Served,
    packs: &mut HashMap<String, std::fs::File>,
    read: u64,
    source: &Source,
    from: u64,
    length: u64,
) -> u64 {
    let length = usize::try_from(length.min(frame::MAX_READ)).unwrap_or(usize::MAX);
    let mut frames = Vec::with_capacity(length + 1024);
    let result = match source {
        Source::Output => {
            // Whoever asks from here on has kept what is before.
            let news = served.kept.send_if_modified(|kept| {
                let more = from > *kept;
                *kept = from.max(*kept);
                more
            });
            if news {
                served.output.borrow_mut().release(from);
            }
            served.output.borrow().answer(read, from, length, &mut frames).map(|sent| (sent, false))
        }
        Source::Pack(pack) => read_pack(served, packs, &pack.0, from, length).map(|(bytes, end)| {
            frame::encode_data(read, &bytes, &mut frames);
            (bytes.len(), end)
        }),
    };
    let mut sent = 0;
    let answered = match result {
        Ok((length, end)) => {
            sent = length as u64;
            let _ = writer.0.send(frames);
            Answered { read, end, error: None }
        }
        Err(error) => Answered { read, end: true, error: Some(error.to_string()) },
    };
    writer.say(&Up::Answered(answered));
    sent
}

fn read_pack(
    served: &Served,
    packs: &mut HashMap<String, std::fs::File>,
    pack: &str,
    from: u64,
    length: usize,
) -> io::Result<(Vec<u8>, bool)> {
    if !packs.contains_key(pack) {
        if pack.contains('/') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a pack's name is no path"));
        }
        packs.insert(pack.to_owned(), open_below(&served.folder, &format!("packs/{pack}"), false)?);
    }
    let file = &packs[pack];
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], from + filled as u64)? {
            0 => break,
            more => filled += more,
        }
    }
    bytes.truncate(filled);
    Ok((bytes, filled < length))
}

/// Reads frames; what has arrived of one is kept when the reading is given up half-way.
#[derive(Default)]
struct Frames {
    buffer: Vec<u8>,
    filled: usize,
}

impl Frames {
    async fn next<R: AsyncRead + Unpin>(&mut self, stream: &mut R) -> io::Result<(FrameType, Vec<u8>)> {
        loop {
            if let Some(header) = self.buffer[..self.filled].first_chunk::<5>() {
                let (kind, length) = frame::parse_header(*header).map_err(io::Error::other)?;
                if self.filled >= 5 + length {
                    let payload = self.buffer[5..5 + length].to_vec();
                    self.buffer.copy_within(5 + length..self.filled, 0);
                    self.filled -= 5 + length;
                    return Ok((kind, payload));
                }
            }
            if self.buffer.len() < frame::MAX_PAYLOAD + 64 {
                self.buffer.resize(frame::MAX_PAYLOAD + 64, 0);
            }
            let read = stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.filled += read;
        }
    }
}
