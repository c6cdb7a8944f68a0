//! What a person sees of a run, drawn from events. Nothing else writes to the terminal while a run goes on.

use std::{
    io::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use testudo_core::run::Status;
use testudo_engine::{Audience, News};
use testudo_store::Folder;

use crate::args::{Output, View};

pub(crate) mod plan;
pub(crate) mod style;
pub(crate) mod words;

mod json;
mod plain;

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
    fn end(&mut self, ending: Ending) -> std::io::Result<()>;
    fn interrupt(&mut self, count: u32);
}

/// Shows one run, in the way that fits where it is shown.
pub(crate) struct Reporter {
    show: Mutex<Box<dyn Show>>,
    interrupts: AtomicU32,
}

/// The reporter for a run.
pub(crate) fn audience(view: &View, folder: Arc<Folder>) -> Arc<Reporter> {
    let show: Box<dyn Show> = match view.output {
        Output::Json => Box::new(json::Json),
        Output::Pretty => Box::new(plain::Plain::new(view.clone(), folder)),
    };
    Arc::new(Reporter { show: Mutex::new(show), interrupts: AtomicU32::new(0) })
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
        self.with(|show| show.end(ending))?;
        std::io::stdout().flush()
    }
}

impl Audience for Reporter {
    fn hear(&self, news: News<'_>) {
        self.with(|show| show.hear(news));
    }
}
