//! The bytes between an agent and whoever asks it: one protocol for every runner.
//!
//! A frame is a length (u32, big endian, of what follows), a type byte and at most [`MAX_PAYLOAD`] bytes. Control
//! frames are JSON; data frames are raw. Reports and words are pushed; everything bulky is pulled with
//! [`Ask::Read`], so either end resumes wherever it stopped and no one is buried.

use serde::{Deserialize, Serialize};

use crate::run::{Report, Word, WordId};

/// Spoken in every hello; an engine refuses an agent of another version.
pub const PROTOCOL: u32 = 1;
/// Longest payload of one frame. Longer control messages travel as several parts.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// Most bytes one `Read` asks for, and so the most that are under way to one reader.
pub const MAX_READ: u64 = 1024 * 1024;

/// What kind of payload a frame has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// A part of a control message; more parts follow.
    Part,
    /// The last part of a control message.
    Control,
    /// Raw bytes that answer the read in their first eight bytes.
    Data,
}

impl FrameType {
    /// The byte on the wire.
    pub fn byte(self) -> u8 {
        match self {
            FrameType::Part => 0,
            FrameType::Control => 1,
            FrameType::Data => 2,
        }
    }

    /// The type a byte stands for.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(FrameType::Part),
            1 => Some(FrameType::Control),
            2 => Some(FrameType::Data),
            _ => None,
        }
    }
}

/// A frame's first five bytes.
pub fn header(kind: FrameType, payload: usize) -> [u8; 5] {
    let length = u32::try_from(payload + 1).unwrap_or(u32::MAX).to_be_bytes();
    [length[0], length[1], length[2], length[3], kind.byte()]
}

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// The other end speaks something else, or the stream is torn.
    #[error("a frame of {0} bytes is longer than the protocol allows")]
    TooLong(usize),
    /// A type byte nobody knows.
    #[error("a frame has the unknown type {0}")]
    UnknownType(u8),
}

/// Takes a header apart: the type and the length of the payload that follows.
pub fn parse_header(header: [u8; 5]) -> Result<(FrameType, usize), FrameError> {
    let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
    if length == 0 || length > MAX_PAYLOAD + 1 {
        return Err(FrameError::TooLong(length));
    }
    let kind = FrameType::from_byte(header[4]).ok_or(FrameError::UnknownType(header[4]))?;
    Ok((kind, length - 1))
}

/// Appends a control message to `out`, cut into as many frames as it needs.
pub fn encode<T: Serialize>(message: &T, out: &mut Vec<u8>) {
    let json = serde_json::to_vec(message).expect("control messages are plain data and always serialize");
    let mut rest = json.as_slice();
    while rest.len() > MAX_PAYLOAD {
        let (part, after) = rest.split_at(MAX_PAYLOAD);
        out.extend_from_slice(&header(FrameType::Part, part.len()));
        out.extend_from_slice(part);
        rest = after;
    }
    out.extend_from_slice(&header(FrameType::Control, rest.len()));
    out.extend_from_slice(rest);
}

/// Appends frames with `length` raw bytes that answer the read `read`, filled in by `fill` part by part: it is given
/// the part's place among the bytes. What was filled before a failure is left out with the rest.
pub fn encode_filled<E>(
    read: u64,
    length: usize,
    out: &mut Vec<u8>,
    mut fill: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let begin = out.len();
    let mut at = 0;
    while at < length {
        let part = (length - at).min(MAX_PAYLOAD - 8);
        out.extend_from_slice(&header(FrameType::Data, part + 8));
        out.extend_from_slice(&read.to_be_bytes());
        let start = out.len();
        out.resize(start + part, 0);
        if let Err(error) = fill(at, &mut out[start..]) {
            out.truncate(begin);
            return Err(error);
        }
        at += part;
    }
    Ok(())
}

/// Appends raw bytes that answer the read `read`.
pub fn encode_data(read: u64, bytes: &[u8], out: &mut Vec<u8>) {
    for part in bytes.chunks(MAX_PAYLOAD - 8) {
        out.extend_from_slice(&header(FrameType::Data, part.len() + 8));
        out.extend_from_slice(&read.to_be_bytes());
        out.extend_from_slice(part);
    }
}

/// A bundle of files named by its maker, immutable once it has been reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackId(pub String);

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Something that can be read from an offset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The records of a unit's output ([`record`]).
    Output,
    /// A pack: a tar stream.
    Pack(PackId),
}

/// What an agent says, upward.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Up {
    /// First on every connection.
    Hello(Hello),
    /// A numbered fact.
    Report(Numbered),
    /// Where the output stands: bytes up to here can be read.
    Output { length: u64 },
    /// The agent wants bytes that the engine keeps.
    Ask(Ask),
    /// An answer to the engine's read ended here.
    Answered(Answered),
    /// Nothing to say, but still there.
    Heartbeat,
}

/// What an engine says, downward.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Down {
    /// Answers a hello: reports after `seq` are wanted.
    Welcome { seq: u64 },
    /// Something to do; the agent journals it before obeying, and reports having heard it.
    Word { id: WordId, word: Word },
    /// The engine wants bytes of the unit.
    Ask(Ask),
    /// An answer to the agent's read ended here.
    Answered(Answered),
    /// Nothing to say, but still there.
    Heartbeat,
}

/// Who is speaking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub unit: String,
    /// Made at random by an agent that starts with an empty journal.
    pub life: String,
    /// The number of its last report; 0 when there is none.
    pub seq: u64,
}

/// A report as it stands in the agent's journal: numbered within one life, with the agent's own time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    pub seq: u64,
    pub at: jiff::Timestamp,
    pub report: Report,
}

/// A wish for bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ask {
    Read {
        read: u64,
        source: Source,
        from: u64,
        length: u64,
    },
    /// Only a unit asks this: for what an execution of its own family keeps.
    ReadFamily {
        read: u64,
        /// The execution's id.
        of: String,
        what: FamilySource,
        from: u64,
        length: u64,
    },
}

/// What executions of one family read of one another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FamilySource {
    /// One artifact by its name.
    Artifact(String),
    /// Files that were packed for executions that a step starts.
    Pack(PackId),
}

/// Begins the address under which an execution finds a pack of its family: `pack:<execution>/<pack>`.
const PACK_SCHEME: &str = "pack:";

/// The address of a pack that an execution keeps.
pub fn pack_url(execution: &str, pack: &PackId) -> String {
    format!("{PACK_SCHEME}{execution}/{}", pack.0)
}

/// The execution and the pack that an address is of; none if it leads elsewhere.
pub fn parse_pack_url(url: &str) -> Option<(&str, PackId)> {
    let (execution, pack) = url.strip_prefix(PACK_SCHEME)?.split_once('/')?;
    Some((execution, PackId(pack.to_owned())))
}

/// How a read ended; its data frames came before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    pub read: u64,
    /// Nothing will ever follow what was sent.
    pub end: bool,
    /// The source is not there (any more), in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

pub mod record {
    //! The records that output is kept in: a header, then the bytes a command wrote, as they came.
    //!
    //! The header is 16 bytes: the length of the bytes (u32), the step's number in the unit (u32), the time in
    //! nanoseconds since 1970 (u64), all big endian. A record cut short at the end of a file is not there yet.

    /// Length of a header.
    pub const HEADER: usize = 16;
    /// Most bytes in one record.
    pub const MAX: usize = 64 * 1024;
    /// The step number of what belongs to no step.
    pub const NO_STEP: u32 = u32::MAX;

    /// One record.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Record<'a> {
        pub step: u32,
        pub nanos: u64,
        pub bytes: &'a [u8],
    }

    /// Appends a record's header.
    pub fn header(step: u32, nanos: u64, length: usize) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        header[4..8].copy_from_slice(&step.to_be_bytes());
        header[8..].copy_from_slice(&nanos.to_be_bytes());
        header
    }

    /// The first record of `bytes` and what follows it, if it is whole.
    pub fn split(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let length = u32::from_be_bytes(header[..4].try_into().ok()?) as usize;
        let step = u32::from_be_bytes(header[4..8].try_into().ok()?);
        let nanos = u64::from_be_bytes(header[8..].try_into().ok()?);
        let (bytes, rest) = rest.split_at_checked(length)?;
        Some((Record { step, nanos, bytes }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_travels_in_parts_and_arrives_whole() {
        let text = "x".repeat(3 * MAX_PAYLOAD);
        let mut bytes = Vec::new();
        encode(&text, &mut bytes);
        let (mut joined, mut kinds, mut rest) = (Vec::new(), Vec::new(), bytes.as_slice());
        while !rest.is_empty() {
            let (kind, length) = parse_header(rest[..5].try_into().unwrap()).unwrap();
            kinds.push(kind);
            joined.extend_from_slice(&rest[5..5 + length]);
            rest = &rest[5 + length..];
        }
        assert_eq!(serde_json::from_slice::<String>(&joined).unwrap(), text);
        assert_eq!(kinds.last(), Some(&FrameType::Control));
        assert!(kinds[..kinds.len() - 1].iter().all(|kind| *kind == FrameType::Part));
    }

    #[test]
    fn a_frame_nobody_could_have_sent_is_refused() {
        assert_eq!(parse_header([0xff, 0, 0, 0, 1]), Err(FrameError::TooLong(0xff00_0000)));
        assert_eq!(parse_header([0, 0, 0, 1, 9]), Err(FrameError::UnknownType(9)));
    }

    #[test]
    fn a_record_cut_short_is_not_there_yet() {
        let mut bytes = record::header(3, 7, 5).to_vec();
        bytes.extend_from_slice(b"hell");
        assert_eq!(record::split(&bytes), None);
        bytes.push(b'o');
        let (record, rest) = record::split(&bytes).unwrap();
        assert_eq!((record.step, record.nanos, record.bytes, rest.len()), (3, 7, &b"hello"[..], 0));
    }
}
