//! From markup to cases. Elements that were left open are closed by what follows, unknown ones are looked through.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{
    draft::{Attributes, Draft, Kind, Suite, Verdict},
    text,
};
use crate::run::{Case, CaseStatus};

/// More than any real report has, and few enough to be kept in a log.
const MOST_CASES: usize = 100_000;
/// Suites in suites beyond this are looked through.
const DEEPEST: usize = 64;

/// The cases of a text, and what was lost.
pub(super) fn read(text: &str) -> (Vec<Case>, Vec<String>) {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut tree = Tree::default();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => tree.open(&tag, Closing::Later),
            Ok(Event::Empty(tag)) => tree.open(&tag, Closing::AtOnce),
            Ok(Event::End(tag)) => tree.close(&local(tag.local_name().as_ref())),
            Ok(Event::Text(part)) => tree.text(&String::from_utf8_lossy(&part)),
            Ok(Event::CData(part)) => tree.text(&String::from_utf8_lossy(&part)),
            Ok(Event::GeneralRef(part)) => {
                let name = String::from_utf8_lossy(&part);
                match text::reference(&name) {
                    Some(c) => tree.text(c.encode_utf8(&mut [0; 4])),
                    None => tree.text(&format!("&{name};")),
                }
            }
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
            Ok(Event::Eof) => break,
            // With the checks off, all that can go wrong is an end of the file inside some markup.
            Err(_) => {
                tree.ends_early = true;
                let rest = text.get(reader.error_position() as usize..).unwrap_or_default();
                if let Some(part) = rest.strip_prefix("<![CDATA[") {
                    tree.text(part);
                }
                break;
            }
        }
    }
    tree.finish()
}

fn local(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

/// When an element closes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    AtOnce,
    Later,
}

#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    /// How many suites are open below [`DEEPEST`].
    deeper: usize,
    suites: usize,
    cases: Vec<Case>,
    ends_early: bool,
    unclosed: usize,
    nameless: usize,
    surplus: usize,
    cuts: usize,
    /// Times that are no numbers: how many, and the first.
    unread_times: (usize, String),
}

/// An element that is open.
struct Open {
    name: String,
    what: What,
}

enum What {
    Suite(Suite),
    Case(Box<Draft>),
    Verdict(Verdict),
    /// Its text belongs to the verdict around it.
    Trace,
    /// Nothing in it is of interest, not even what looks like markup.
    Muted,
}

/// What an element is by its name; none of ours is nothing.
fn meaning(name: &str) -> Option<fn(&Attributes) -> What> {
    Some(match name {
        // The name of the whole tells no two cases apart.
        "testsuites" => |_| What::Suite(Suite::default()),
        "testsuite" => |attributes| What::Suite(Suite::new(attributes)),
        "testcase" => |attributes| What::Case(Box::new(Draft::new(attributes))),
        "failure" => |attributes| What::Verdict(Verdict::new(Kind::Final(CaseStatus::Failed), attributes)),
        "error" => |attributes| What::Verdict(Verdict::new(Kind::Final(CaseStatus::Errored), attributes)),
        "skipped" | "ignored" | "disabled" => {
            |attributes| What::Verdict(Verdict::new(Kind::Final(CaseStatus::Skipped), attributes))
        }
        "flakyfailure" | "flakyerror" => |attributes| What::Verdict(Verdict::new(Kind::Flake, attributes)),
        "rerunfailure" | "rerunerror" => |attributes| What::Verdict(Verdict::new(Kind::Rerun, attributes)),
        "stacktrace" => |_| What::Trace,
        "system-out" | "system-err" | "properties" => |_| What::Muted,
        _ => return None,
    })
}

impl Tree {
    fn open(&mut self, tag: &BytesStart<'_>, closing: Closing) {
        if matches!(self.open.last(), Some(Open { what: What::Muted, .. })) {
            return;
        }
        let name = local(tag.local_name().as_ref());
        let Some(meaning) = meaning(&name) else {
            // Inside a message this is somebody's `Vec<String>`.
            let end = if closing == Closing::AtOnce { "/>" } else { ">" };
            self.text(&format!("<{}{end}", String::from_utf8_lossy(tag)));
            return;
        };
        let what = meaning(&Attributes::of(tag));
        match &what {
            What::Suite(_) => {
                self.close_others(|what| matches!(what, What::Suite(_)));
                self.suites += 1;
                if self.open.len() >= DEEPEST {
                    self.deeper += usize::from(closing == Closing::Later);
                    return;
                }
            }
            What::Case(_) => {
                self.close_others(|what| matches!(what, What::Suite(_)));
                for open in &mut self.open {
                    if let What::Suite(suite) = &mut open.what {
                        suite.found += 1;
                    }
                }
            }
            What::Verdict(_) => self.close_others(|what| matches!(what, What::Suite(_) | What::Case(_))),
            What::Trace | What::Muted => {}
        }
        self.open.push(Open { name, what });
        if closing == Closing::AtOnce {
            self.close_last();
        }
    }

    /// Closes what should have been closed by now.
    fn close_others(&mut self, stays: fn(&What) -> bool) {
        while self.open.last().is_some_and(|open| !stays(&open.what)) {
            self.unclosed += 1;
            self.close_last();
        }
    }

    fn close(&mut self, name: &str) {
        if self.deeper > 0 && name.starts_with("testsuite") {
            self.deeper -= 1;
        } else if let Some(at) = self.open.iter().rposition(|open| open.name == name) {
            self.unclosed += self.open.len() - 1 - at;
            while self.open.len() > at {
                self.close_last();
            }
        } else {
            self.text(&format!("</{name}>"));
        }
    }

    fn close_last(&mut self) {
        match self.open.pop().map(|open| open.what) {
            Some(What::Case(draft)) => self.keep(*draft),
            Some(What::Verdict(verdict)) => self.judge(verdict),
            Some(What::Suite(_) | What::Trace | What::Muted) | None => {}
        }
    }

    fn text(&mut self, part: &str) {
        if let [.., Open { what: What::Verdict(verdict), .. }]
        | [.., Open { what: What::Verdict(verdict), .. }, Open { what: What::Trace, .. }] = self.open.as_mut_slice()
        {
            verdict.text.push_str(part);
        }
    }

    /// A verdict belongs to the case around it; a failure of a whole suite counts as a case.
    fn judge(&mut self, verdict: Verdict) {
        match self.open.last_mut().map(|open| &mut open.what) {
            Some(What::Case(draft)) => draft.judge(verdict),
            Some(What::Suite(suite)) => {
                if matches!(verdict.kind, Kind::Final(CaseStatus::Failed | CaseStatus::Errored)) {
                    let mut draft = Draft::of_suite(suite);
                    draft.judge(verdict);
                    self.keep(draft);
                }
            }
            Some(What::Verdict(_) | What::Trace | What::Muted) | None => {}
        }
    }

    fn keep(&mut self, draft: Draft) {
        if self.cases.len() >= MOST_CASES {
            self.surplus += 1;
            return;
        }
        if let Some(time) = &draft.unread_time {
            if self.unread_times.0 == 0 {
                self.unread_times.1.clone_from(time);
            }
            self.unread_times.0 += 1;
        }
        let suites = self.open.iter().filter_map(|open| match &open.what {
            What::Suite(suite) => Some(suite),
            What::Case(_) | What::Verdict(_) | What::Trace | What::Muted => None,
        });
        let (mut case, cut) = draft.into_case(&suites.collect::<Vec<_>>());
        self.cuts += usize::from(cut);
        if case.name.is_empty() {
            self.nameless += 1;
            case.name = format!("case {}", self.cases.len() + 1);
        }
        self.cases.push(case);
    }

    fn finish(mut self) -> (Vec<Case>, Vec<String>) {
        let mut lost = Vec::new();
        if self.ends_early || !self.open.is_empty() {
            lost.push("the file ends early".to_owned());
        }
        while let Some(open) = self.open.last() {
            match &open.what {
                What::Case(draft) if !draft.is_judged() => {
                    lost.push(format!("the file does not say how `{}` ended", draft.name));
                    self.open.pop();
                    continue;
                }
                What::Suite(Suite { name, promised: Some(promised), found, .. }) if promised > found => {
                    lost.push(format!("`{name}` promises {promised} tests and has {found}"));
                }
                _ => {}
            }
            self.close_last();
        }
        if self.suites == 0 && self.cases.is_empty() {
            lost.push("there is no test suite in it".to_owned());
        }
        let (unread, example) = &self.unread_times;
        let mut example = example.clone();
        text::cut(&mut example, 40);
        let example = format!(": `{example}`");
        for (count, one, many, example) in [
            (self.unclosed, "element is not closed", "elements are not closed", ""),
            (self.nameless, "case has no name", "cases have no name", ""),
            (*unread, "time is no number", "times are no numbers", example.as_str()),
            (self.cuts, "long text is cut", "long texts are cut", ""),
            (self.surplus, "case is one too many", "cases are too many", ""),
        ] {
            match count {
                0 => {}
                1 => lost.push(format!("1 {one}{example}")),
                _ => lost.push(format!("{count} {many}{example}")),
            }
        }
        (self.cases, lost)
    }
}
