//! A stream that is encrypted and authenticated both ways with a unit's key, over any other stream: Noise `NNpsk0`.
//!
//! On a network the same frames travel as on a Unix socket, only sealed. Whoever has not got the key learns nothing, and
//! is not answered.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use snow::{Builder, HandshakeState, StatelessTransportState};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};

/// A unit's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub [u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// Both ends have to mean the same protocol.
const PROLOGUE: &[u8] = b"testudo unit 1";
/// Longest message of Noise, and what of it authenticates the rest.
const MESSAGE: usize = 65535;
const TAG: usize = 16;

/// The end of a sealed stream that hears.
pub type Reader<S> = SealedReader<ReadHalf<S>>;
/// The end of a sealed stream that speaks.
pub type Writer<S> = SealedWriter<WriteHalf<S>>;

/// Seals a stream to a unit.
pub async fn dial<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, key: &Key) -> io::Result<(Reader<S>, Writer<S>)> {
    let mut shaking = builder(key)?.build_initiator().map_err(foreign)?;
    speak(&mut stream, &mut shaking).await?;
    hear(&mut stream, &mut shaking).await?;
    split(stream, shaking)
}

/// Seals a stream from somebody who shows to have the key.
pub async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, key: &Key) -> io::Result<(Reader<S>, Writer<S>)> {
    let mut shaking = builder(key)?.build_responder().map_err(foreign)?;
    hear(&mut stream, &mut shaking).await?;
    speak(&mut stream, &mut shaking).await?;
    split(stream, shaking)
}

fn builder(key: &Key) -> io::Result<Builder<'_>> {
    let params = PATTERN.parse().map_err(foreign)?;
    Builder::new(params).psk(0, &key.0).and_then(|builder| builder.prologue(PROLOGUE)).map_err(foreign)
}

async fn speak<S: AsyncWrite + Unpin>(stream: &mut S, shaking: &mut HandshakeState) -> io::Result<()> {
    let mut message = [0; 2 + 256];
    let length = shaking.write_message(&[], &mut message[2..]).map_err(foreign)?;
    message[..2].copy_from_slice(&u16::try_from(length).map_err(io::Error::other)?.to_be_bytes());
    stream.write_all(&message[..2 + length]).await?;
    stream.flush().await
}

async fn hear<S: AsyncRead + Unpin>(stream: &mut S, shaking: &mut HandshakeState) -> io::Result<()> {
    let mut message = [0; 256];
    let length = usize::from(stream.read_u16().await?);
    let message = message.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
    stream.read_exact(message).await?;
    shaking.read_message(message, &mut []).map(drop).map_err(foreign)
}

fn split<S: AsyncRead + AsyncWrite>(stream: S, shaking: HandshakeState) -> io::Result<(Reader<S>, Writer<S>)> {
    let state = Arc::new(shaking.into_stateless_transport_mode().map_err(foreign)?);
    let (reader, writer) = tokio::io::split(stream);
    let reader = SealedReader {
        stream: reader,
        state: state.clone(),
        number: 0,
        sealed: vec![0; 2 * (MESSAGE + 2)],
        taken: 0,
        filled: 0,
        plain: vec![0; MESSAGE],
        open: 0..0,
    };
    Ok((reader, SealedWriter { stream: writer, state, number: 0, pending: Vec::new(), sent: 0 }))
}

fn foreign(error: snow::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The end that hears.
#[derive(Debug)]
pub struct SealedReader<R> {
    stream: R,
    state: Arc<StatelessTransportState>,
    number: u64,
    sealed: Vec<u8>,
    taken: usize,
    filled: usize,
    plain: Vec<u8>,
    /// What of `plain` nobody has read yet.
    open: std::ops::Range<usize>,
}

impl<R> SealedReader<R> {
    /// Opens the next whole message of what has arrived; whether there was one.
    fn open_next(&mut self) -> io::Result<bool> {
        let arrived = &self.sealed[self.taken..self.filled];
        let Some((length, rest)) = arrived.split_first_chunk::<2>() else { return Ok(false) };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some(message) = rest.get(..length) else { return Ok(false) };
        let plain = self.state.read_message(self.number, message, &mut self.plain).map_err(foreign)?;
        self.number += 1;
        self.taken += 2 + length;
        self.open = 0..plain;
        Ok(true)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for SealedReader<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.open.is_empty() {
                let length = this.open.len().min(out.remaining());
                out.put_slice(&this.plain[this.open.start..this.open.start + length]);
                this.open.start += length;
                return Poll::Ready(Ok(()));
            }
            if this.open_next()? {
                continue;
            }
            this.sealed.copy_within(this.taken..this.filled, 0);
            this.filled -= this.taken;
            this.taken = 0;
            let mut more = ReadBuf::new(&mut this.sealed[this.filled..]);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut more))?;
            let read = more.filled().len();
            if read == 0 {
                // Whoever cuts the stream inside a message is noticed.
                return Poll::Ready(if this.filled == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) });
            }
            this.filled += read;
        }
    }
}

/// The end that speaks. What was written is under way for certain only after a flush.
#[derive(Debug)]
pub struct SealedWriter<W> {
    stream: W,
    state: Arc<StatelessTransportState>,
    number: u64,
    pending: Vec<u8>,
    sent: usize,
}

impl<W: AsyncWrite + Unpin> SealedWriter<W> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.pending.len() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pending[self.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.pending.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for SealedWriter<W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        let part = &bytes[..bytes.len().min(MESSAGE - TAG)];
        this.pending.resize(2 + part.len() + TAG, 0);
        let length = this.state.write_message(this.number, part, &mut this.pending[2..]).map_err(foreign)?;
        this.number += 1;
        this.pending[..2].copy_from_slice(&u16::try_from(length).map_err(io::Error::other)?.to_be_bytes());
        this.pending.truncate(2 + length);
        // What does not go now goes with the next write or flush.
        let _ = this.poll_drain(cx)?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key([byte; 32])
    }

    #[tokio::test]
    async fn what_is_said_arrives_and_is_not_seen_on_the_way() {
        let (near, far) = tokio::io::duplex(1000);
        let text = b"secret ".repeat(40_000);
        let (said, heard) = tokio::join!(
            async {
                let (_reader, mut writer) = dial(near, &key(1)).await?;
                writer.write_all(&text).await?;
                writer.shutdown().await
            },
            async {
                let (mut reader, _writer) = answer(far, &key(1)).await?;
                let mut heard = Vec::new();
                reader.read_to_end(&mut heard).await?;
                Ok::<_, io::Error>(heard)
            }
        );
        said.unwrap();
        assert!(heard.unwrap() == text);
    }

    #[tokio::test]
    async fn nobody_without_the_key_is_answered() {
        let (near, mut far) = tokio::io::duplex(1000);
        let refused = tokio::spawn(async move { answer(near, &key(1)).await.map(drop) });
        let mut shaking = builder(&key(2)).unwrap().build_initiator().unwrap();
        speak(&mut far, &mut shaking).await.unwrap();
        assert!(refused.await.unwrap().is_err());
        let mut nothing = Vec::new();
        far.read_to_end(&mut nothing).await.unwrap();
        assert_eq!(nothing, b"");
    }

    #[tokio::test]
    async fn a_changed_byte_ends_the_stream() {
        let (near, mut middle) = tokio::io::duplex(1 << 20);
        let (mut other, far) = tokio::io::duplex(1 << 20);
        let key = key(1);
        let (dialed, answered, ()) = tokio::join!(dial(near, &key), answer(far, &key), async {
            let mut shake = [0; 50];
            middle.read_exact(&mut shake).await.unwrap();
            other.write_all(&shake).await.unwrap();
            other.read_exact(&mut shake).await.unwrap();
            middle.write_all(&shake).await.unwrap();
        });
        let ((_reader, mut writer), (mut reader, _writer)) = (dialed.unwrap(), answered.unwrap());
        writer.write_all(b"hello").await.unwrap();
        writer.flush().await.unwrap();
        let mut bytes = [0; 2 + 5 + TAG];
        middle.read_exact(&mut bytes).await.unwrap();
        assert!(!bytes.windows(5).any(|window| window == b"hello"));
        bytes[4] ^= 1;
        other.write_all(&bytes).await.unwrap();
        assert!(reader.read_u8().await.is_err());
    }
}
