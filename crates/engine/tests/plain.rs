//! Executions in a world where nothing goes wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use testudo_core::run::{Status, StopHow};
use testudo_engine::{
    Control,
    sim::{Ended, Simulation, Start},
};

fn simulated(steps: &str) -> Simulation {
    let yaml = format!("kind: TestWorkflow\nmetadata: {{name: w}}\nspec:\n{steps}");
    Simulation::new(1, &yaml).unwrap()
}

fn ended(simulation: &Simulation) -> Ended {
    let ended = simulation.run().unwrap();
    assert_eq!(ended.complaints(), Vec::<String>::new(), "{}", ended.log());
    assert_eq!((&ended.present, &ended.errors), (&vec![], &vec![]));
    ended
}

fn run(steps: &str) -> Ended {
    ended(&simulated(steps))
}

/// Every step, a line each, and the status of the execution.
fn standing(ended: &Ended) -> String {
    let steps = ended.steps().into_iter().filter(|((_, _, step), _)| step != "root");
    let mut text: String =
        steps.map(|((execution, unit, step), status)| format!("{execution} {unit} {step} {status}\n")).collect();
    text.push_str(ended.status.unwrap().word());
    text
}

#[test]
fn a_workflow_runs_its_steps_in_order() {
    let ended = run("
  steps:
  - {name: one, shell: 'sleep 1; echo 7 > /testkube/outputs/n'}
  - {name: two, condition: 'step.one.outputs.n == \"7\"', shell: 'exit 3'}
  - {name: three, shell: echo}
  - {name: four, condition: always, shell: echo}
");
    insta::assert_snapshot!(standing(&ended), @"
    e main four passed
    e main one passed
    e main three skipped
    e main two failed
    failed
    ");
}

#[test]
fn a_retry_runs_a_command_again_until_it_passes() {
    let ended = run("
  steps:
  - {name: one, retry: {count: 3}, shell: 'exit-until 3'}
");
    assert_eq!((ended.status, ended.book.ran.len()), (Some(Status::Passed), 3));
}

#[test]
fn a_timeout_ends_a_step_and_a_group() {
    let ended = run("
  steps:
  - {name: leaf, optional: true, timeout: 2s, shell: 'sleep 10'}
  - name: group
    timeout: 3s
    steps:
    - {name: first, shell: 'sleep 5'}
    - {name: second, shell: 'sleep 5'}
    - {name: third, condition: always, shell: 'sleep 5'}
");
    insta::assert_snapshot!(standing(&ended), @"
    e main first timeout
    e main group timeout
    e main leaf timeout
    e main second skipped
    e main third passed
    failed
    ");
}

#[test]
fn workers_run_a_few_at_a_time_and_hand_files_over() {
    let ended = run("
  steps:
  - {name: make, shell: 'echo one > /data/in/a.txt; echo two > /data/in/b.txt'}
  - name: tests
    parallel:
      parallelism: 2
      matrix: {file: 'glob(\"/data/in/*.txt\")', n: [1, 2]}
      transfer: [{from: /data/in}]
      fetch: [{from: /data/out, to: '/data/out/{{ index }}'}]
      shell: 'sleep 2; echo {{ file(matrix.file) }} > /data/out/result'
  - {name: read, shell: 'echo {{ file(\"/data/out/3/result\") }} > /testkube/outputs/last'}
  - {name: check, condition: 'step.read.outputs.last == \"two\"', shell: 'sleep 1'}
");
    insta::assert_snapshot!(standing(&ended), @"
    e main check passed
    e main make passed
    e main read passed
    e main tests passed
    e tests/0 fetch passed
    e tests/0 shell passed
    e tests/0 unpack passed
    e tests/1 fetch passed
    e tests/1 shell passed
    e tests/1 unpack passed
    e tests/2 fetch passed
    e tests/2 shell passed
    e tests/2 unpack passed
    e tests/3 fetch passed
    e tests/3 shell passed
    e tests/3 unpack passed
    passed
    ");
    assert_eq!(ended.book.crowd(|at| at.unit.to_string().starts_with("tests/")), 2);
}

#[test]
fn the_first_failure_ends_the_others_where_that_is_asked_for() {
    let ended = run("
  steps:
  - name: tests
    parallel:
      failFast: true
      parallelism: 3
      count: 5
      shell: 'sleep {{ index + 1 }}; exit {{ index == 0 ? 1 : 0 }}'
");
    insta::assert_snapshot!(standing(&ended), @"
    e main tests failed
    e tests/0 shell failed
    e tests/1 shell aborted
    e tests/2 shell aborted
    failed
    ");
}

#[test]
fn services_are_there_while_they_are_needed_and_gone_afterwards() {
    let ended = run("
  services:
    db: {count: 2, image: x, command: [sleep, '1000'], readinessProbe: {exec: {command: ['true']}}}
    bad: {image: x, restartPolicy: Never, timeout: 5s, shell: 'exit 1'}
  steps:
  - {name: one, condition: 'services.db.1.ip != \"\"', shell: 'sleep 1'}
");
    insta::assert_snapshot!(standing(&ended), @"
    e main one passed
    e main services failed
    e main stop failed
    e services/bad/0 shell failed
    e services/db/0 run aborted
    e services/db/1 run aborted
    failed
    ");
}

#[test]
fn a_step_executes_other_workflows_and_reads_what_they_publish() {
    let ended = run("
  steps:
  - name: go
    execute: {workflows: [{name: other, as: it, config: {n: '5'}}, {name: other, config: {n: '6'}}]}
  - {name: check, condition: 'execution(\"it\").outputs.n == \"5\"', shell: 'sleep 1'}
---
kind: TestWorkflow
metadata: {name: other}
spec:
  config: {n: {type: string}}
  steps:
  - {name: inner, shell: 'echo {{ config.n }} > /testkube/outputs/n'}
");
    insta::assert_snapshot!(standing(&ended), @"
    e main check passed
    e main go passed
    e.go+0.0 main inner passed
    e.go+1.0 main inner passed
    passed
    ");
}

#[test]
fn workers_wait_for_one_another_at_a_gate_and_people_lift_other_pauses() {
    let ended = run("
  steps:
  - {name: wait, paused: true, shell: 'sleep 1'}
  - name: tests
    parallel:
      count: 3
      paused: true
      shell: 'sleep 1'
");
    insta::assert_snapshot!(standing(&ended), @"
    e main tests passed
    e main wait passed
    e tests/0 shell passed
    e tests/1 shell passed
    e tests/2 shell passed
    passed
    ");
}

#[test]
fn artifacts_are_kept_before_their_step_ends() {
    let ended = run("
  steps:
  - {name: make, shell: 'noise 5000; echo hello > /data/report.txt', artifacts: {paths: ['/data/*.txt']}}
");
    insta::assert_snapshot!(standing(&ended), @"
    e main make passed
    e main make-artifacts passed
    e main make-shell passed
    passed
    ");
    assert_eq!(ended.stores["e"].blobs.artifacts(), ["main.make-artifacts.0"]);
}

#[test]
fn a_cancel_ends_what_runs_and_runs_what_always_runs() {
    let mut simulation = simulated(
        "
  steps:
  - {name: one, shell: 'sleep 100'}
  - {name: two, shell: 'sleep 100'}
  - {name: three, condition: always, shell: 'sleep 1'}
",
    );
    simulation.controls = vec![(Duration::from_secs(5), Control::Stop(StopHow::Cancel, "enough".to_owned()))];
    insta::assert_snapshot!(standing(&ended(&simulation)), @"
    e main one canceled
    e main three passed
    e main two skipped
    canceled
    ");
}

#[test]
fn a_unit_that_the_place_refuses_is_lost() {
    let mut simulation = simulated(
        "
  steps:
  - name: tests
    parallel: {count: 2, shell: 'sleep 1'}
",
    );
    simulation.world.starts.insert("tests/1".to_owned(), Start::Refused("no room".to_owned()));
    insta::assert_snapshot!(standing(&ended(&simulation)), @"
    e main tests failed
    e tests/0 shell passed
    e tests/1 shell skipped
    failed
    ");
}

#[test]
fn a_deadline_ends_a_unit_that_never_comes_to_be() {
    let mut simulation = simulated(
        "
  job: {activeDeadlineSeconds: 60}
  steps:
  - name: tests
    parallel: {count: 2, shell: 'sleep 1'}
",
    );
    simulation.world.starts.insert("tests/1".to_owned(), Start::Never);
    let ended = ended(&simulation);
    insta::assert_snapshot!(standing(&ended), @"
    e main tests aborted
    e tests/0 shell passed
    e tests/1 shell skipped
    aborted
    ");
    assert_eq!(ended.took.as_secs(), 60);
}

#[test]
fn a_unit_that_never_says_anything_is_given_up_after_its_time() {
    for (timeouts, seconds) in [("", 1800), ("timeouts: {initialization: 90s}", 90)] {
        let mut simulation = simulated(&format!("  {timeouts}\n  steps: [{{name: one, shell: 'sleep 1'}}]"));
        simulation.world.starts.insert("main".to_owned(), Start::Never);
        let ended = ended(&simulation);
        insta::allow_duplicates! {
            insta::assert_snapshot!(standing(&ended), @"
            e main one skipped
            aborted
            ");
        }
        assert_eq!(ended.took.as_secs(), seconds);
        assert!(ended.log().contains(": it is being made"), "what held it up is said: {}", ended.log());
    }
    let mut simulation = simulated("  steps: [{name: tests, parallel: {count: 2, shell: 'sleep 1'}}]");
    simulation.world.starts.insert("tests/1".to_owned(), Start::Never);
    let ended = ended(&simulation);
    assert_eq!((ended.status, ended.took.as_secs() / 60), (Some(Status::Failed), 30));
}

#[test]
fn so_many_failures_end_a_block() {
    let ended = run("
  steps:
  - name: tests
    parallel: {count: 5, parallelism: 2, maxFailures: 2, shell: 'sleep {{ index + 1 }}; exit {{ index < 3 ? 1 : 0 }}'}
");
    insta::assert_snapshot!(standing(&ended), @"
    e main tests failed
    e tests/0 shell failed
    e tests/1 shell failed
    e tests/2 shell aborted
    failed
    ");
}

#[test]
fn a_step_that_nobody_resumes_fails_and_what_always_runs_still_does() {
    let mut simulation = simulated(
        "
  steps:
  - {name: one, paused: true, negative: true, retry: {count: 3}, shell: 'sleep 1'}
  - {name: two, shell: 'sleep 1'}
  - {name: three, condition: always, paused: true, optional: true, shell: 'sleep 1'}
  - {name: four, condition: always, shell: 'sleep 1'}
  - {name: five, condition: always, parallel: {count: 2, steps: [{shell: 'sleep 20000'}, {paused: true, shell: 'sleep {{ index }}'}]}}
",
    );
    simulation.patience = Duration::from_hours(20);
    let ended = ended(&simulation);
    insta::assert_snapshot!(standing(&ended), @"
    e five/0 shell passed
    e five/0 shell-2 passed
    e five/1 shell passed
    e five/1 shell-2 passed
    e main five passed
    e main four passed
    e main one timeout
    e main three timeout
    e main two skipped
    failed
    ");
}

/// A step with a service that fails after five seconds, and a step behind it.
fn with_failing_service(on_failure: &str) -> Ended {
    ended(&simulated(&format!(
        "
  steps:
  - name: inner
    services:
      bad: {{image: x, restartPolicy: Never, {on_failure} shell: 'sleep 5; exit 1'}}
    steps:
    - {{name: one, retry: {{count: 3}}, shell: 'sleep 100'}}
    - {{name: two, shell: 'sleep 1'}}
    - {{name: always, condition: always, shell: 'sleep 1'}}
  - {{name: later, condition: failed, shell: 'sleep 1'}}
"
    )))
}

#[test]
fn a_step_fails_the_moment_its_service_does_where_the_service_says_so() {
    let ended = with_failing_service("onFailure: fail,");
    insta::assert_snapshot!(standing(&ended), @"
    e inner-services/bad/0 shell failed
    e main always passed
    e main inner failed
    e main inner-services passed
    e main inner-stop failed
    e main later passed
    e main one failed
    e main two skipped
    failed
    ");
    assert!(ended.took.as_secs() < 20, "{:?}", ended.took);
}

#[test]
fn a_service_whose_failure_is_ignored_does_not_fail_its_step() {
    assert_eq!(with_failing_service("onFailure: ignore,").status, Some(Status::Passed));
    assert_eq!(with_failing_service("").status, Some(Status::Failed));
}

#[test]
fn no_other_service_is_waited_for_when_one_has_failed_that_the_step_fails_of() {
    let services = |on_failure: &str| {
        run(&format!(
            "
  services:
    bad: {{image: x, restartPolicy: Never, {on_failure} shell: 'exit 1'}}
    slow: {{image: x, readinessProbe: {{exec: {{command: ['true']}}}}, shell: 'ready 50; sleep 1000'}}
  steps: [{{name: one, shell: 'sleep 1'}}]
"
        ))
    };
    assert!(services("onFailure: fail,").took.as_secs() < 20);
    assert!(services("").took.as_secs() >= 50);
}

/// A workflow whose step starts others, two of them at once.
fn parent(spec: &str, inner: &str) -> Simulation {
    simulated(&format!(
        "
{spec}
  steps: [{{name: go, execute: {{workflows: [{{name: inner, count: 2}}]}}}}]
---
kind: TestWorkflow
metadata: {{name: inner}}
spec:
{inner}
  steps: [{{name: sleeps, shell: 'sleep 100'}}]
"
    ))
}

#[test]
fn a_stop_that_ends_the_last_step_by_way_of_what_it_waits_for_is_no_failure() {
    for seed in 0..20 {
        let mut simulation = parent("", "");
        simulation.world = testudo_engine::sim::World::new(seed);
        simulation.controls.push((Duration::from_secs(10), Control::Stop(StopHow::Cancel, "enough".to_owned())));
        assert_eq!(ended(&simulation).status, Some(Status::Canceled), "seed {seed}");
    }
}

#[test]
fn executions_of_a_group_run_one_after_another() {
    let limit = "  concurrency: {max: 1}";
    let ended = ended(&parent("", limit));
    assert_eq!((ended.status, ended.took.as_secs() / 100), (Some(Status::Passed), 2));
    let ended = self::ended(&parent("", ""));
    assert_eq!((ended.status, ended.took.as_secs() / 100), (Some(Status::Passed), 1));
}

#[test]
fn whatever_an_execution_starts_has_its_place() {
    let limit = "  concurrency: {max: 1, group: g}";
    let ended = ended(&parent(limit, limit));
    assert_eq!((ended.status, ended.took.as_secs() / 100), (Some(Status::Passed), 1));
}

#[test]
fn an_execution_whose_turn_does_not_come_in_time_is_aborted_with_all_its_steps_skipped() {
    let ended = ended(&parent("", "  concurrency: {max: 1}\n  timeouts: {queue: 30s}"));
    let text = standing(&ended);
    let lines = text.lines().filter(|line| line.contains("sleeps"));
    let mut children: Vec<&str> = lines.filter_map(|line| line.rsplit(' ').next()).collect();
    children.sort_unstable();
    assert_eq!((ended.status, children), (Some(Status::Failed), vec!["passed", "skipped"]));
}
