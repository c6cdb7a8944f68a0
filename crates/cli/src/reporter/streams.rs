//! What commands write, as it comes: whole chunks where one unit writes alone, prefixed lines where several may.
//!
//! A unit's events and its output travel apart. Each record names its step, so a line about a step waits here for the
//! output it belongs before or behind, for a moment.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use testudo_core::{
    frame::record::{self, Record},
    run::UnitKey,
};
use testudo_store::stamp;

use super::out::Out;

/// How long a line about a step waits for output that may still be on its way.
const PATIENCE: Duration = Duration::from_millis(150);
/// The same where something is sure to come.
const LONG_PATIENCE: Duration = Duration::from_secs(2);
/// A line longer than this is broken: somebody writes no line ends at all.
const LONGEST: usize = 1 << 20;

/// Where a line about a unit belongs among its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Before what the step writes.
    Opens(u32),
    /// Behind everything written so far.
    Behind,
    /// Behind everything that the unit ever writes.
    Last,
}

/// How a unit's output is shown.
pub(super) enum Shape {
    /// As it comes: nobody else writes.
    Chunks,
    /// Line by line, behind this prefix.
    Lines(String),
}

/// Says whether a line of a step is worth showing.
pub(super) type Filter = Box<dyn Fn(u32, &[u8]) -> bool + Send>;

/// The line that a step of a unit opens with, at a time in nanoseconds.
pub(super) type Opener = Box<dyn Fn(u32, u64) -> Option<String> + Send>;

/// How a unit is shown.
pub(super) struct Meeting {
    pub(super) shape: Shape,
    pub(super) filter: Option<Filter>,
    /// The first line about it.
    pub(super) lead: Option<String>,
    pub(super) opener: Option<Opener>,
}

/// The outputs of all units.
pub(super) struct Streams {
    units: BTreeMap<String, BTreeMap<UnitKey, Stream>>,
    page: Page,
    /// Lines about units that have come.
    lines: u64,
}

/// Where the outputs meet.
struct Page {
    timestamps: bool,
    /// A line has begun that has not ended.
    open: bool,
}

impl Page {
    fn fresh_line(&mut self, out: &mut Out) {
        if std::mem::take(&mut self.open) {
            out.raw(b"\n");
        }
    }
}

/// The output of one unit.
#[derive(Default)]
struct Stream {
    chunks: bool,
    prefix: Vec<u8>,
    filter: Option<Filter>,
    lead: Option<String>,
    opener: Option<Opener>,
    /// Steps that have opened, or wait for it.
    opened: BTreeSet<u32>,
    /// A record that has not wholly come, or whose step has not been told to begin.
    rest: Vec<u8>,
    held: bool,
    /// A line that has not wholly come, and the time of its first byte.
    line: Vec<u8>,
    nanos: u64,
    /// Lines about the unit that wait for their place.
    waiting: VecDeque<Waiting>,
    /// When something last came.
    last: Option<Instant>,
}

struct Waiting {
    place: Place,
    text: String,
    /// Lines about different units keep the order they came in, as far as output does not part them.
    number: u64,
}

impl Streams {
    pub(super) fn new(timestamps: bool) -> Self {
        Streams { units: BTreeMap::new(), page: Page { timestamps, open: false }, lines: 0 }
    }

    /// Gets to know a unit, before anything of it is shown.
    pub(super) fn meet(&mut self, run: &str, unit: &UnitKey, meeting: Meeting) {
        let Meeting { shape, filter, lead, opener } = meeting;
        let timestamps = self.page.timestamps;
        let stream = find(&mut self.units, run, unit);
        stream.chunks = matches!(shape, Shape::Chunks) && !timestamps;
        stream.prefix = match shape {
            Shape::Chunks => Vec::new(),
            Shape::Lines(prefix) => prefix.into_bytes(),
        };
        stream.filter = filter;
        stream.lead = lead;
        stream.opener = opener;
    }

    /// More is known of what its lines start with, if that has not been told yet.
    pub(super) fn lead(&mut self, run: &str, unit: &UnitKey, lead: String) {
        if let Some(untold) = &mut find(&mut self.units, run, unit).lead {
            *untold = lead;
        }
    }

    /// A unit has begun. What it writes may have told so before.
    pub(super) fn begin(&mut self, run: &str, unit: &UnitKey, out: &mut Out) {
        if let Some(lead) = find(&mut self.units, run, unit).lead.take() {
            self.line(run, unit, Place::Behind, lead, out);
        }
    }

    /// A step has begun. What it writes may have told so before.
    pub(super) fn open(&mut self, run: &str, unit: &UnitKey, step: u32, nanos: u64, out: &mut Out) {
        let stream = find(&mut self.units, run, unit);
        if let Some(text) = stream.opening(step, nanos) {
            self.line(run, unit, Place::Opens(step), text, out);
        }
        let stream = find(&mut self.units, run, unit);
        if stream.held {
            stream.take_held(Some(step), &mut self.page, out);
        }
    }

    /// A line about a unit; it waits for its place.
    pub(super) fn line(&mut self, run: &str, unit: &UnitKey, place: Place, text: String, out: &mut Out) {
        let others = self.all().any(|stream| !stream.waiting.is_empty());
        self.lines += 1;
        let number = self.lines;
        let stream = find(&mut self.units, run, unit);
        stream.waiting.push_back(Waiting { place, text, number });
        if stream.last.is_none() && !others {
            // The unit has written nothing, so nothing can be on its way behind which this belongs.
            stream.release(None, &mut self.page, out);
        }
        stream.last = Some(Instant::now());
    }

    /// Output of a unit.
    pub(super) fn output(&mut self, run: &str, unit: &UnitKey, records: &[u8], out: &mut Out) {
        let stream = find(&mut self.units, run, unit);
        stream.last = Some(Instant::now());
        let mut rest = std::mem::take(&mut stream.rest);
        if rest.is_empty() {
            rest.extend_from_slice(stream.take(records, &mut self.page, out));
        } else {
            rest.extend_from_slice(records);
            let left = stream.take(&rest, &mut self.page, out).len();
            rest.drain(..rest.len() - left);
        }
        stream.rest = rest;
    }

    /// Nothing more will come of a unit: everything it has is shown.
    pub(super) fn finish(&mut self, run: &str, unit: &UnitKey, out: &mut Out) {
        let stream = find(&mut self.units, run, unit);
        stream.take_held(None, &mut self.page, out);
        stream.release(None, &mut self.page, out);
        stream.end_line(&mut self.page, out);
    }

    /// Shows lines that have waited long enough; all of them where that is asked.
    pub(super) fn settle(&mut self, all: bool, out: &mut Out) {
        for stream in self.units.values_mut().flat_map(BTreeMap::values_mut) {
            if stream.held && (all || stream.last.is_none_or(|last| last.elapsed() > LONG_PATIENCE)) {
                stream.take_held(None, &mut self.page, out);
            }
        }
        let patience = |stream: &Stream| match stream.waiting.front() {
            Some(Waiting { place: Place::Last, .. }) => LONG_PATIENCE,
            _ => PATIENCE,
        };
        let is_due = |stream: &Stream| all || stream.last.is_none_or(|last| last.elapsed() > patience(stream));
        let next = |stream: &&mut Stream| stream.waiting.front().map_or(u64::MAX, |line| line.number);
        loop {
            let due = self.units.values_mut().flat_map(BTreeMap::values_mut);
            let due = due.filter(|stream| !stream.waiting.is_empty() && is_due(stream));
            let Some(stream) = due.min_by_key(next) else { break };
            stream.release_one(&mut self.page, out);
        }
        if all {
            for stream in self.units.values_mut().flat_map(BTreeMap::values_mut) {
                stream.end_line(&mut self.page, out);
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Stream> {
        self.units.values().flat_map(BTreeMap::values)
    }

    /// What follows starts on a line of its own.
    pub(super) fn fresh_line(&mut self, out: &mut Out) {
        self.page.fresh_line(out);
    }
}

/// The stream of a unit. Nothing is allocated where it is known, which is nearly always.
fn find<'a>(units: &'a mut BTreeMap<String, BTreeMap<UnitKey, Stream>>, run: &str, unit: &UnitKey) -> &'a mut Stream {
    if !units.get(run).is_some_and(|units| units.contains_key(unit)) {
        units.entry(run.to_owned()).or_default().insert(unit.clone(), Stream::default());
    }
    units.get_mut(run).and_then(|units| units.get_mut(unit)).expect("it was put there where it was missing")
}

impl Stream {
    /// Shows whole records; what is left of the bytes is returned.
    fn take<'a>(&mut self, records: &'a [u8], page: &mut Page, out: &mut Out) -> &'a [u8] {
        let mut at = records;
        self.held = false;
        while let Some((one, after)) = record::split(at) {
            if self.opener.is_some() && one.step != record::NO_STEP && !self.opened.contains(&one.step) {
                // Output is faster than events now and then: this waits for the end of the step before, too.
                self.held = true;
                return at;
            }
            at = after;
            if let Some(lead) = self.lead.take() {
                self.release(None, page, out);
                page.fresh_line(out);
                out.text(&lead);
            }
            if self.waiting.iter().any(|line| line.place == Place::Opens(one.step)) {
                self.release(Some(one.step), page, out);
            }
            if self.chunks {
                out.raw(one.bytes);
                page.open = one.bytes.last().map_or(page.open, |last| *last != b'\n');
            } else {
                self.show_lines(one, page, out);
            }
        }
        at
    }

    /// Shows what was held: of all steps, or of those up to one that was told to begin. Steps begin in their order, so
    /// those before it that were never told will not be.
    fn take_held(&mut self, until: Option<u32>, page: &mut Page, out: &mut Out) {
        while self.held {
            let rest = std::mem::take(&mut self.rest);
            let Some((one, _)) = record::split(&rest) else {
                self.rest = rest;
                break;
            };
            if until.is_some_and(|step| one.step > step) {
                self.rest = rest;
                break;
            }
            if let Some(text) = self.opening(one.step, one.nanos) {
                self.release(None, page, out);
                page.fresh_line(out);
                out.text(&text);
            }
            let left = self.take(&rest, page, out).len();
            self.rest.extend_from_slice(&rest[rest.len() - left..]);
        }
    }

    /// The line that a step opens with, once.
    fn opening(&mut self, step: u32, nanos: u64) -> Option<String> {
        if self.opened.insert(step) { self.opener.as_ref()?(step, nanos) } else { None }
    }

    fn show_lines(&mut self, one: Record<'_>, page: &mut Page, out: &mut Out) {
        for piece in one.bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.is_empty() {
                self.nanos = one.nanos;
            }
            let whole = piece.ends_with(b"\n");
            if !whole && self.line.len() + piece.len() < LONGEST {
                self.line.extend_from_slice(piece);
                continue;
            }
            let first = if self.line.is_empty() { piece } else { &self.line };
            if self.filter.as_ref().is_none_or(|filter| filter(one.step, first)) {
                self.lead(page, out);
                out.raw(&self.line);
                out.raw(piece);
                if !whole {
                    out.raw(b"\n");
                }
            }
            self.line.clear();
        }
    }

    /// What stands in front of a line.
    fn lead(&self, page: &mut Page, out: &mut Out) {
        page.fresh_line(out);
        if page.timestamps {
            out.raw(stamp(self.nanos).as_bytes());
            out.raw(b" ");
        }
        out.raw(&self.prefix);
    }

    fn end_line(&mut self, page: &mut Page, out: &mut Out) {
        if !self.line.is_empty() {
            self.lead(page, out);
            out.raw(&self.line);
            out.raw(b"\n");
            self.line.clear();
        }
    }

    /// Shows waiting lines: up to the one that opens a step, or all.
    fn release(&mut self, until: Option<u32>, page: &mut Page, out: &mut Out) {
        while let Some(place) = self.release_one(page, out) {
            if until.is_some_and(|step| place == Place::Opens(step)) {
                break;
            }
        }
    }

    fn release_one(&mut self, page: &mut Page, out: &mut Out) -> Option<Place> {
        let Waiting { place, text, .. } = self.waiting.pop_front()?;
        self.end_line(page, out);
        page.fresh_line(out);
        out.text(&text);
        Some(place)
    }
}
