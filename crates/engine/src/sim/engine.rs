//! Engines that die: a journal that ends its engine when the time has come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use testudo_core::{
    frame::{FamilySource, PackId},
    plan::{ArtifactFetch, Identity},
    run::{ChildRequest, Event},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{MemoryCatalog, MemoryJournal, Store};
use crate::{Catalog, Journal, JournalError, Parent, Prepared};

/// What befalls one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineFault {
    pub moment: Moment,
    pub how: EngineEnd,
    /// Until another engine takes over.
    pub gap: Duration,
}

/// When it befalls the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// When it would append for the n-th time, from 1, to any of its logs.
    Append(u64),
    After(Duration),
}

/// How an engine comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineEnd {
    /// It dies, and nothing of what it was about to write is written.
    Dies,
    /// It dies when so many of the events are written.
    DiesHaving(usize),
    /// It stands still for so long, while another takes over, and then wants to go on where it was.
    Stalls(Duration),
}

/// The lot of one engine, shared by its logs.
#[derive(Debug)]
pub(super) struct Lot {
    fault: Option<EngineFault>,
    begun: Instant,
    appends: AtomicU64,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Sound,
    Stalled(Instant),
    Dead,
}

impl Lot {
    pub(super) fn new(fault: Option<EngineFault>) -> Arc<Self> {
        let state = watch::channel(State::Sound).0;
        Arc::new(Lot { fault, begun: Instant::now(), appends: AtomicU64::new(0), state })
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The moment at which it ends whatever it does, if there is one.
    pub(super) async fn strike(&self) {
        if let Some(EngineFault { moment: Moment::After(time), how, .. }) = self.fault {
            sleep_until(self.begun + time).await;
            match how {
                EngineEnd::Stalls(time) => self.stall(time),
                EngineEnd::Dies | EngineEnd::DiesHaving(_) => self.die(),
            }
        }
        std::future::pending::<()>().await;
    }

    fn die(&self) {
        self.state.send_replace(State::Dead);
    }

    fn stall(&self, time: Duration) {
        let until = Instant::now() + time;
        self.state.send_if_modified(|state| {
            let sound = *state == State::Sound;
            *state = if sound { State::Stalled(until) } else { *state };
            sound
        });
    }

    async fn append(&self, journal: &MemoryJournal, offset: u64, events: &[Event]) -> Result<(), JournalError> {
        let number = self.appends.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(EngineFault { moment: Moment::Append(nth), how, .. }) = self.fault
            && nth == number
        {
            match how {
                EngineEnd::Dies => self.die(),
                EngineEnd::DiesHaving(written) => {
                    journal.append(offset, &events[..written.min(events.len())]).await?;
                    self.die();
                }
                EngineEnd::Stalls(time) => self.stall(time),
            }
        }
        let state = *self.state.borrow();
        match state {
            State::Sound => {}
            State::Stalled(until) => sleep_until(until).await,
            // Nothing follows: whoever drives it lets go.
            State::Dead => std::future::pending().await,
        }
        // A moment in which everything else may happen.
        tokio::task::yield_now().await;
        journal.append(offset, events).await
    }
}

/// A log as one engine writes it.
pub(super) struct LotJournal {
    pub(super) lot: Arc<Lot>,
    pub(super) journal: Arc<MemoryJournal>,
}

#[async_trait]
impl Journal for LotJournal {
    async fn read(&self) -> Result<Vec<Event>, JournalError> {
        self.journal.read().await
    }

    async fn append(&self, offset: u64, events: &[Event]) -> Result<(), JournalError> {
        self.lot.append(&self.journal, offset, events).await
    }
}

/// Child executions as one engine finds them.
pub(super) struct LotCatalog {
    pub(super) lot: Arc<Lot>,
    pub(super) catalog: Arc<MemoryCatalog>,
}

#[async_trait]
impl Catalog for LotCatalog {
    async fn prepare(&self, request: &ChildRequest, id: &str, parent: &Parent) -> Result<Prepared, String> {
        let Prepared { plan, blobs, given, .. } = self.catalog.prepare(request, id, parent).await?;
        let Store { journal, .. } = self.catalog.store(request, id, parent)?;
        let journal = Arc::new(LotJournal { lot: self.lot.clone(), journal });
        Ok(Prepared { plan, journal, blobs, given })
    }

    async fn read(
        &self,
        reader: &Identity,
        of: &str,
        what: &FamilySource,
        from: u64,
        length: usize,
    ) -> Result<Vec<u8>, String> {
        self.catalog.read(reader, of, what, from, length).await
    }

    async fn fetch(&self, reader: &Identity, of: &str, fetch: &ArtifactFetch, pack: &PackId) -> Result<u64, String> {
        self.catalog.fetch(reader, of, fetch, pack).await
    }
}
