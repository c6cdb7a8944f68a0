//! What an agent hears, and what it answers.

use testudo_core::{
    frame::{Answered, Ask as Reading, Down, Hello, MAX_READ, PROTOCOL, Source, Up},
    run::{Report, Told, Word},
};
use tokio::time::Instant;

use super::{Agent, Fall, Guest, Input, guest::Linked, work::Pull};
use crate::sim::memory::lock;

impl Agent {
    pub(super) fn welcome(&mut self, guest: Guest) {
        self.connections += 1;
        let link = Linked::open(self.connections, guest, self.sender.clone(), &mut self.tasks);
        let disk = lock(&self.disk);
        let (unit, life, seq) = (self.at.unit.to_string(), disk.life.clone(), disk.seq());
        link.say(Up::Hello(Hello { protocol: PROTOCOL, unit, life, seq }));
        self.links.insert(self.connections, link);
    }

    pub(super) fn hear(&mut self, input: Input) -> Result<(), Fall> {
        match input {
            Input::Unlinked(id) => {
                self.links.remove(&id);
            }
            Input::Down(id, down) => {
                self.last_heard = Instant::now();
                self.hear_down(id, *down)?;
            }
            Input::Data(read, bytes) => {
                if let Some(pull) = self.pulls.get_mut(&read) {
                    pull.bytes.extend(bytes);
                }
            }
            Input::Report(report) => self.report(*report)?,
            Input::Said => {}
            Input::Ended(activity, outcome) => {
                if self.is_current(activity) {
                    self.ended(outcome)?;
                }
            }
            Input::Pull(pull) => {
                self.next_read += 1;
                self.pulls.insert(self.next_read, pull);
                self.ask(self.next_read);
            }
            Input::Ready(activity) => {
                if self.is_current(activity) && !self.ready {
                    self.ready = true;
                    self.report(Report::Ready)?;
                }
            }
            Input::Late => self.is_late()?,
        }
        Ok(())
    }

    pub(super) fn is_current(&self, activity: u64) -> bool {
        self.activity.as_ref().is_some_and(|current| current.id == activity)
    }

    pub(super) fn hear_down(&mut self, id: u64, down: Down) -> Result<(), Fall> {
        match down {
            Down::Welcome { seq } => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.welcomed = true;
                    for report in lock(&self.disk).after(seq) {
                        link.say(Up::Report(report));
                    }
                }
                let reads: Vec<u64> = self.pulls.keys().copied().collect();
                for read in reads {
                    self.ask(read);
                }
            }
            Down::Word { id, word } => {
                let late = id.comes_late(&self.heard);
                if self.heard.insert(id.clone()) {
                    let heard = Report::Heard { word: id };
                    if late {
                        self.report(heard)?;
                    } else if let Word::Begin { .. } = word {
                        self.obey(word)?;
                        self.report(heard)?;
                    } else {
                        self.report(heard)?;
                        self.obey(word)?;
                    }
                }
            }
            Down::Answered(answered) => self.answered(&answered),
            Down::Ask(Reading::Read { read, source, from, length }) => self.answer(id, read, &source, from, length),
            // An engine has its own way to the family.
            Down::Ask(Reading::ReadFamily { .. }) | Down::Heartbeat => {}
        }
        Ok(())
    }

    pub(super) fn ask(&mut self, read: u64) {
        let Some(pull) = self.pulls.get(&read) else { return };
        let source = Source::Pack(pull.pack.clone());
        let (from, length) = (pull.bytes.len() as u64, MAX_READ);
        if let Some(link) = self.links.values().rev().find(|link| link.welcomed) {
            link.say(Up::Ask(Reading::Read { read, source, from, length }));
        }
    }

    pub(super) fn answered(&mut self, answered: &Answered) {
        let read = answered.read;
        if !answered.end && answered.error.is_none() {
            return self.ask(read);
        }
        if let Some(Pull { bytes, done, .. }) = self.pulls.remove(&read) {
            // An operation that was taken down reads no more.
            let _ = done.send(answered.error.clone().map_or(Ok(bytes), Err));
        }
    }

    pub(super) fn answer(&mut self, link: u64, read: u64, source: &Source, from: u64, length: u64) {
        let Some(link) = self.links.get_mut(&link) else { return };
        let disk = lock(&self.disk);
        let found = match source {
            Source::Output => Some((&disk.output, false)),
            Source::Pack(pack) => disk.packs.get(pack).map(|bytes| (bytes, true)),
        };
        let answered = match found {
            Some((bytes, whole)) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                let length = usize::try_from(length.min(MAX_READ)).unwrap_or(usize::MAX);
                let upto = bytes.len().min(from.saturating_add(length));
                link.send(read, bytes[from..upto].to_vec());
                if *source == Source::Output {
                    link.has_read(upto as u64);
                }
                Answered { read, end: whole && upto == bytes.len(), error: None }
            }
            None => Answered { read, end: true, error: Some("there is no such pack".to_owned()) },
        };
        link.say(Up::Answered(answered));
    }

    pub(super) fn tell(&mut self, step: usize, attempt: u32, told: Told) {
        if let (Told::Done { values, .. }, Some(run)) = (&told, &mut self.run) {
            for (name, value) in values {
                run.remember(name.clone(), value.clone());
            }
        }
        if let Some(activity) = &self.activity
            && (activity.step, activity.attempt) == (step, attempt)
        {
            // The operation may have ended on its own account.
            let _ = activity.told.send(told);
        }
    }
}
