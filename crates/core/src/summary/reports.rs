//! All report files of an execution, with what came later in the place of what came before.

use std::collections::{BTreeMap, HashMap};

use super::label::{label_of, name_around, step_of};
use crate::run::{Case, Execution, UnitKey};

/// One report file of one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportFile<'a> {
    pub unit: UnitKey,
    /// What the unit is called; empty for the execution's own.
    pub worker: String,
    /// The step that its unit, or the report, belongs to.
    pub step: String,
    pub file: String,
    pub cases: Vec<&'a Case>,
}

/// What tells a case apart in its file. A report may have the same names twice and mean two cases, so the n-th of them
/// is the n-th again when the file is written again.
type Identity<'a> = (&'a str, &'a str, &'a str, usize);

/// A report in the making, and where in it each case is.
type Gathered<'a> = (ReportFile<'a>, HashMap<Identity<'a>, usize>);

/// The reports in the order of units and files. A file that is reported again, by a later attempt of a step or of the
/// unit, replaces the cases that it has again and keeps the others.
pub fn reports_of(execution: &Execution) -> Vec<ReportFile<'_>> {
    let mut files: BTreeMap<(Vec<Part<'_>>, &str), Gathered<'_>> = BTreeMap::new();
    for (key, unit) in execution.units() {
        for (step, file, cases) in &unit.cases {
            let (report, known) = files.entry((order(&key.place), file)).or_insert_with(|| {
                let is_main = unit.carrier.is_none();
                let report = ReportFile {
                    unit: key.clone(),
                    worker: if is_main { String::new() } else { label_of(execution, key) },
                    step: if is_main { name_around(unit, *step) } else { step_of(execution, key) },
                    file: file.clone(),
                    cases: Vec::new(),
                };
                (report, HashMap::new())
            });
            report.unit = key.clone();
            let mut seen: HashMap<(&str, &str, &str), usize> = HashMap::new();
            for case in cases {
                let names = (case.suite.as_str(), case.class.as_str(), case.name.as_str());
                let nth = seen.entry(names).or_default();
                let identity = (names.0, names.1, names.2, *nth);
                *nth += 1;
                let at = *known.entry(identity).or_insert(report.cases.len());
                match report.cases.get_mut(at) {
                    Some(earlier) => *earlier = case,
                    None => report.cases.push(case),
                }
            }
        }
    }
    files.into_values().map(|(report, _)| report).collect()
}

/// Numbers in a unit's place count as numbers: the tenth worker comes after the second.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number(u64),
    Name(&'a str),
}

fn order(place: &str) -> Vec<Part<'_>> {
    place.split('/').map(|part| part.parse().map_or(Part::Name(part), Part::Number)).collect()
}

/// What a person calls a case: `tests/test_cart.py::TestTotals::test_total[eur]` where a file and a class say the
/// same, else what tells most without saying it twice.
pub fn title_of(case: &Case) -> String {
    let Case { suite, class, name, file, .. } = case;
    if let Some(file) = file
        && let Some((module, _)) = file.rsplit_once('.')
        && let Some(rest) = class.strip_prefix(&module.replace(['/', '\\'], "."))
        && (rest.is_empty() || rest.starts_with('.'))
    {
        return format!("{file}{}::{name}", rest.replace('.', "::"));
    }
    let group = if class.is_empty() { suite } else { class };
    if group.is_empty() || name.starts_with(group.as_str()) { name.clone() } else { format!("{group} › {name}") }
}

/// Where a case is, as editors and terminals understand it.
pub fn place_of(case: &Case) -> Option<String> {
    let file = case.file.as_ref()?;
    Some(case.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")))
}
