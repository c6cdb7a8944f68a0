//! Journal, blobs and catalog in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use testudo_core::{
    frame::{FamilySource, PackId},
    plan::{ArtifactFetch, Identity, Plan},
    run::{ChildRequest, Event, UnitKey},
};

use crate::{BlobError, Blobs, Catalog, Given, Journal, JournalError, Parent, Prepared};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A log that lasts as long as somebody holds it.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Vec<Event>>);

impl MemoryJournal {
    /// Everything so far.
    pub fn events(&self) -> Vec<Event> {
        lock(&self.0).clone()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn read(&self) -> Result<Vec<Event>, JournalError> {
        Ok(self.events())
    }

    async fn append(&self, offset: u64, events: &[Event]) -> Result<(), JournalError> {
        let mut log = lock(&self.0);
        let found = log.len() as u64;
        if found != offset {
            return Err(JournalError::Stale { expected: offset, found });
        }
        log.extend_from_slice(events);
        Ok(())
    }
}

/// Bytes that last as long as somebody holds them. A pack is one run of bytes; what is in it is not looked at.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    outputs: Mutex<BTreeMap<UnitKey, Vec<u8>>>,
    packs: Mutex<BTreeMap<PackId, Vec<u8>>>,
    /// Names under which outputs and packs are kept for people.
    artifacts: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryBlobs {
    /// What is kept of a unit's output.
    pub fn output(&self, unit: &UnitKey) -> Vec<u8> {
        lock(&self.outputs).get(unit).cloned().unwrap_or_default()
    }

    /// What is kept of a pack.
    pub fn pack(&self, pack: &PackId) -> Option<Vec<u8>> {
        lock(&self.packs).get(pack).cloned()
    }

    /// The names of what is kept for people.
    pub fn artifacts(&self) -> Vec<String> {
        lock(&self.artifacts).keys().cloned().collect()
    }
}

fn add(bytes: &mut Vec<u8>, offset: u64, more: &[u8], what: &str) -> Result<(), BlobError> {
    if bytes.len() as u64 != offset {
        return Err(BlobError { what: format!("{what} ends at {}, not at {offset}", bytes.len()), source: None });
    }
    bytes.extend_from_slice(more);
    Ok(())
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn output_length(&self, unit: &UnitKey) -> Result<u64, BlobError> {
        Ok(lock(&self.outputs).get(unit).map_or(0, |bytes| bytes.len() as u64))
    }

    async fn append_output(&self, unit: &UnitKey, offset: u64, bytes: &[u8]) -> Result<(), BlobError> {
        add(lock(&self.outputs).entry(unit.clone()).or_default(), offset, bytes, &unit.to_string())
    }

    async fn publish_output(&self, unit: &UnitKey, name: &str) -> Result<(), BlobError> {
        let output = self.output(unit);
        lock(&self.artifacts).insert(name.to_owned(), output);
        Ok(())
    }

    async fn pack_length(&self, pack: &PackId) -> Result<u64, BlobError> {
        Ok(lock(&self.packs).get(pack).map_or(0, |bytes| bytes.len() as u64))
    }

    async fn append_pack(&self, pack: &PackId, offset: u64, bytes: &[u8]) -> Result<(), BlobError> {
        add(lock(&self.packs).entry(pack.clone()).or_default(), offset, bytes, &pack.0)
    }

    async fn finish_pack(&self, pack: &PackId, digest: &str, artifacts: Option<&str>) -> Result<(), BlobError> {
        let bytes = self.pack(pack).unwrap_or_default();
        if digest_of(&bytes) != digest {
            return Err(BlobError { what: format!("{} is not what was packed", pack.0), source: None });
        }
        if let Some(prefix) = artifacts {
            lock(&self.artifacts).insert(format!("{prefix}{}", pack.0), bytes);
        }
        Ok(())
    }

    async fn read_pack(&self, pack: &PackId, from: u64, length: usize) -> Result<Vec<u8>, BlobError> {
        let bytes =
            self.pack(pack).ok_or_else(|| BlobError { what: format!("there is no {}", pack.0), source: None })?;
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes[from..bytes.len().min(from.saturating_add(length))].to_vec())
    }
}

/// The digest of a pack, as agents report it.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that is kept of one execution.
#[derive(Debug, Clone)]
pub struct Store {
    pub plan: Arc<Plan>,
    pub journal: Arc<MemoryJournal>,
    pub blobs: Arc<MemoryBlobs>,
}

impl Store {
    pub fn new(plan: Arc<Plan>) -> Self {
        Store { plan, journal: Arc::default(), blobs: Arc::default() }
    }
}

/// Plans an execution of a workflow by that name, or says why there is none.
pub type Planner = dyn Fn(&ChildRequest, Identity) -> Result<Plan, String> + Send + Sync;

/// Executions by id, made when they are first asked for.
pub struct MemoryCatalog {
    planner: Box<Planner>,
    stores: Mutex<BTreeMap<String, Store>>,
}

impl MemoryCatalog {
    pub fn new(planner: impl Fn(&ChildRequest, Identity) -> Result<Plan, String> + Send + Sync + 'static) -> Self {
        MemoryCatalog { planner: Box::new(planner), stores: Mutex::default() }
    }

    /// Adds an execution that nobody else started.
    pub fn adopt(&self, store: Store) {
        lock(&self.stores).insert(store.plan.execution.id.clone(), store);
    }

    /// Every execution so far.
    pub fn stores(&self) -> BTreeMap<String, Store> {
        lock(&self.stores).clone()
    }

    fn relative(&self, reader: &Identity, of: &str) -> Result<Store, String> {
        let found = lock(&self.stores).get(of).cloned();
        found
            .filter(|store| reader.may_read(&store.plan.execution))
            .ok_or_else(|| format!("{of} is none of the family of {}", reader.id))
    }

    /// Makes an execution, or finds it.
    pub fn store(&self, request: &ChildRequest, id: &str, parent: &Parent) -> Result<Store, String> {
        if let Some(known) = lock(&self.stores).get(id) {
            return Ok(known.clone());
        }
        let name = request.execution_name.clone().unwrap_or_else(|| id.to_owned());
        let parent = &parent.identity;
        let parents = parent.parents.iter().cloned().chain([parent.name.clone()]).collect();
        let ancestors = parent.ancestors.iter().cloned().chain([parent.id.clone()]).collect();
        let identity = Identity { id: id.to_owned(), name, parents, ancestors, ..Identity::default() };
        let store = Store::new(Arc::new((self.planner)(request, identity)?));
        self.adopt(store.clone());
        Ok(store)
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn prepare(&self, request: &ChildRequest, id: &str, parent: &Parent) -> Result<Prepared, String> {
        let Store { plan, journal, blobs } = self.store(request, id, parent)?;
        Ok(Prepared { plan, journal, blobs, given: Given { known: parent.known(), ..Given::default() } })
    }

    async fn read(
        &self,
        reader: &Identity,
        of: &str,
        what: &FamilySource,
        from: u64,
        length: usize,
    ) -> Result<Vec<u8>, String> {
        let store = self.relative(reader, of)?;
        let bytes = match what {
            FamilySource::Artifact(name) => lock(&store.blobs.artifacts).get(name).cloned(),
            FamilySource::Pack(pack) => store.blobs.pack(pack),
        };
        let bytes = bytes.ok_or_else(|| format!("{of} has no such thing"))?;
        Ok(bytes.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX)).take(length).collect())
    }

    async fn fetch(&self, reader: &Identity, of: &str, _: &ArtifactFetch, pack: &PackId) -> Result<u64, String> {
        // A pack is one run of bytes here: an artifact is one as it is.
        let artifact = lock(&self.relative(reader, of)?.blobs.artifacts).values().next().cloned();
        let Some(artifact) = artifact else { return Ok(0) };
        lock(&self.relative(reader, &reader.id)?.blobs.packs).insert(pack.clone(), artifact);
        Ok(1)
    }
}
