//! What a person sees of a run, drawn from events. Nothing else writes to the terminal while a run goes on.

use std::{
    io::IsTerminal,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use testudo_core::run::Status;
use testudo_engine::{Audience, News};
use testudo_store::Folder;

use crate::{
    args::{Output, View},
    environment,
};

pub(crate) mod fold;
pub(crate) mod plan;
pub(crate) mod style;
pub(crate) mod words;

mod end;
mod header;
mod json;
mod live;
mod naming;
mod out;
mod plain;
mod rows;
mod scene;
mod screen;
mod streams;
mod tail;
#[cfg(test)]
mod tests;
mod why;

/// How a run ended for whoever watched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Over(Status),
    /// This testudo let go of it.
    Lost,
}

/// A way to show a run.
trait Show: Send {
    fn hear(&mut self, news: News<'_>);
    /// A tenth of a second has passed.
    fn tick(&mut self);
    fn end(&mut self, ending: Ending) -> std::io::Result<()>;
    fn interrupt(&mut self, count: u32);
}

/// Shows one run, in the way that fits where it is shown.
pub(crate) struct Reporter {
    show: Mutex<Box<dyn Show>>,
    interrupts: AtomicU32,
    /// Nothing is shown any more.
    over: AtomicBool,
}

/// How often a view may change by itself: what moves faster is not read.
const BEAT: Duration = Duration::from_millis(100);

/// The reporter for a run.
pub(crate) fn audience(view: &View, folder: Arc<Folder>) -> Arc<Reporter> {
    let show: Box<dyn Show> = match view.output {
        Output::Json => Box::new(json::Json::new()),
        Output::Pretty if is_watched() => match live::Live::new(view.clone(), folder.clone()) {
            Ok(live) => Box::new(live),
            Err(_) => Box::new(plain::Plain::new(view.clone(), folder)),
        },
        Output::Pretty => Box::new(plain::Plain::new(view.clone(), folder)),
    };
    let reporter =
        Arc::new(Reporter { show: Mutex::new(show), interrupts: AtomicU32::new(0), over: AtomicBool::new(false) });
    // It holds the reporter by a weak hand, so it ends with it also where nobody says the end.
    let beaten = Arc::downgrade(&reporter);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(BEAT);
            match beaten.upgrade() {
                Some(reporter) if !reporter.over.load(Ordering::Relaxed) => {
                    reporter.with(|show| {
                        // The end may have come while this waited for its turn.
                        if !reporter.over.load(Ordering::Relaxed) {
                            show.tick();
                        }
                    });
                }
                _ => return,
            }
        }
    });
    reporter
}

/// Whether a person sits at a terminal that can be drawn on.
fn is_watched() -> bool {
    std::io::stdout().is_terminal() && !environment::is_dumb() && !environment::is_ci()
}

impl Reporter {
    fn with<T>(&self, then: impl FnOnce(&mut dyn Show) -> T) -> T {
        then(&mut **self.show.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A person pressed Ctrl-C, for the n-th time.
    pub(crate) fn interrupt(&self, count: u32) {
        self.interrupts.store(count, Ordering::Relaxed);
        self.with(|show| show.interrupt(count));
    }

    /// Whether a person did.
    pub(crate) fn interrupted(&self) -> bool {
        self.interrupts.load(Ordering::Relaxed) > 0
    }

    /// Says how it ended.
    pub(crate) fn end(&self, ending: Ending) -> std::io::Result<()> {
        self.with(|show| {
            self.over.store(true, Ordering::Relaxed);
            show.end(ending)
        })
    }
}

impl Audience for Reporter {
    fn hear(&self, news: News<'_>) {
        self.with(|show| show.hear(news));
    }
}
