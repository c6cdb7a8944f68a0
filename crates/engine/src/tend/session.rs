//! One connection to a unit's agent: what is wanted is said and read over it, what is heard goes to the loop.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use testudo_core::{
    frame::{Answered, Ask, Down, Hello, MAX_READ, PROTOCOL, Source, Up},
    run::{Event, Keep, ReapHow, Report, UnitKey, UnitWant, WordId},
};
use tokio::{sync::watch, time::Instant};

use super::{Ended, Shared};
use crate::{Frames, Link, LinkError, News};

/// What is asked for at once; [`MAX_READ`] is under way at most.
const PIECE: u64 = MAX_READ / 4;
/// Heartbeats to the unit.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Silence after which a connection is given up.
const SILENCE: Duration = Duration::from_mins(1);

/// A read that is under way.
struct Reading {
    source: Source,
    at: u64,
    /// Up to where it has been asked for, in so many pieces that are not answered yet.
    asked: u64,
    under_way: u32,
    /// Where it ends, as far as that is known.
    end: u64,
    digest: String,
    artifacts: Option<String>,
}

impl Reading {
    /// The next piece to ask for, unless enough is under way.
    fn next_piece(&mut self, read: u64) -> Option<Ask> {
        if self.asked >= self.end || self.asked - self.at + PIECE > MAX_READ {
            return None;
        }
        let length = PIECE.min(self.end - self.asked);
        let ask = Ask::Read { read, source: self.source.clone(), from: self.asked, length };
        self.asked += length;
        self.under_way += 1;
        Some(ask)
    }
}

pub(super) struct Session<'a> {
    shared: &'a Shared,
    key: &'a UnitKey,
    address: Option<String>,
    link: Link,
    sent: BTreeSet<WordId>,
    /// Reads by their number.
    reads: BTreeMap<u64, Reading>,
    next_read: u64,
    keeping: BTreeSet<Source>,
    /// Kept and to be said so, once everything before it is.
    output_said: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        key: &'a UnitKey,
        address: Option<String>,
        stream: Box<dyn crate::Duplex>,
    ) -> Self {
        Session {
            shared,
            key,
            address,
            link: Link::new(stream),
            sent: BTreeSet::new(),
            reads: BTreeMap::new(),
            next_read: 0,
            keeping: BTreeSet::new(),
            output_said: false,
        }
    }

    pub(super) async fn run(&mut self, wants: &mut watch::Receiver<Arc<UnitWant>>) -> Ended {
        match self.serve(wants).await {
            Ok(ended) => ended,
            Err(_) => Ended::Broken,
        }
    }

    async fn serve(&mut self, wants: &mut watch::Receiver<Arc<UnitWant>>) -> Result<Ended, LinkError> {
        let first = tokio::time::timeout(SILENCE, self.link.next::<Up>()).await;
        let Ok(Frames::Control(Up::Hello(hello))) = first.map_err(|_| silent())? else {
            return Err(LinkError::Foreign("it did not say hello".to_owned()));
        };
        if hello.protocol != PROTOCOL || hello.unit != self.key.to_string() {
            return Ok(Ended::Stranger);
        }
        if let Some(ended) = self.meet(&hello, wants).await {
            return Ok(ended);
        }
        let want = wants.borrow_and_update().clone();
        say(&mut self.link, &Down::Welcome { seq: want.seq }).await?;
        let kept = self.shared.blobs.output_length(self.key).await.map_err(|error| broken(&error))?;
        self.read_output(kept).await?;
        self.follow(&want).await?;
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.reset();
        let mut patience = Instant::now() + SILENCE;
        loop {
            let reap = wants.borrow().reap;
            if let Some(how) = reap {
                if how == ReapHow::Gently {
                    let want = wants.borrow().clone();
                    self.follow(&want).await?;
                }
                return Ok(Ended::Reap);
            }
            tokio::select! {
                biased;
                _ = beat.tick() => say(&mut self.link, &Down::Heartbeat).await?,
                changed = wants.changed() => {
                    if changed.is_err() {
                        return Ok(Ended::Over);
                    }
                    let want = wants.borrow_and_update().clone();
                    self.follow(&want).await?;
                }
                heard = tokio::time::timeout_at(patience, self.link.next::<Up>()) => {
                    let heard = heard.map_err(|_| silent())??;
                    patience = Instant::now() + SILENCE;
                    if !self.hear(heard, &hello.life, wants).await? {
                        return Ok(Ended::Over);
                    }
                }
            }
        }
    }

    /// Has the life written down before anything is asked of it.
    async fn meet(&mut self, hello: &Hello, wants: &mut watch::Receiver<Arc<UnitWant>>) -> Option<Ended> {
        if wants.borrow().life.is_none() {
            let met = Event::Met {
                unit: self.key.clone(),
                life: hello.life.clone(),
                address: self.address.clone(),
                at: self.shared.clock.now(),
            };
            if self.shared.inbox.send(met).await.is_err() {
                return Some(Ended::Over);
            }
            while wants.borrow_and_update().life.is_none() {
                if wants.borrow().reap.is_some() {
                    return Some(Ended::Reap);
                }
                if wants.changed().await.is_err() {
                    return Some(Ended::Over);
                }
            }
        }
        (wants.borrow().life.as_deref() != Some(&hello.life)).then_some(Ended::Stranger)
    }

    /// Says and reads what is wanted and has not been said or read on this connection.
    async fn follow(&mut self, want: &UnitWant) -> Result<(), LinkError> {
        for (id, word) in &want.words {
            if self.sent.insert(id.clone()) {
                let word = self.shared.given.complete(word.clone(), self.address.clone());
                say(&mut self.link, &Down::Word { id: id.clone(), word }).await?;
            }
        }
        for keep in &want.keep {
            if self.keeping.insert(keep.source()) {
                self.read_pack(keep).await?;
            }
        }
        if let Some(end) = want.output_end {
            self.output_is_whole(end).await?;
        }
        Ok(())
    }

    async fn read_pack(&mut self, keep: &Keep) -> Result<(), LinkError> {
        let at = self.shared.blobs.pack_length(&keep.pack).await.map_err(|error| broken(&error))?;
        let Keep { length, digest, artifacts, .. } = keep.clone();
        self.next_read += 1;
        let read = self.next_read;
        self.reads.insert(
            read,
            Reading { source: keep.source(), at, asked: at, under_way: 0, end: length, digest, artifacts },
        );
        self.go_on(read).await
    }

    /// From here on what the output grows by is read. A read of nothing says where this side stands: an agent announces
    /// only to a reader that has caught up, and one that has everything would ask for nothing.
    async fn read_output(&mut self, kept: u64) -> Result<(), LinkError> {
        self.next_read += 1;
        let reading = Reading {
            source: Source::Output,
            at: kept,
            asked: kept,
            under_way: 1,
            end: kept,
            digest: String::new(),
            artifacts: None,
        };
        self.reads.insert(self.next_read, reading);
        let ask = Ask::Read { read: self.next_read, source: Source::Output, from: kept, length: 0 };
        say(&mut self.link, &Down::Ask(ask)).await
    }

    /// Asks for the next piece, or finishes.
    async fn go_on(&mut self, read: u64) -> Result<(), LinkError> {
        // Several pieces are under way, so that neither end waits for the other.
        while let Some(ask) = self.reads.get_mut(&read).and_then(|reading| reading.next_piece(read)) {
            say(&mut self.link, &Down::Ask(ask)).await?;
        }
        let Some(reading) = self.reads.get(&read) else { return Ok(()) };
        if reading.at < reading.end {
            return Ok(());
        }
        if let Source::Pack(pack) = &reading.source {
            let kept = self.shared.blobs.finish_pack(pack, &reading.digest, reading.artifacts.as_deref()).await;
            let event = Event::Kept {
                unit: self.key.clone(),
                source: reading.source.clone(),
                length: reading.end,
                digest: reading.digest.clone(),
                error: kept.err().map(|error| describe(&error)),
            };
            self.reads.remove(&read);
            let _ = self.shared.inbox.send(event).await;
        }
        Ok(())
    }

    fn output(&mut self) -> Option<(u64, &mut Reading)> {
        self.reads.iter_mut().find(|(_, reading)| reading.source == Source::Output).map(|(read, one)| (*read, one))
    }

    /// The output ends at `end`; says so once all of it is here.
    async fn output_is_whole(&mut self, end: u64) -> Result<(), LinkError> {
        let Some((read, reading)) = self.output() else { return Ok(()) };
        if reading.at >= end {
            if !self.output_said {
                self.output_said = true;
                let event = Event::Kept {
                    unit: self.key.clone(),
                    source: Source::Output,
                    length: end,
                    digest: String::new(),
                    error: None,
                };
                let _ = self.shared.inbox.send(event).await;
            }
        } else if reading.end < end {
            reading.end = end;
            self.go_on(read).await?;
        }
        Ok(())
    }

    /// Takes in what the unit said; whether there is still an engine to tell.
    async fn hear(
        &mut self,
        heard: Frames<Up>,
        life: &str,
        wants: &watch::Receiver<Arc<UnitWant>>,
    ) -> Result<bool, LinkError> {
        match heard {
            Frames::Control(Up::Report(numbered)) => {
                let event = Event::Reported {
                    unit: self.key.clone(),
                    life: life.to_owned(),
                    seq: numbered.seq,
                    at: numbered.at,
                    report: numbered.report,
                };
                if let Event::Reported { report: Report::Over { output, .. }, .. } = &event {
                    let end = *output;
                    if self.shared.inbox.send(event).await.is_err() {
                        return Ok(false);
                    }
                    self.output_is_whole(end).await?;
                    return Ok(true);
                }
                return Ok(self.shared.inbox.send(event).await.is_ok());
            }
            Frames::Control(Up::Output { length }) => {
                if let Some((read, reading)) = self.output() {
                    reading.end = reading.end.max(length);
                    self.go_on(read).await?;
                }
            }
            Frames::Control(Up::Ask(Ask::Read { read, source, from, length })) => {
                self.answer(read, &source, from, length).await?;
            }
            Frames::Control(Up::Ask(Ask::ReadFamily { read, of, what, from, length })) => {
                let length = piece(length);
                let found = self.shared.catalog.read(&self.shared.execution, &of, &what, from, length).await;
                self.send(read, found, length).await?;
            }
            Frames::Control(Up::Answered(answered)) => self.answered(&answered, wants).await?,
            Frames::Data(read, bytes) => self.take(read, &bytes).await?,
            Frames::Control(Up::Heartbeat | Up::Hello(_)) => {}
        }
        Ok(true)
    }

    async fn take(&mut self, read: u64, bytes: &[u8]) -> Result<(), LinkError> {
        let Some(reading) = self.reads.get_mut(&read).filter(|_| !bytes.is_empty()) else { return Ok(()) };
        match &reading.source {
            Source::Output => {
                self.shared.blobs.append_output(self.key, reading.at, bytes).await.map_err(|error| broken(&error))?;
                self.shared.audience.hear(News::Output {
                    execution: &self.shared.execution.id,
                    unit: self.key,
                    offset: reading.at,
                    records: bytes,
                });
            }
            Source::Pack(pack) => {
                if let Err(error) = self.shared.blobs.append_pack(pack, reading.at, bytes).await {
                    let length = self.shared.blobs.pack_length(pack).await.map_err(|error| broken(&error))?;
                    if length != reading.at {
                        // Somebody else keeps it too: what this engine is worth shows when it next writes to the log.
                        return Err(broken(&error));
                    }
                    let event = Event::Kept {
                        unit: self.key.clone(),
                        source: reading.source.clone(),
                        length: reading.at,
                        digest: String::new(),
                        error: Some(describe(&error)),
                    };
                    self.reads.remove(&read);
                    let _ = self.shared.inbox.send(event).await;
                    return Ok(());
                }
            }
        }
        reading.at += bytes.len() as u64;
        Ok(())
    }

    async fn answered(&mut self, answered: &Answered, wants: &watch::Receiver<Arc<UnitWant>>) -> Result<(), LinkError> {
        let Some(reading) = self.reads.get_mut(&answered.read) else { return Ok(()) };
        if let Some(error) = &answered.error {
            let event = Event::Kept {
                unit: self.key.clone(),
                source: reading.source.clone(),
                length: reading.at,
                digest: String::new(),
                error: Some(error.clone()),
            };
            self.reads.remove(&answered.read);
            let _ = self.shared.inbox.send(event).await;
            return Ok(());
        }
        reading.under_way = reading.under_way.saturating_sub(1);
        if reading.under_way == 0 {
            // Whoever had less than was asked for is asked again.
            reading.asked = reading.at;
        }
        self.go_on(answered.read).await?;
        let end = wants.borrow().output_end;
        if let Some(end) = end {
            self.output_is_whole(end).await?;
        }
        Ok(())
    }

    /// The unit reads a pack that this side keeps.
    async fn answer(&mut self, read: u64, source: &Source, from: u64, length: u64) -> Result<(), LinkError> {
        let length = piece(length);
        let found = match source {
            Source::Pack(pack) => {
                self.shared.blobs.read_pack(pack, from, length).await.map_err(|error| describe(&error))
            }
            Source::Output => Err("the engine has no output".to_owned()),
        };
        self.send(read, found, length).await
    }

    async fn send(&mut self, read: u64, found: Result<Vec<u8>, String>, length: usize) -> Result<(), LinkError> {
        let answered = match found {
            Ok(bytes) => {
                tokio::time::timeout(SILENCE, self.link.send(read, &bytes)).await.map_err(|_| silent())??;
                Answered { read, end: bytes.len() < length, error: None }
            }
            Err(error) => Answered { read, end: true, error: Some(error) },
        };
        say(&mut self.link, &Down::Answered(answered)).await
    }
}

/// How much of what is asked for is sent at once.
fn piece(length: u64) -> usize {
    usize::try_from(length.min(MAX_READ)).unwrap_or(usize::MAX)
}

/// Says something to somebody who may have stopped listening.
async fn say(link: &mut Link, down: &Down) -> Result<(), LinkError> {
    tokio::time::timeout(SILENCE, link.say(down)).await.map_err(|_| silent())?
}

fn silent() -> LinkError {
    LinkError::Broken(std::io::ErrorKind::TimedOut.into())
}

fn broken(error: &crate::BlobError) -> LinkError {
    LinkError::Foreign(describe(error))
}

fn describe(error: &crate::BlobError) -> String {
    match &error.source {
        Some(source) => format!("{}: {source}", error.what),
        None => error.what.clone(),
    }
}
