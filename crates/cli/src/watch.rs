//! `testudo watch`: a run that another testudo drives, shown from what that one writes down.
//!
//! The log says what happened and the kept outputs what was written, so a watcher needs nothing from the engine, sees
//! the run from its beginning, and goes on watching when another engine takes over.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use testudo_core::{
    frame::{Source, record},
    run::{Event, Execution, Status, UnitKey},
};
use testudo_engine::{Audience, News};
use testudo_store::{Folder, LogTail, State};

use crate::{
    args::WatchArgs,
    environment, exit,
    find::Absent,
    reporter::{self, Ending, Reporter},
};

/// How often it is looked for news.
const LOOK: Duration = Duration::from_millis(100);
/// How long a run may be without anybody who drives it: somebody may be about to.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is read of an output at once.
const PIECE: u64 = 1 << 18;

pub(crate) fn watch(args: &WatchArgs) -> anyhow::Result<u8> {
    let state = environment::state()?;
    let folder = Arc::new(state.find(args.execution.as_deref())?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(follow(&state, folder, &reporter_of(args)))
}

fn reporter_of(args: &WatchArgs) -> impl Fn(Arc<Folder>) -> Arc<Reporter> {
    let view = args.view.clone();
    move |folder| reporter::audience(&view, folder)
}

async fn follow(
    state: &State,
    folder: Arc<Folder>,
    reporter: &impl Fn(Arc<Folder>) -> Arc<Reporter>,
) -> anyhow::Result<u8> {
    let name = folder.meta.name.clone();
    let reporter = reporter(folder.clone());
    let mut watched = Watched { state, reporter: &reporter, runs: BTreeMap::new() };
    watched.begin(folder.clone())?;
    let mut driven = Instant::now();
    loop {
        // Looked at before its log is: what it wrote last is not missed.
        let is_driven = folder.is_driven();
        let ended = watched.look(&folder.meta.id)?;
        if let Some(status) = ended {
            reporter.end(Ending::Over(status))?;
            return Ok(if status == Status::Passed { exit::PASSED } else { exit::FAILED });
        }
        if is_driven {
            driven = Instant::now();
        } else if driven.elapsed() > PATIENCE {
            reporter.end(Ending::Lost)?;
            return Err(
                Absent(format!("{name} is lost: its testudo died; `testudo recover {name}` carries it on")).into()
            );
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => {
                reporter.end(Ending::Lost)?;
                anstream::eprintln!("{name} goes on; `testudo watch {name}` shows it again, `testudo cancel {name}` ends it");
                return Ok(exit::INTERRUPTED);
            }
        }
    }
}

/// A run and the executions that it starts, by id.
struct Watched<'a> {
    state: &'a State,
    reporter: &'a Reporter,
    runs: BTreeMap<String, Run>,
}

struct Run {
    folder: Arc<Folder>,
    execution: Execution,
    tail: LogTail,
    outputs: BTreeMap<UnitKey, Output>,
    /// The names of those that it waits for.
    behind: Vec<String>,
}

impl Watched<'_> {
    fn begin(&mut self, folder: Arc<Folder>) -> anyhow::Result<()> {
        let execution = Execution::replay(folder.plan.clone(), &[])?;
        self.reporter.hear(News::Events { execution: &execution, events: &[] });
        let tail = folder.tail();
        self.runs.insert(
            folder.meta.id.clone(),
            Run { folder, execution, tail, outputs: BTreeMap::new(), behind: Vec::new() },
        );
        Ok(())
    }

    /// Tells what is new of a run and of those below it; how it ended, once it has.
    fn look(&mut self, id: &str) -> anyhow::Result<Option<Status>> {
        let Some(mut run) = self.runs.remove(id) else { return Ok(None) };
        for event in run.tail.news()? {
            // What was written before stands before.
            if let Some((unit, until)) = about(&event) {
                run.tell_output(self.reporter, unit, until)?;
            }
            if let Event::ChildEnded { unit, step, attempt, index, .. } = &event
                && let Some(child) = run.execution.child(unit, *step, *attempt, *index)
            {
                self.look(&child)?;
                self.runs.remove(&child);
            }
            run.execution.apply(&event)?;
            self.reporter.hear(News::Events { execution: &run.execution, events: std::slice::from_ref(&event) });
            if let Event::ChildStarted { id, .. } = &event {
                self.begin(Arc::new(self.state.by_id(id)?))?;
            }
        }
        if run.execution.offset() == 0 {
            let behind = self.state.behind(run.execution.plan());
            if behind != run.behind && !behind.is_empty() {
                self.reporter.hear(News::Queued { execution: &run.execution, behind: &behind });
                run.behind = behind;
            }
        }
        for key in run.execution.units().map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            run.tell_output(self.reporter, &key, None)?;
        }
        for child in run.execution.children_under_way() {
            self.look(&child)?;
        }
        let ended = run.execution.ended().map(|(status, _)| status);
        self.runs.insert(id.to_owned(), run);
        Ok(ended)
    }
}

/// The unit that an event is about, and up to when its output comes before it.
fn about(event: &Event) -> Option<(&UnitKey, Option<Timestamp>)> {
    match event {
        Event::Reported { unit, at, .. } => Some((unit, Some(*at))),
        Event::Kept { unit, source: Source::Output, .. } => Some((unit, None)),
        _ => None,
    }
}

/// What has been told of a unit's output.
#[derive(Default)]
struct Output {
    file: Option<File>,
    /// Bytes that have been told.
    told: u64,
    /// Bytes behind those, read and not told.
    read: Vec<u8>,
}

impl Run {
    /// Tells what a unit wrote until a moment, or all that there is.
    fn tell_output(&mut self, reporter: &Reporter, unit: &UnitKey, until: Option<Timestamp>) -> io::Result<()> {
        let output = self.outputs.entry(unit.clone()).or_default();
        if output.file.is_none() {
            output.file = File::open(self.folder.output_path(unit)).ok();
        }
        let Some(file) = &mut output.file else { return Ok(()) };
        loop {
            let length = until_then(&output.read, until);
            if length > 0 {
                let (execution, offset) = (&*self.folder.meta.id, output.told);
                reporter.hear(News::Output { execution, unit, offset, records: &output.read[..length] });
                output.read.drain(..length);
                output.told += length as u64;
            }
            let whole = record::split(&output.read).is_some();
            // A whole record that was not told is too late, and so are those behind it.
            if whole || file.by_ref().take(PIECE).read_to_end(&mut output.read)? == 0 {
                return Ok(());
            }
        }
    }
}

/// How many bytes the whole records have that were written until a moment.
fn until_then(bytes: &[u8], until: Option<Timestamp>) -> usize {
    let latest = until.map_or(u64::MAX, |at| u64::try_from(at.as_nanosecond()).unwrap_or(0));
    let mut rest = bytes;
    while let Some((record, behind)) = record::split(rest) {
        if record.nanos > latest {
            break;
        }
        rest = behind;
    }
    bytes.len() - rest.len()
}
