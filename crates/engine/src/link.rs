//! One end of a connection between engine and agent: whole frames in, whole frames out.

use std::{io, ops::Range};

use serde::{Serialize, de::DeserializeOwned};
use testudo_core::frame::{self, FrameType};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::Duplex;

/// Why a connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    #[error("the other end does not speak the protocol: {0}")]
    Foreign(String),
}

/// What has arrived.
#[derive(Debug)]
pub enum Frames<T> {
    Control(T),
    /// Bytes that answer a read.
    Data(u64, Vec<u8>),
}

/// A connection.
pub struct Link {
    hearer: Hearer,
    sayer: Sayer,
}

/// The end of a connection that hears.
pub struct Hearer {
    stream: ReadHalf<Box<dyn Duplex>>,
    buffer: Vec<u8>,
    filled: usize,
    /// Frames up to here have been taken out.
    taken: usize,
    message: Vec<u8>,
}

/// The end of a connection that speaks.
pub struct Sayer {
    stream: WriteHalf<Box<dyn Duplex>>,
}

impl Link {
    pub fn new(stream: Box<dyn Duplex>) -> Self {
        let (reader, stream) = tokio::io::split(stream);
        // Room for what a fast writer has ready.
        let buffer = vec![0; 4 * frame::MAX_PAYLOAD];
        let hearer = Hearer { stream: reader, buffer, filled: 0, taken: 0, message: Vec::new() };
        Link { hearer, sayer: Sayer { stream } }
    }

    /// Its two ends, for whoever must never stop hearing while it speaks.
    pub fn split(self) -> (Hearer, Sayer) {
        (self.hearer, self.sayer)
    }

    /// Says something.
    pub async fn say<T: Serialize>(&mut self, message: &T) -> Result<(), LinkError> {
        self.sayer.say(message).await
    }

    /// Sends bytes that answer a read.
    pub async fn send(&mut self, read: u64, bytes: &[u8]) -> Result<(), LinkError> {
        self.sayer.send(read, bytes).await
    }

    /// The next whole message. Given up half-way it keeps what has arrived, so it may be raced against anything.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Frames<T>, LinkError> {
        self.hearer.next().await
    }
}

impl Sayer {
    /// Says something.
    pub async fn say<T: Serialize>(&mut self, message: &T) -> Result<(), LinkError> {
        let mut bytes = Vec::new();
        frame::encode(message, &mut bytes);
        Ok(self.stream.write_all(&bytes).await?)
    }

    /// Sends bytes that answer a read.
    pub async fn send(&mut self, read: u64, bytes: &[u8]) -> Result<(), LinkError> {
        let mut frames = Vec::with_capacity(bytes.len() + 256);
        frame::encode_data(read, bytes, &mut frames);
        Ok(self.stream.write_all(&frames).await?)
    }
}

impl Hearer {
    /// The next whole message. Given up half-way it keeps what has arrived, so it may be raced against anything.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Frames<T>, LinkError> {
        loop {
            if let Some((kind, payload)) = self.take_frame()? {
                match kind {
                    FrameType::Part => self.message.extend_from_slice(&self.buffer[payload]),
                    FrameType::Control => {
                        self.message.extend_from_slice(&self.buffer[payload]);
                        let message = std::mem::take(&mut self.message);
                        let message = serde_json::from_slice(&message);
                        return Ok(Frames::Control(message.map_err(|error| LinkError::Foreign(error.to_string()))?));
                    }
                    FrameType::Data => {
                        let Some((read, bytes)) = self.buffer[payload].split_first_chunk::<8>() else {
                            return Err(LinkError::Foreign("data that answers nothing".to_owned()));
                        };
                        return Ok(Frames::Data(u64::from_be_bytes(*read), bytes.to_vec()));
                    }
                }
                continue;
            }
            self.make_room();
            let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 {
                return Err(LinkError::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
            self.filled += read;
        }
    }

    /// The next whole frame of what has arrived: its type, and where its payload stands.
    fn take_frame(&mut self) -> Result<Option<(FrameType, Range<usize>)>, LinkError> {
        let arrived = &self.buffer[self.taken..self.filled];
        let Some(header) = arrived.first_chunk::<5>() else { return Ok(None) };
        let (kind, length) = frame::parse_header(*header).map_err(|error| LinkError::Foreign(error.to_string()))?;
        if arrived.len() < 5 + length {
            return Ok(None);
        }
        let start = self.taken + 5;
        self.taken = start + length;
        Ok(Some((kind, start..start + length)))
    }

    /// Makes room behind what has arrived and was not taken.
    fn make_room(&mut self) {
        if self.taken > 0 {
            self.buffer.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
    }
}
