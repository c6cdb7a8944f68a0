//! A clock that stands still while the unit is paused.

use std::time::Duration;

use tokio::time::Instant;

/// Time without pauses.
#[derive(Debug, Default)]
pub(super) struct Clock {
    paused: Duration,
    since: Option<Instant>,
}

/// A span of unpaused time, from when it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    end: Instant,
    paused: Duration,
}

impl Clock {
    pub(super) fn limit(&self, length: Duration) -> Limit {
        Limit { end: Instant::now() + length, paused: self.paused_so_far() }
    }

    pub(super) fn pause(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    pub(super) fn resume(&mut self) {
        if let Some(since) = self.since.take() {
            self.paused += since.elapsed();
        }
    }

    /// When a limit strikes; never while the clock stands.
    pub(super) fn moment(&self, limit: Limit) -> Option<Instant> {
        self.since.is_none().then(|| limit.end + self.paused_so_far().saturating_sub(limit.paused))
    }

    /// Whether a limit has struck.
    pub(super) fn is_over(&self, limit: Limit) -> bool {
        self.moment(limit).is_some_and(|moment| moment <= Instant::now())
    }

    fn paused_so_far(&self) -> Duration {
        self.paused + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}
