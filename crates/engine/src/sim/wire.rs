//! A connection that may come to an end of its own.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Whole,
    /// It breaks after so many bytes upward, wherever in a frame that is.
    Cut(usize),
    /// It falls silent both ways, and nobody is told.
    Mute(usize),
}

/// The agent's end of a connection.
pub(super) struct Wire {
    stream: Option<DuplexStream>,
    fate: Fate,
    passed: usize,
    /// Whoever waits to read: nobody else would wake it when the connection is cut.
    reader: Option<Waker>,
}

impl Wire {
    pub(super) fn new(stream: DuplexStream, fate: Fate) -> Self {
        Wire { stream: Some(stream), fate, passed: 0, reader: None }
    }

    fn is_mute(&self) -> bool {
        matches!(self.fate, Fate::Mute(after) if self.passed >= after)
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.reader = Some(cx.waker().clone());
        if self.is_mute() {
            return Poll::Pending;
        }
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_read(cx, buffer),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_mute() || bytes.is_empty() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let left = match self.fate {
            Fate::Whole => bytes.len(),
            Fate::Cut(after) | Fate::Mute(after) => after.saturating_sub(self.passed).min(bytes.len()),
        };
        if left == 0 {
            self.stream = None;
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())) };
        let written = Pin::new(stream).poll_write(cx, &bytes[..left]);
        if let Poll::Ready(Ok(written)) = &written {
            self.passed += written;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().map_or(Poll::Ready(Ok(())), |stream| Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().map_or(Poll::Ready(Ok(())), |stream| Pin::new(stream).poll_shutdown(cx))
    }
}
