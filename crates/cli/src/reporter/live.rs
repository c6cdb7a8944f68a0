//! A run on a terminal: what is over stands for good, what is under way is drawn again below it.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use testudo_core::{
    frame::Source,
    plan::Identity,
    run::{Event, Execution, Report, Status, UnitKey},
};
use testudo_engine::News;
use testudo_store::Folder;

use super::{
    BEAT, Ending, Show, end, header, naming,
    out::Out,
    rows,
    scene::Scene,
    screen::{Screen, Size},
    streams::{Meeting, Shape, Streams},
    style::Marks,
    tail::Tails,
};
use crate::{args::View, environment};

/// How long the line of a step that is over may still change: its last output is on its way.
const PATIENCE: Duration = Duration::from_millis(120);

pub(super) struct Live {
    folder: Arc<Folder>,
    view: View,
    marks: Marks,
    out: Out,
    screen: Screen,
    /// A fold of its own: it is drawn also when nothing is heard.
    execution: Execution,
    /// What is said of executions that wait for their turn, by id.
    queued: BTreeMap<String, String>,
    tails: Tails,
    /// How long services took to be ready.
    ready: BTreeMap<UnitKey, Duration>,
    /// Where `--log` asks for all output.
    streams: Option<Streams>,
    /// Steps whose lines stand for good, and since when others are over.
    printed: usize,
    over: BTreeMap<usize, Instant>,
    /// All of the run's own output has been heard.
    complete: bool,
    drawn: Instant,
    begun: Instant,
}

impl Live {
    /// Shows the header at once: whatever comes next may take its time.
    pub(super) fn new(view: View, folder: Arc<Folder>) -> Result<Self, testudo_core::run::Corrupt> {
        let marks = environment::marks();
        let execution = Execution::replay(folder.plan.clone(), &[])?;
        let mut out = Out::stdout();
        out.text(&header::text(&folder, marks, Size::now().columns - 1));
        out.flush();
        let streams = view.log.then(|| Streams::new(view.timestamps));
        let now = Instant::now();
        Ok(Live {
            folder,
            view,
            marks,
            out,
            screen: Screen::default(),
            execution,
            queued: BTreeMap::new(),
            tails: Tails::default(),
            ready: BTreeMap::new(),
            streams,
            printed: 0,
            over: BTreeMap::new(),
            complete: false,
            drawn: now.checked_sub(BEAT).unwrap_or(now),
            begun: now,
        })
    }

    fn events(&mut self, execution: &Execution, events: &[Event]) {
        let plan = execution.plan();
        if !events.is_empty() {
            self.queued.remove(&plan.execution.id);
        }
        if plan.execution.id != self.folder.meta.id {
            self.meet(execution, events);
            return;
        }
        for event in events {
            // The log that the engine believes fits its plan: it would have stopped before this.
            let _ = self.execution.apply(event);
            match event {
                Event::Reaped { unit, .. } if *unit != UnitKey::main() => self.tails.forget(unit),
                Event::Kept { unit, source: Source::Output, .. } => self.complete |= *unit == UnitKey::main(),
                Event::Reported { unit, report: Report::Ready, at, .. } => {
                    let met = self.execution.unit(unit).and_then(|known| known.met_at);
                    let after = rows::took((met, Some(*at)), *at);
                    self.ready.insert(unit.clone(), after.unwrap_or_default());
                }
                _ => {}
            }
        }
        self.meet(execution, events);
    }

    /// Gives units that were met a name in front of their lines.
    fn meet(&mut self, execution: &Execution, events: &[Event]) {
        let Some(streams) = &mut self.streams else { return };
        for event in events {
            let Event::Met { unit, .. } = event else { continue };
            let Some(plan) = execution.unit(unit).map(|known| known.run.plan()) else { continue };
            let prefix = naming::prefix(&self.folder.meta.id, execution, unit);
            let (shape, filter) = (Shape::Lines(prefix), naming::repeats(plan));
            let meeting = Meeting { shape, filter, lead: None, opener: None };
            streams.meet(&execution.plan().execution.id, unit, meeting);
        }
    }

    fn draw(&mut self, last: bool) {
        let size = Size::now();
        let scene = Scene {
            execution: &self.execution,
            tails: &self.tails,
            marks: self.marks,
            size,
            now: Timestamp::now(),
            beat: usize::try_from(self.begun.elapsed().as_millis() / BEAT.as_millis()).unwrap_or(0),
            log: self.view.log,
            ready: &self.ready,
        };
        let main = self.execution.unit(&UnitKey::main());
        let is_over = |step: usize| main.is_some_and(|main| main.run.status(step).is_final());
        let steps = scene.steps();
        let mut above = String::new();
        let mut below = Vec::new();
        for (at, step) in steps.iter().enumerate().skip(self.printed) {
            if !is_over(*step) {
                break;
            }
            let since = self.over.entry(*step).or_insert_with(Instant::now).elapsed();
            let lines = scene.finished(*step);
            // In order: what stands above stands for good.
            if below.is_empty() && (last || self.complete || since > PATIENCE) {
                self.printed = at + 1;
                above.extend(lines.iter().flat_map(|line| [line.as_str(), "\n"]));
            } else {
                below.extend(lines);
            }
        }
        if !last {
            // One that has not begun has nothing else to show.
            if !self.queued.contains_key(&self.folder.meta.id) {
                below.extend(scene.running());
            }
            let mark = self.marks.painted(Status::Queued, 0);
            below.extend(self.queued.values().map(|text| format!("{mark} {text}")));
            if self.execution.status() == Status::Paused {
                let text = header::paused(&self.execution, &self.folder.meta.name);
                below.push(format!("{} {text}", self.marks.painted(Status::Paused, 0)));
            }
        }
        // Never more than the window has: what scrolls off cannot be drawn again.
        below.truncate(size.rows.saturating_sub(1));
        self.screen.draw(&above, &below, size, &mut self.out);
        self.out.flush();
        self.drawn = Instant::now();
    }
}

impl Show for Live {
    fn hear(&mut self, news: News<'_>) {
        match news {
            News::Events { execution, events } => self.events(execution, events),
            News::Queued { execution, behind } => {
                let Identity { id, name, .. } = &execution.plan().execution;
                let whose = if *id == self.folder.meta.id { String::new() } else { format!("{name} ") };
                self.queued.insert(id.clone(), format!("{whose}{}", header::queued(behind)));
            }
            News::Output { execution, unit, records, .. } => {
                if let Some(streams) = &mut self.streams {
                    self.screen.clear(Size::now(), &mut self.out);
                    streams.output(execution, unit, records, &mut self.out);
                } else if execution == self.folder.meta.id {
                    self.tails.output(unit, records);
                }
            }
        }
        if self.drawn.elapsed() >= BEAT {
            self.draw(false);
        }
    }

    fn tick(&mut self) {
        self.draw(false);
    }

    fn end(&mut self, ending: Ending) -> io::Result<()> {
        if let Some(streams) = &mut self.streams {
            self.screen.clear(Size::now(), &mut self.out);
            streams.settle(true, &mut self.out);
        }
        self.draw(true);
        if let Ending::Over(_) = ending {
            let view = end::View {
                marks: self.marks,
                show_failures: self.view.show_failures,
                width: Size::now().columns.saturating_sub(1),
            };
            let text = end::of_folder(&self.folder, view)?;
            self.out.text(&format!("\n{text}"));
        }
        self.out.flush();
        Ok(())
    }

    fn interrupt(&mut self, count: u32) {
        let size = Size::now();
        let line = format!("{} {}", self.marks.painted(Status::Canceled, 0), header::interrupted(count));
        self.screen.draw(&line, &[], size, &mut self.out);
        self.draw(false);
    }
}
