//! What the engine needs of the world.

use std::{collections::BTreeMap, io, sync::Arc};

use async_trait::async_trait;
use futures::stream::BoxStream;
use testudo_core::{
    expr::Value,
    frame::{FamilySource, PackId},
    plan::{ArtifactFetch, Identity, Plan, UnitPlan},
    run::{BlockRef, ChildRequest, Event, PARENT, RELATIVE, Status, UnitKey, veil},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A unit, as a place needs to know it.
#[derive(Debug, Clone)]
pub struct UnitSpec {
    pub execution: String,
    pub key: UnitKey,
    pub plan: Arc<UnitPlan>,
    /// Units that it can be made in one with.
    pub block: Option<BlockRef>,
    /// When it is reaped, what is left of it stays for people to look at, as long as the place keeps such things.
    pub leave: bool,
}

/// What a place knows of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// It is there; other units reach it at this address. `node`: the machine, where the place has several.
    Present { address: Option<String>, node: Option<String> },
    /// It is held up, and by what. `node`: where it will be, if that is settled.
    Waiting { reason: String, node: Option<String> },
    /// It is there, and its place takes it away: it has been told to end. Not said of what is reaped.
    Leaving { reason: String },
    /// It is gone, and why.
    Gone { reason: String },
    /// It is gone, and had ended by itself before.
    Ended { status: Status },
}

/// How a unit is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reap {
    /// It has been told to go: give it a moment.
    Gently,
    /// Whatever it is doing.
    Now,
}

/// Why a place could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// It will not, ever: do not ask again.
    #[error("{0}")]
    Refused(String),
    /// It cannot just now: ask again.
    #[error("the unit cannot be reached")]
    Unreachable(#[source] io::Error),
    /// The unit is not there any more.
    #[error("the unit is gone: {0}")]
    Gone(String),
}

/// A place where units live, which outlasts whoever talks to it. Everything may be asked again at any time, by a
/// process that has forgotten everything.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Makes sure the unit exists. Asking twice is asking once, also after it died: then it is seen as gone, and not
    /// made again before it is reaped.
    async fn ensure(&self, unit: &UnitSpec) -> Result<(), RunnerError>;
    /// What the place knows of the unit. Starts with how things stand now; ends after `Gone`.
    fn observe(&self, unit: &UnitSpec) -> BoxStream<'static, Sighting>;
    /// A stream to the unit's agent, as soon as it can be had. As often as asked; an old one may break at any time.
    async fn connect(&self, unit: &UnitSpec) -> Result<Box<dyn Duplex>, RunnerError>;
    /// Ends it and removes whatever is left of it. Nothing left is success.
    async fn reap(&self, unit: &UnitSpec, how: Reap) -> Result<(), RunnerError>;
}

/// Why a log could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody else has written: this engine is not the one any more.
    #[error("the log has {found} events where {expected} were expected: another engine is at work")]
    Stale { expected: u64, found: u64 },
    #[error("the log")]
    Io(#[from] io::Error),
    #[error("the log does not parse at event {offset}: {why}")]
    Corrupt { offset: u64, why: String },
}

/// An execution's log.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Everything so far.
    async fn read(&self) -> Result<Vec<Event>, JournalError>;
    /// Adds events where `offset` is the end; anything else is refused. Durable when it returns: the death of this
    /// process does not undo it.
    async fn append(&self, offset: u64, events: &[Event]) -> Result<(), JournalError>;
}

/// Why bytes could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct BlobError {
    pub what: String,
    #[source]
    pub source: Option<io::Error>,
}

/// Bytes of one execution that are kept.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// How much of a unit's output is kept.
    async fn output_length(&self, unit: &UnitKey) -> Result<u64, BlobError>;
    /// Adds to a unit's output; `offset` is where the kept part ends.
    async fn append_output(&self, unit: &UnitKey, offset: u64, bytes: &[u8]) -> Result<(), BlobError>;
    /// Makes a unit's whole output an artifact of this name.
    async fn publish_output(&self, unit: &UnitKey, name: &str) -> Result<(), BlobError>;
    /// How much of a pack is kept.
    async fn pack_length(&self, pack: &PackId) -> Result<u64, BlobError>;
    /// Adds to a pack.
    async fn append_pack(&self, pack: &PackId, offset: u64, bytes: &[u8]) -> Result<(), BlobError>;
    /// A pack is whole: checks its digest, and puts its files among the artifacts below a prefix if there is one.
    async fn finish_pack(&self, pack: &PackId, digest: &str, artifacts: Option<&str>) -> Result<(), BlobError>;
    /// Bytes of a pack; fewer than asked for are the last.
    async fn read_pack(&self, pack: &PackId, from: u64, length: usize) -> Result<Vec<u8>, BlobError>;
}

/// A child execution, ready to be driven.
pub struct Prepared {
    pub plan: Arc<Plan>,
    pub journal: Arc<dyn Journal>,
    pub blobs: Arc<dyn Blobs>,
    /// Its secrets, by reference.
    pub given: crate::Given,
}

/// The execution that starts another one.
#[derive(Debug, Clone)]
pub struct Parent {
    pub identity: Identity,
    /// What it has published so far.
    pub outputs: BTreeMap<String, String>,
}

impl Parent {
    /// What expressions of the child know of it, by name.
    pub fn known(&self) -> BTreeMap<String, Value> {
        let text = |text: &str| Value::from(text.to_owned());
        let outputs = Value::map(self.outputs.iter().map(|(key, value)| (key.as_str(), text(&veil::masked(value)))));
        let (id, name) = (text(&self.identity.id), text(&self.identity.name));
        let known = Value::map([("id", id), ("name", name), ("status", text("running")), ("outputs", outputs)]);
        BTreeMap::from([(format!("{RELATIVE}{PARENT}"), known)])
    }
}

/// Workflows that executions start, and what executions of one family read of one another.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Makes a child execution, or finds it: the same id gives the same execution. A refusal is the child's end.
    async fn prepare(&self, request: &ChildRequest, id: &str, parent: &Parent) -> Result<Prepared, String>;
    /// Bytes that an execution keeps; fewer than asked for are the last. Nobody may read outside of the family
    /// ([`Identity::may_read`]), nor an artifact that is longer than 1 MiB. A refusal says what there is.
    async fn read(
        &self,
        reader: &Identity,
        of: &str,
        what: &FamilySource,
        from: u64,
        length: usize,
    ) -> Result<Vec<u8>, String>;
    /// Packs artifacts of an execution for one of its family, who keeps the pack under this name: how many there are.
    /// Asking again makes it anew. No pack is made of nothing.
    async fn fetch(&self, reader: &Identity, of: &str, fetch: &ArtifactFetch, pack: &PackId) -> Result<u64, String>;
}
