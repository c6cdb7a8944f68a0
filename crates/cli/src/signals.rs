//! Ctrl-C and SIGTERM: once stops in order, twice kills.

use std::sync::Arc;

use testudo_engine::Control;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
};

use crate::{reporter::Reporter, run::interrupt};

/// Listens until the result is dropped.
pub(crate) fn listen(controls: mpsc::Sender<Control>, reporter: Arc<Reporter>) -> anyhow::Result<JoinSet<()>> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut count = 0;
        loop {
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = terminations.recv() => {}
            }
            count += 1;
            reporter.interrupt(count);
            if controls.send(interrupt(count)).await.is_err() {
                return;
            }
        }
    });
    Ok(tasks)
}
