//! Views of hand-made runs: events in, text out.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use insta::assert_snapshot;
use jiff::Timestamp;
use testudo_core::{
    frame::{PackId, Source},
    plan::{Identity, Plan},
    run::{
        Case, CaseStatus, Ending, Entries, Event, Execution, Outcome, PackPurpose, Report, Request, Status, StopHow,
        UnitKey,
    },
    summary,
};
use testudo_store::Meta;

use super::{
    end::{self, Over, View},
    scene::Scene,
    screen::Size,
    style::Marks,
    tail::Tails,
};
use crate::{
    args::{Inputs, Place},
    planning::Planner,
};

mod streams;

/// A plan of the workflow `demo` with this spec.
fn planned(spec: &str) -> Arc<Plan> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.yaml");
    let head = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {name: demo}\nspec:\n  ";
    let spec = spec.replace('\n', "\n  ");
    std::fs::write(&file, format!("{head}{spec}")).unwrap();
    let planner = Planner::new(&Inputs::of_files(vec![file], Place::default()), None).unwrap();
    let document = planner.read.workflow(None).unwrap();
    let identity = Identity { id: "id".to_owned(), name: "demo-1".to_owned(), number: 1, ..Identity::default() };
    planner.plan(document, identity, &BTreeMap::new(), true).map_err(|problems| format!("{problems:?}")).unwrap().plan
}

/// A run, told event by event.
struct Story {
    execution: Execution,
    seqs: BTreeMap<UnitKey, u64>,
    millis: i64,
}

impl Story {
    fn of(spec: &str) -> Self {
        let execution = Execution::replay(planned(spec), &[]).unwrap();
        let mut story = Story { execution, seqs: BTreeMap::new(), millis: 0 };
        story.event(&Event::Created { at: story.now() });
        story.met("main");
        story
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + self.millis).unwrap()
    }

    fn event(&mut self, event: &Event) {
        self.execution.apply(event).unwrap();
    }

    fn wait(&mut self, millis: i64) {
        self.millis += millis;
    }

    fn met(&mut self, unit: &str) {
        let unit: UnitKey = unit.parse().unwrap();
        self.event(&Event::Met { unit, life: "life".to_owned(), address: None, at: self.now() });
    }

    fn say(&mut self, unit: &str, report: Report) {
        let unit: UnitKey = unit.parse().unwrap();
        let seq = self.seqs.entry(unit.clone()).or_default();
        *seq += 1;
        let (seq, at) = (*seq, self.now());
        self.event(&Event::Reported { unit, life: "life".to_owned(), seq, at, report });
    }

    fn start(&mut self, unit: &str, step: usize) {
        if step == 1 {
            self.say(unit, Report::Entered { step: 0 });
        }
        self.say(unit, Report::Entered { step });
        self.say(unit, Report::Started { step, attempt: 0 });
    }

    fn exit(&mut self, unit: &str, step: usize, code: i32) {
        self.say(unit, Report::Attempted { step, attempt: 0, outcome: Outcome::Exit { code }, again: false });
    }

    fn over(&mut self, unit: &str, status: Status) {
        self.say(unit, Report::Over { status, output: 0 });
    }

    fn ended(&mut self, status: Status) {
        self.event(&Event::Ended { status, at: self.now() });
    }

    fn end_screen(&self, tail: &[&str]) -> String {
        let summary = summary::of(&self.execution);
        let meta = Meta {
            id: "id".to_owned(),
            name: "demo-1".to_owned(),
            workflow: "demo".to_owned(),
            number: 1,
            created: self.now(),
            artifacts: "/home/me/work/artifacts/demo-1".into(),
            command: "testudo run demo.yaml".to_owned(),
            parent: None,
        };
        let lines: Vec<String> = tail.iter().map(|line| (*line).to_owned()).collect();
        let tail = |_: &UnitKey, _: Option<usize>| lines.clone();
        let here = Path::new("/home/me/work");
        let over = Over { execution: &self.execution, summary: &summary, meta: &meta, here, tail: &tail };
        plain(&end::text(&over, View { marks: Marks::Unicode, show_failures: 3, width: 79 }))
    }

    fn scene(&self, columns: usize, rows: usize, tails: &Tails) -> String {
        let ready = BTreeMap::from([(UnitKey { place: "api/0".to_owned(), attempt: 0 }, Duration::from_millis(300))]);
        let scene = Scene {
            execution: &self.execution,
            tails,
            marks: Marks::Unicode,
            size: Size { columns, rows },
            now: self.now(),
            beat: 3,
            log: false,
            ready: &ready,
        };
        let run = &self.execution.unit(&UnitKey::main()).unwrap().run;
        let over = scene.steps().into_iter().filter(|step| run.status(*step).is_final());
        let lines: Vec<String> = over.flat_map(|step| scene.finished(step)).chain(scene.running()).collect();
        assert!(lines.iter().all(|line| super::words::width(&plain(line)) < columns), "{lines:#?}");
        plain(&lines.join("\n"))
    }
}

fn plain(text: &str) -> String {
    let lines = anstream::adapter::strip_str(text).to_string();
    lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

const MATRIX: &str = "
steps:
- name: Set up
  shell: make
- name: Tests
  parallel:
    matrix: {mode: [fast, slow]}
    count: 3
    parallelism: 5
    shell: test {{ matrix.mode }}
- name: Report
  condition: always
  shell: report";

fn case(name: &str, status: CaseStatus) -> Case {
    Case {
        suite: "cart".to_owned(),
        class: "tests.test_cart".to_owned(),
        name: name.to_owned(),
        file: Some("tests/test_cart.py".to_owned()),
        line: Some(41),
        status,
        duration: 1800,
        message: if status == CaseStatus::Failed {
            "AssertionError: assert 10.0 == 9.99".to_owned()
        } else {
            String::new()
        },
        details: String::new(),
    }
}

/// Six workers: one passed, one failed, three at work, one waiting.
fn midway() -> Story {
    let mut story = Story::of(MATRIX);
    story.start("main", 1);
    story.wait(3200);
    story.exit("main", 1, 0);
    story.start("main", 2);
    story.say("main", Report::Requested { step: 2, attempt: 0, request: Request::Parallel { answers: Vec::new() } });
    for worker in 0..5 {
        let unit = format!("tests/{worker}");
        story.met(&unit);
        story.start(&unit, 1);
        story.wait(1000);
    }
    story.exit("tests/0", 1, 0);
    story.over("tests/0", Status::Passed);
    let cases = vec![case("test_total[eur]", CaseStatus::Failed), case("test_nothing", CaseStatus::Passed)];
    story.say("tests/4", Report::Cases { step: 1, file: "junit.xml".to_owned(), kind: "junit".to_owned(), cases });
    story.exit("tests/4", 1, 1);
    story.over("tests/4", Status::Failed);
    story.wait(400);
    story
}

/// The run of [`midway`], at its end.
fn failed() -> Story {
    let mut story = midway();
    for worker in 1..4 {
        story.exit(&format!("tests/{worker}"), 1, 0);
        story.over(&format!("tests/{worker}"), Status::Passed);
    }
    for worker in 0..5 {
        let unit: UnitKey = format!("tests/{worker}").parse().unwrap();
        story.event(&Event::Kept {
            unit: unit.clone(),
            source: Source::Output,
            length: 0,
            digest: String::new(),
            error: None,
        });
        story.event(&Event::Reaped { unit, at: story.now(), left: None });
    }
    story.met("tests/5");
    story.start("tests/5", 1);
    story.exit("tests/5", 1, 0);
    story.over("tests/5", Status::Passed);
    story.exit("main", 2, 1);
    story.start("main", 3);
    let entries = Entries { files: 17, bytes: 53_211 };
    let pack = PackId("a".to_owned());
    let purpose = PackPurpose::Artifacts { step: 3, attempt: 0, entries };
    story.say("main", Report::Packed { pack: pack.clone(), length: 1, digest: String::new(), purpose });
    let source = Source::Pack(pack);
    story.event(&Event::Kept { unit: UnitKey::main(), source, length: 1, digest: String::new(), error: None });
    story.exit("main", 3, 0);
    story.over("main", Status::Failed);
    story.ended(Status::Failed);
    story
}

#[test]
fn running_workers_are_shown_in_the_order_of_their_need() {
    assert_snapshot!(midway().scene(80, 24, &Tails::default()), @r"
    ✓ Set up                                                                   3.2s
    ⠸ Tests       2/6 done · 1 failed                                          5.4s
        ✗ slow 2/3  2 tests, 1 failed                                          1.0s
        ⠸ fast 2/3                                                             4.4s
        ⠸ fast 3/3                                                             3.4s
        ⠸ slow 1/3                                                             2.4s
        ○ 1 waiting
    ");
}

#[test]
fn a_small_window_gets_no_more_lines_than_it_has() {
    assert_snapshot!(midway().scene(60, 7, &Tails::default()), @r"
    ✓ Set up                                               3.2s
    ⠸ Tests       2/6 done · 1 failed                      5.4s
        ✗ slow 2/3  2 tests, 1 failed                      1.0s
        ⠸ fast 2/3                                         4.4s
        ○ 2 more, 1 waiting
    ");
}

#[test]
fn a_finished_block_folds_to_a_line() {
    assert_snapshot!(failed().scene(80, 24, &Tails::default()), @r"
    ✓ Set up                                                                   3.2s
    ✗ Tests       6 workers, 1 failed                                          5.4s
    ✓ Report                                                                    0ms
    ");
}

#[test]
fn failed_cases_come_before_raw_lines() {
    assert_snapshot!(failed().end_screen(&["raw"]), @r"
    ✗ failed in 8.6s · 2 tests, 1 passed, 1 failed

    ✗ tests/test_cart.py::test_total[eur]   slow 2/3
      AssertionError: assert 10.0 == 9.99
      tests/test_cart.py:41

      files     artifacts/demo-1/   17 files, 53 KB
      report    testudo report demo-1
      log       testudo logs demo-1 --step Tests --worker 'slow 2/3'
      again     testudo run demo.yaml
    ");
}

#[test]
fn a_step_that_fails_without_a_report_shows_its_code_and_last_lines() {
    let mut story = Story::of("steps:\n- name: Build\n  shell: make");
    story.start("main", 1);
    story.wait(61_600);
    story.exit("main", 1, 127);
    story.over("main", Status::Failed);
    story.ended(Status::Failed);
    assert_snapshot!(story.end_screen(&["", "building", "sh: 2: make: not found", ""]), @r"
    ✗ failed in 1m 02s

    ✗ Build
      exit code 127: command not found
      │ building
      │ sh: 2: make: not found

      log       testudo logs demo-1 --step Build
      again     testudo run demo.yaml
    ");
}

#[test]
fn a_run_that_a_limit_stopped_says_which() {
    let mut story = Story::of("steps:\n- name: Build\n  shell: make");
    story.start("main", 1);
    story.wait(10_000);
    let reason = "Job timed out after 10 seconds".to_owned();
    story.event(&Event::StopRequested { how: StopHow::Abort, reason: reason.clone(), at: story.now() });
    story.say("main", Report::Stopping { ending: Ending::Aborted, reason });
    story.say("main", Report::Attempted { step: 1, attempt: 0, outcome: Outcome::Stopped, again: false });
    story.over("main", Status::Aborted);
    story.ended(Status::Aborted);
    assert_snapshot!(story.end_screen(&["still at it"]), @r"
    ! aborted after 10.0s · Job timed out after 10 seconds

    ! Build
      it was under way
      │ still at it

      log       testudo logs demo-1 --step Build
      again     testudo run demo.yaml
    ");
}

#[test]
fn a_unit_that_was_lost_says_why() {
    let mut story = Story::of("steps:\n- name: Build\n  shell: make");
    story.start("main", 1);
    let reason = "the agent was killed".to_owned();
    story.event(&Event::Lost { unit: UnitKey::main(), at: story.now(), reason, status: None });
    story.event(&Event::Reaped { unit: UnitKey::main(), at: story.now(), left: None });
    story.ended(Status::Aborted);
    assert_snapshot!(story.end_screen(&[]), @r"
    ! aborted after 0ms

    ! Build
      the agent was killed

      log       testudo logs demo-1 --step Build
      again     testudo run demo.yaml
    ");
}

#[test]
fn short_output_of_a_run_alone_stays_and_long_output_is_followed() {
    let mut story = Story::of("steps:\n- name: One\n  shell: echo\n- name: Two\n  shell: seq 100");
    let mut tails = Tails::default();
    tails.output(&UnitKey::main(), &record(1, b"hello\n"));
    let many: Vec<String> = (1..=100).map(|line| format!("line {line}")).collect();
    tails.output(&UnitKey::main(), &record(2, many.join("\n").as_bytes()));
    story.start("main", 1);
    story.exit("main", 1, 0);
    story.start("main", 2);
    assert_snapshot!(story.scene(60, 24, &tails), @r"
    ✓ One                                                   0ms
        hello
    ⠸ Two                                                   0ms
        line 95
        line 96
        line 97
        line 98
        line 99
        line 100
    ");
    story.exit("main", 2, 0);
    assert_snapshot!(story.scene(60, 24, &tails), @r"
    ✓ One                                                   0ms
        hello
    ✓ Two                                                   0ms
    ");
}

#[test]
fn a_plan_says_what_is_settled_and_what_is_not() {
    let plan = planned(
        r#"
steps:
- name: Tests
  services:
    api: {command: [python3], args: [-m, http.server, "8080"], readinessProbe: {httpGet: {path: /, port: 8080}}}
  parallel:
    matrix: {mode: [fast, slow]}
    shards: {files: glob("tests/*")}
    maxCount: 6
    parallelism: 4
    shell: pytest {{ shard.files }}
- name: Clean
  condition: always
  timeout: 30s
  retry: {count: 2}
  shell: |
    # away with it
    rm -rf x
    echo done"#,
    );
    assert_snapshot!(plain(&super::plan::text(&plan, Marks::Unicode)), @r#"
    demo · on this machine as processes

    1  Tests
       1.1  Start services
            api   python3 -m http.server 8080   ready when GET / answers on 8080
       1.2  Run in parallel   up to 12 instances = 2 modes × 6 shards, 4 at once

            #   mode  shard
            0   fast  1/6
            1   fast  2/6
            2   fast  3/6
            3   fast  4/6
            4   fast  5/6
            5   fast  6/6
            …   …     …
            11  slow  6/6

            1.2.1  Run shell command   sh pytest FILES
    2  Clean   sh rm -rf x …   (always, up to 3 attempts, at most 30s)

    known when it runs: the files of each shard, from glob("tests/*")
    "#);
}

/// One record of output.
fn record(step: u32, bytes: &[u8]) -> Vec<u8> {
    let mut record = testudo_core::frame::record::header(step, 0, bytes.len()).to_vec();
    record.extend_from_slice(bytes);
    record
}
