//! A clock that stands still while the unit is paused.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// Time without pauses.
#[derive(Debug, Default)]
pub(super) struct Clock {
    paused: Duration,
    since: Option<Instant>,
    stands: watch::Sender<bool>,
}

/// The same time, for an operation that lets some of it pass.
#[derive(Debug, Clone)]
pub(crate) struct Pace(watch::Receiver<bool>);

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
        self.stands.send_replace(true);
    }

    pub(super) fn resume(&mut self) {
        if let Some(since) = self.since.take() {
            self.paused += since.elapsed();
        }
        self.stands.send_replace(false);
    }

    pub(super) fn pace(&self) -> Pace {
        Pace(self.stands.subscribe())
    }

    /// Whether a limit has struck.
    pub(super) fn is_over(&self, limit: Limit) -> bool {
        self.moment(limit).is_some_and(|moment| moment <= Instant::now())
    }

    /// When a limit strikes; never while the clock stands.
    pub(super) fn moment(&self, limit: Limit) -> Option<Instant> {
        self.since.is_none().then(|| limit.end + self.paused_so_far().saturating_sub(limit.paused))
    }

    fn paused_so_far(&self) -> Duration {
        self.paused + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Pace {
    /// Returns as soon as the clock does not stand still.
    pub(crate) async fn moves(&mut self) {
        // A clock that is gone moves no more, and nobody is left to care.
        let _ = self.0.wait_for(|stands| !stands).await;
    }

    /// Lets so much time pass, in which the clock may stand still.
    pub(crate) async fn pass(&mut self, mut length: Duration) {
        loop {
            self.moves().await;
            let begun = Instant::now();
            tokio::select! {
                biased;
                () = sleep(length) => return,
                changed = self.0.changed() => {
                    length = length.saturating_sub(begun.elapsed());
                    if changed.is_err() {
                        return sleep(length).await;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_waits_and_what_has_a_limit_waits_longer_by_every_pause() {
        let mut clock = Clock::default();
        let (limit, mut pace) = (clock.limit(Duration::from_secs(5)), clock.pace());
        let begun = Instant::now();
        let wait = async {
            pace.pass(Duration::from_secs(5)).await;
            begun.elapsed()
        };
        let people = async {
            for _ in 0..2 {
                sleep(Duration::from_secs(2)).await;
                clock.pause();
                sleep(Duration::from_secs(10)).await;
                assert_eq!(clock.moment(limit), None);
                clock.resume();
            }
            clock.moment(limit).map(|moment| moment - begun)
        };
        let (waited, limited) = tokio::join!(wait, people);
        assert_eq!((waited.as_secs(), limited.unwrap().as_secs()), (25, 25));
    }
}
