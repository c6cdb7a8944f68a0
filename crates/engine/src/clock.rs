//! What time it is for the engine: read here, so that a simulation can have a time of its own.

use jiff::Timestamp;
use tokio::time::Instant;

/// A clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Option<(Timestamp, Instant)>);

impl Clock {
    /// The machine's own.
    pub fn system() -> Self {
        Clock(None)
    }

    /// One that says `now` and from then on follows the runtime's time, which tests can hold and turn on.
    pub fn starting_at(now: Timestamp) -> Self {
        Clock(Some((now, Instant::now())))
    }

    /// What it says.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            None => Timestamp::now(),
            Some((start, since)) => start.saturating_add(since.elapsed()).unwrap_or(Timestamp::MAX),
        }
    }
}
