use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Summary, label_of, of, place_of, reports_of, title_of};
use crate::{
    plan::{self, Context},
    run::{Answer, Case, CaseStatus, Event, Execution, Report, Request, UnitKey},
    source::{Scalars, parse_first},
};

/// A run in the making: each call is something that happened a second later.
struct Story {
    execution: Execution,
    now: Timestamp,
    seq: BTreeMap<UnitKey, u64>,
}

impl Story {
    fn of(spec: &str) -> Self {
        let spec = parse_first(spec, Scalars::Kubernetes).unwrap();
        let plan = plan::build(&spec, &Context::default()).unwrap();
        let execution = Execution::replay(plan.into(), &[]).unwrap();
        let mut story = Story { execution, now: Timestamp::UNIX_EPOCH, seq: BTreeMap::new() };
        let at = story.now;
        story.execution.apply(&Event::Created { at }).unwrap();
        story.meet("main");
        story
    }

    fn meet(&mut self, unit: &str) {
        let unit: UnitKey = unit.parse().unwrap();
        let at = self.now;
        self.execution.apply(&Event::Met { unit, life: "a".to_owned(), address: None, at }).unwrap();
    }

    fn say(&mut self, unit: &str, report: Report) {
        let unit: UnitKey = unit.parse().unwrap();
        self.now += jiff::SignedDuration::from_secs(1);
        let seq = self.seq.entry(unit.clone()).or_default();
        *seq += 1;
        let event = Event::Reported { unit, life: "a".to_owned(), seq: *seq, at: self.now, report };
        self.execution.apply(&event).unwrap();
    }

    fn step(&self, category: &str) -> usize {
        let steps = &self.execution.plan().main.steps;
        steps.iter().position(|step| step.category == category).unwrap()
    }

    /// Workers are asked for, and all of them are met.
    fn split(&mut self, answers: Vec<Answer>) -> Vec<String> {
        let step = self.step("Run in parallel");
        self.say("main", Report::Entered { step });
        self.say("main", Report::Started { step, attempt: 0 });
        self.say("main", Report::Requested { step, attempt: 0, request: Request::Parallel { answers } });
        let main = UnitKey::main();
        let keys: Vec<String> =
            self.execution.units().map(|(key, _)| key.to_string()).filter(|key| *key != main.to_string()).collect();
        for key in &keys {
            self.meet(key);
        }
        keys
    }

    fn labels(&self) -> Vec<String> {
        let keys = self.execution.units().map(|(key, _)| key).filter(|key| **key != UnitKey::main());
        keys.map(|key| label_of(&self.execution, key)).collect()
    }

    fn report(&mut self, unit: &str, file: &str, cases: Vec<Case>) {
        self.say(unit, Report::Cases { step: 1, file: file.to_owned(), kind: "junit".to_owned(), cases });
    }
}

fn case(name: &str, status: CaseStatus, duration: u64) -> Case {
    Case {
        suite: "pytest".to_owned(),
        class: "tests.test_cart".to_owned(),
        name: name.to_owned(),
        file: Some("tests/test_cart.py".to_owned()),
        line: Some(41),
        status,
        duration,
        message: String::new(),
        details: String::new(),
    }
}

const ONE: &str = "steps: [{name: Tests, shell: make}]";

#[test]
fn cases_are_counted_by_how_they_ended() {
    let mut story = Story::of(ONE);
    let [passed, failed, errored, skipped] =
        [CaseStatus::Passed, CaseStatus::Failed, CaseStatus::Errored, CaseStatus::Skipped];
    story.report("main", "a.xml", vec![case("a", passed, 5), case("b", failed, 900), case("c", skipped, 0)]);
    story.report("main", "b.xml", vec![case("a", errored, 40)]);
    let summary = of(&story.execution);
    let Summary { tests, passed, failed, errored, skipped, files, duration_ms, .. } = summary;
    assert_eq!((tests, passed, failed, errored, skipped, files), (4, 1, 1, 1, 1, 2));
    assert_eq!(duration_ms, 2000);
    let names = |cases: &[super::FoundCase]| cases.iter().map(|found| found.case.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&summary.failures), ["b", "a"]);
    assert_eq!(names(&summary.slowest), ["b", "a", "a"]);
    assert_eq!((summary.failures[0].step.as_str(), summary.failures[0].worker.as_str()), ("Tests", ""));
}

#[test]
fn a_file_that_is_reported_again_replaces_its_cases() {
    let mut story = Story::of(ONE);
    story.report("main", "a.xml", vec![case("a", CaseStatus::Failed, 1), case("b", CaseStatus::Passed, 1)]);
    story.report("main", "a.xml", vec![case("a", CaseStatus::Passed, 1)]);
    let summary = of(&story.execution);
    assert_eq!((summary.tests, summary.passed, summary.failed), (2, 2, 0));
}

#[test]
fn one_report_may_have_a_name_twice_and_mean_two_cases() {
    let mut story = Story::of(ONE);
    let twice = || vec![case("a", CaseStatus::Passed, 1), case("a", CaseStatus::Failed, 1)];
    story.report("main", "a.xml", twice());
    story.report("main", "a.xml", twice());
    assert_eq!(of(&story.execution).tests, 2);
}

#[test]
fn the_same_case_of_two_workers_counts_twice() {
    let mut story = Story::of("steps: [{name: Tests, parallel: {matrix: {mode: [fast, slow]}, shell: make}}]");
    for key in story.split(Vec::new()) {
        story.report(&key, "junit.xml", vec![case("a", CaseStatus::Failed, 1)]);
    }
    let summary = of(&story.execution);
    assert_eq!(summary.tests, 2);
    let found: Vec<_> = summary.failures.iter().map(|found| (found.step.as_str(), found.worker.as_str())).collect();
    assert_eq!(found, [("Tests", "fast"), ("Tests", "slow")]);
}

#[test]
fn workers_come_in_the_order_of_their_numbers() {
    let mut story = Story::of("steps: [{parallel: {count: 11, shell: make}}]");
    for key in story.split(Vec::new()) {
        story.report(&key, "junit.xml", vec![case("a", CaseStatus::Passed, 1)]);
    }
    let workers: Vec<_> = reports_of(&story.execution).into_iter().map(|report| report.worker).collect();
    assert_eq!(workers[..3], ["1/11", "2/11", "3/11"]);
    assert_eq!(workers[10], "11/11");
}

#[test]
fn a_worker_is_called_by_its_matrix_values_and_shard() {
    let mut story = Story::of(
        "steps: [{parallel: {matrix: {browser: [chrome, firefox]}, shards: {file: [a, b, c, d]}, maxCount: 2, shell: make}}]",
    );
    story.split(Vec::new());
    assert_eq!(story.labels(), ["chrome 1/2", "chrome 2/2", "firefox 1/2", "firefox 2/2"]);
}

#[test]
fn a_description_comes_first_where_it_tells_workers_apart() {
    let mut clear =
        Story::of("steps: [{parallel: {matrix: {db: [pg, my]}, description: 'on {{ matrix.db }}', shell: make}}]");
    clear.split(Vec::new());
    assert_eq!(clear.labels(), ["on pg", "on my"]);
    let mut same = Story::of("steps: [{parallel: {matrix: {db: [pg, my]}, description: tests, shell: make}}]");
    same.split(Vec::new());
    assert_eq!(same.labels(), ["pg", "my"]);
}

#[test]
fn one_worker_alone_needs_no_name_and_a_service_has_one() {
    let mut alone = Story::of("steps: [{parallel: {shell: make}}]");
    alone.split(Vec::new());
    assert_eq!(alone.labels(), [""]);
    let mut services = Story::of("services: {db: {count: 2}, api: {}}\nsteps: [{shell: make}]");
    let step = services.step("Start services");
    services.say("main", Report::Entered { step });
    services.say("main", Report::Started { step, attempt: 0 });
    let request = Request::Services { answers: Vec::new() };
    services.say("main", Report::Requested { step, attempt: 0, request });
    assert_eq!(services.labels(), ["api", "db 1/2", "db 2/2"]);
    assert_eq!(label_of(&services.execution, &UnitKey::main()), "main");
}

#[test]
fn a_worker_of_a_worker_is_called_by_both() {
    let mut story = Story::of(
        "steps: [{parallel: {matrix: {os: [a, b]}, steps: [{name: Inner, parallel: {matrix: {db: [pg, my]}, shell: make}}]}}]",
    );
    let outer = story.split(Vec::new()).remove(1);
    let unit = story.execution.unit(&outer.parse().unwrap()).unwrap();
    let step = unit.run.plan().steps.iter().position(|step| step.category == "Run in parallel").unwrap();
    story.say(&outer, Report::Entered { step });
    story.say(&outer, Report::Started { step, attempt: 0 });
    let request = Request::Parallel { answers: Vec::new() };
    story.say(&outer, Report::Requested { step, attempt: 0, request });
    assert_eq!(story.labels(), ["a", "b", "b · pg", "b · my"]);
}

#[test]
fn a_case_is_called_as_its_tool_calls_it() {
    let python = case("test_total[eur]", CaseStatus::Passed, 0);
    assert_eq!(title_of(&python), "tests/test_cart.py::test_total[eur]");
    assert_eq!(place_of(&python).as_deref(), Some("tests/test_cart.py:41"));
    let method = Case { class: "tests.test_cart.TestTotals".to_owned(), ..python.clone() };
    assert_eq!(title_of(&method), "tests/test_cart.py::TestTotals::test_total[eur]");
    let other =
        |class: &str, name: &str| Case { class: class.to_owned(), name: name.to_owned(), file: None, ..python.clone() };
    assert_eq!(title_of(&other("shop.CartTest", "total")), "shop.CartTest › total");
    assert_eq!(title_of(&other("sum adds", "sum adds")), "sum adds");
    assert_eq!(title_of(&Case { suite: String::new(), ..other("", "alone") }), "alone");
}
