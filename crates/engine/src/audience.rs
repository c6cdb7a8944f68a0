//! Whoever listens to a run. Told last: after it is durable and believed.

use testudo_core::run::{Event, Execution, UnitKey};

/// Something to listen to.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// Facts, and the execution they led to.
    Events { execution: &'a Execution, events: &'a [Event] },
    /// An execution that has not begun waits for others: their names, each time that they are different.
    Queued { execution: &'a Execution, behind: &'a [String] },
    /// Records of a unit's output, at this offset of it. A record may be cut; the rest follows.
    Output { execution: &'a str, unit: &'a UnitKey, offset: u64, records: &'a [u8] },
}

/// Hears news, in order, and must not take long about it: the run waits.
pub trait Audience: Send + Sync {
    fn hear(&self, news: News<'_>);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Audience for Silent {
    fn hear(&self, _: News<'_>) {}
}
