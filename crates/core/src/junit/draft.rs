//! From what elements say to one [`Case`].

use std::collections::BTreeMap;

use quick_xml::events::BytesStart;

use super::{location, number, text};
use crate::run::{Case, CaseStatus};

/// Every case inherits its suite's name and file: these bounds keep a small file from becoming a large report.
const LONGEST_NAME: usize = 512;
const LONGEST_MESSAGE: usize = 8 * 1024;
const LONGEST_DETAILS: usize = 64 * 1024;

/// An element's attributes by local name in small letters.
pub(super) struct Attributes(BTreeMap<String, String>);

impl Attributes {
    pub(super) fn of(tag: &BytesStart<'_>) -> Self {
        let mut attributes = tag.html_attributes();
        let read = attributes.with_checks(false).flatten().map(|attribute| {
            let key = String::from_utf8_lossy(attribute.key.local_name().as_ref()).to_ascii_lowercase();
            (key, text::plain(&text::unescape(&String::from_utf8_lossy(&attribute.value))))
        });
        Attributes(read.collect())
    }

    fn text(&self, name: &str) -> String {
        self.0.get(name).map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    fn name(&self, name: &str) -> String {
        let mut text = self.text(name);
        text::cut(&mut text, LONGEST_NAME);
        text
    }

    fn file(&self) -> Option<String> {
        ["file", "filepath"].map(|name| self.name(name)).into_iter().find(|file| !file.is_empty())
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.0.get(name)?.trim().parse().ok()
    }
}

/// A `testsuite` that is open.
#[derive(Default)]
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) file: Option<String>,
    /// How many tests it says it has, and how many were found.
    pub(super) promised: Option<usize>,
    pub(super) found: usize,
}

impl Suite {
    pub(super) fn new(attributes: &Attributes) -> Self {
        Suite { name: attributes.name("name"), file: attributes.file(), promised: attributes.number("tests"), found: 0 }
    }
}

/// What an element says about the end of a case.
pub(super) struct Verdict {
    pub(super) kind: Kind,
    message: String,
    r#type: String,
    pub(super) text: String,
}

/// What a verdict means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Final(CaseStatus),
    /// An attempt failed, and the case passed later.
    Flake,
    /// An attempt failed before or after the one that is told beside it.
    Rerun,
}

impl Verdict {
    pub(super) fn new(kind: Kind, attributes: &Attributes) -> Self {
        Verdict { kind, message: attributes.text("message"), r#type: attributes.text("type"), text: String::new() }
    }

    /// What a person reads first, and the rest.
    fn told(&self, case: &str) -> (String, String) {
        let details = text::plain(&self.text);
        let details = details.trim_end().trim_start_matches(['\n', '\r']).to_owned();
        let says_nothing = matches!(self.message.to_ascii_lowercase().as_str(), "" | "failed" | "error" | "failure");
        let mut lines = details.lines().map(str::trim).filter(|line| !line.is_empty());
        let message = if says_nothing {
            lines.next().or(Some(&self.r#type).filter(|r#type| !r#type.is_empty()).map(String::as_str))
        } else if !case.is_empty() && self.message.ends_with(case) {
            // Playwright repeats the case here; what went wrong stands in the text.
            lines.find(|line| line.split_once(": ").is_some_and(|(kind, _)| kind.ends_with("Error")))
        } else {
            None
        };
        (message.unwrap_or(&self.message).to_owned(), details)
    }
}

/// A case that is not yet closed.
#[derive(Default)]
pub(super) struct Draft {
    class: String,
    pub(super) name: String,
    file: Option<String>,
    line: Option<u32>,
    duration: u64,
    pub(super) unread_time: Option<String>,
    /// What an attribute says of its end.
    said: Option<CaseStatus>,
    verdict: Option<Verdict>,
    flakes: Vec<Verdict>,
}

impl Draft {
    pub(super) fn new(attributes: &Attributes) -> Self {
        let time = attributes.text("time");
        let duration = number::millis(&time);
        let said = [attributes.text("status"), attributes.text("result")].into_iter().find_map(|word| {
            Some(match word.to_ascii_lowercase().as_str() {
                "fail" | "failed" | "failure" => CaseStatus::Failed,
                "error" | "errored" => CaseStatus::Errored,
                "skip" | "skipped" | "notrun" | "disabled" | "ignored" | "suppressed" | "pending" => {
                    CaseStatus::Skipped
                }
                _ => return None,
            })
        });
        Draft {
            class: attributes.name("classname"),
            name: attributes.name("name"),
            file: attributes.file(),
            line: attributes.number("line"),
            duration: duration.unwrap_or_default(),
            unread_time: (duration.is_none() && !time.is_empty()).then_some(time),
            said,
            verdict: None,
            flakes: Vec::new(),
        }
    }

    /// The case that stands for a suite which failed as a whole.
    pub(super) fn of_suite(suite: &Suite) -> Self {
        Draft { name: suite.name.clone(), ..Draft::default() }
    }

    /// Whether the report says how it ended. A passed case has nothing inside, so one that was cut off may be any.
    pub(super) fn is_judged(&self) -> bool {
        self.verdict.is_some() || self.said.is_some()
    }

    /// Takes a verdict in: the gravest counts, and of two like ones the first, with the other's text below.
    pub(super) fn judge(&mut self, verdict: Verdict) {
        let Kind::Final(status) = verdict.kind else {
            if verdict.kind == Kind::Flake {
                self.flakes.push(verdict);
            }
            return;
        };
        match (&mut self.verdict, status) {
            (Some(known), _) if known.kind == verdict.kind => {
                let (_, more) = verdict.told("");
                if !more.is_empty() {
                    known.text.push_str("\n\n");
                    known.text.push_str(&more);
                }
            }
            (Some(Verdict { kind: Kind::Final(known), .. }), _) if gravity(*known) > gravity(status) => {}
            (known, _) => *known = Some(verdict),
        }
    }

    /// The case, and whether one of its texts was cut.
    pub(super) fn into_case(self, suites: &[&Suite]) -> (Case, bool) {
        let Draft { class, name, file, line, duration, unread_time: _, said, verdict, flakes } = self;
        let (status, message, details) = match (&verdict, flakes.first()) {
            (Some(verdict), _) => {
                let (message, details) = verdict.told(&name);
                let status = match verdict.kind {
                    Kind::Final(status) => status,
                    Kind::Flake | Kind::Rerun => CaseStatus::Passed,
                };
                (status, message, details)
            }
            (None, Some(flake)) => {
                let (message, details) = flake.told(&name);
                let attempts = if flakes.len() == 1 { "attempt" } else { "attempts" };
                let message = format!("passed after {} failed {attempts}: {message}", flakes.len());
                (said.unwrap_or(CaseStatus::Passed), message, details)
            }
            (None, None) => (said.unwrap_or(CaseStatus::Passed), String::new(), String::new()),
        };
        let suite = path(suites);
        let is_pytest = suite == "pytest";
        let file = file
            .or_else(|| suites.iter().rev().find_map(|suite| suite.file.clone()))
            .or_else(|| [&class, &suite].into_iter().find(|name| location::is_file(name)).cloned())
            .or_else(|| is_pytest.then(|| module_file(&class)).flatten());
        // pytest counts lines from 0.
        let line = line.map(|line| if is_pytest { line.saturating_add(1) } else { line });
        let (mut message, mut details) = (message, details);
        let cut = text::cut(&mut message, LONGEST_MESSAGE) | text::cut(&mut details, LONGEST_DETAILS);
        let place = match status {
            CaseStatus::Failed | CaseStatus::Errored => location::locate(&details, file.as_deref(), &class),
            CaseStatus::Passed | CaseStatus::Skipped => None,
        };
        let (file, line) = match (file, place) {
            (Some(file), Some((_, line))) => (Some(file), Some(line)),
            (None, Some((mut file, line))) => {
                text::cut(&mut file, LONGEST_NAME);
                (Some(file), Some(line))
            }
            (file, None) => (file, line),
        };
        (Case { suite, class, name, file, line, status, duration, message, details }, cut)
    }
}

fn gravity(status: CaseStatus) -> u8 {
    match status {
        CaseStatus::Passed => 0,
        CaseStatus::Skipped => 1,
        CaseStatus::Failed => 2,
        CaseStatus::Errored => 3,
    }
}

/// The names of the suites around a case, outermost first: some tools tell the groups of a case nowhere else.
fn path(suites: &[&Suite]) -> String {
    let mut names: Vec<&str> = suites.iter().map(|suite| suite.name.as_str()).filter(|name| !name.is_empty()).collect();
    names.dedup();
    let mut path = names.join(" / ");
    text::cut(&mut path, LONGEST_NAME);
    path
}

/// The file of a pytest class: `tests.test_cart.TestTotals` is in `tests/test_cart.py`.
fn module_file(class: &str) -> Option<String> {
    let parts: Vec<&str> = class.split('.').collect();
    let module = parts.iter().rposition(|part| part.starts_with("test_") || part.ends_with("_test"))?;
    Some(format!("{}.py", parts[..=module].join("/")))
}
