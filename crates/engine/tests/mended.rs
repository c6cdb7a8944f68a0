//! What once went wrong, each under its name.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use testudo_core::run::{Event, Status, StopHow};
use testudo_engine::{
    Control,
    sim::{AgentEnd, AgentFault, Ended, EngineEnd, EngineFault, Moment, Odds, Simulation},
};

fn simulated(spec: &str) -> Simulation {
    let inner = "
kind: TestWorkflow
metadata: {name: inner}
spec:
  steps:
  - {name: first, shell: 'sleep 5; echo 7 > /testkube/outputs/n'}
  - {name: second, shell: 'sleep 5'}
---
kind: TestWorkflow
metadata: {name: lingers}
spec:
  steps: [{name: slow, shell: 'linger 20; sleep 100'}]
---
kind: TestWorkflow
metadata: {name: waits}
spec:
  steps: [{name: wait, paused: true, shell: 'sleep 1'}]
";
    let yaml = format!("kind: TestWorkflow\nmetadata: {{name: w}}\nspec:\n{spec}\n---{inner}");
    Simulation::new(7, &yaml).unwrap()
}

fn ended(simulation: &Simulation) -> Ended {
    let ended = simulation.run().unwrap();
    assert_eq!(ended.complaints(), Vec::<String>::new(), "{:?}\n{}", simulation.engines, ended.log());
    ended
}

fn child(ended: &Ended, id: &str) -> Option<Status> {
    ended.executions[id].ended().map(|(status, _)| status)
}

#[test]
fn a_connection_that_falls_silent_is_given_up_though_heartbeats_go_out() {
    let mut simulation = simulated("  steps: [{name: one, shell: 'noise 9000; sleep 100; noise 9000'}]");
    simulation.faults.odds = Odds { mute: 100, ..Odds::default() };
    let ended = ended(&simulation);
    assert_eq!(ended.status, Some(Status::Passed));
    assert_eq!(ended.book.orphaned, [].into());
}

#[test]
fn an_engine_that_lost_a_child_to_another_does_not_say_that_the_child_has_ended() {
    let mut simulation = simulated("  steps: [{name: go, execute: {workflows: [{name: inner}]}}]");
    for append in 1..40 {
        simulation.engines = vec![EngineFault {
            moment: Moment::Append(append),
            how: EngineEnd::Stalls(Duration::from_secs(3)),
            gap: Duration::from_millis(500),
        }];
        let ended = ended(&simulation);
        assert_eq!((ended.status, child(&ended, "e.go+0.0")), (Some(Status::Passed), Some(Status::Passed)), "{append}");
    }
}

#[test]
fn an_execution_that_was_only_set_off_goes_on_when_its_parent_has_nothing_left_to_do() {
    let ended = ended(&simulated("  steps: [{name: go, execute: {async: true, workflows: [{name: inner}]}}]"));
    assert_eq!((ended.status, child(&ended, "e.go+0.0")), (Some(Status::Passed), Some(Status::Passed)));
}

#[test]
fn a_cancel_ends_executions_that_were_only_set_off() {
    for condition in ["passed", "always"] {
        let spec = format!(
            "  steps: [{{name: go, condition: {condition}, execute: {{async: true, workflows: [{{name: inner}}]}}}}]"
        );
        let mut simulation = simulated(&spec);
        simulation.controls = vec![(Duration::from_secs(3), Control::Stop(StopHow::Cancel, "enough".to_owned()))];
        let ended = ended(&simulation);
        assert_eq!(child(&ended, "e.go+0.0"), Some(Status::Canceled));
        assert_eq!(ended.took.as_secs(), 3);
    }
}

#[test]
fn a_pause_in_an_execution_that_a_step_started_can_be_lifted() {
    let ended = ended(&simulated("  steps: [{name: go, execute: {workflows: [{name: waits}]}}]"));
    assert_eq!(ended.status, Some(Status::Passed));
}

#[test]
fn a_block_of_a_step_that_always_runs_still_runs_after_a_stop_within_its_window() {
    let mut simulation = simulated(
        "
  steps:
  - {name: one, shell: 'sleep 100'}
  - {name: clean, condition: always, parallel: {count: 2, parallelism: 1, shell: 'sleep 10'}}
  - {name: slow, condition: always, parallel: {count: 2, parallelism: 1, shell: 'sleep 100'}}",
    );
    simulation.controls = vec![(Duration::from_secs(5), Control::Stop(StopHow::Cancel, "enough".to_owned()))];
    let ended = ended(&simulation);
    let steps: Vec<_> = ended.steps().into_iter().filter(|((_, _, step), _)| step != "root").collect();
    let steps: Vec<_> = steps.into_iter().map(|((_, unit, step), status)| format!("{unit} {step} {status}")).collect();
    insta::assert_snapshot!(steps.join("\n"), @"
    clean/0 shell passed
    clean/1 shell passed
    main clean passed
    main one canceled
    main slow canceled
    slow/0 shell aborted
    ");
    assert_eq!(ended.took.as_secs(), 65);
}

#[test]
fn two_engines_that_keep_the_same_pack_do_not_spoil_it() {
    let spec = "
  steps:
  - {name: one, shell: 'fill 600000 > /data/x', artifacts: {paths: ['/data/x']}}
  - {name: two, shell: 'sleep 5'}";
    let mut simulation = simulated(spec);
    // Somewhere in this time the pack is read.
    for millis in (420..470).step_by(4) {
        simulation.engines = vec![EngineFault {
            moment: Moment::After(Duration::from_millis(millis)),
            how: EngineEnd::Stalls(Duration::from_secs(3)),
            gap: Duration::ZERO,
        }];
        assert_eq!(ended(&simulation).status, Some(Status::Passed), "{millis}");
    }
}

#[test]
fn services_of_one_name_in_two_steps_are_two_units() {
    let step = |name: &str| {
        format!(
            "
  - name: {name}
    services: {{db: {{image: x, shell: 'noise 2000; sleep 1000'}}}}
    steps: [{{name: {name}-use, shell: 'sleep 1'}}, {{name: {name}-again, shell: 'sleep 1'}}]"
        )
    };
    let parallel = "
  - {name: db, parallel: {count: 1, shell: 'sleep 1'}}";
    let ended = ended(&simulated(&format!("  steps:{}{}{parallel}", step("a"), step("b"))));
    assert_eq!(ended.status, Some(Status::Passed));
    let units: Vec<_> = ended.executions["e"].units().map(|(key, _)| key.to_string()).collect();
    assert_eq!(units, ["a-services/db/0", "b-services/db/0", "db/0", "main"]);
}

#[test]
fn what_a_person_ends_at_once_ends_at_once_in_children_too() {
    let mut simulation = simulated("  steps: [{name: go, execute: {workflows: [{name: lingers}]}}]");
    for how in [StopHow::Cancel, StopHow::Kill] {
        simulation.controls = vec![(Duration::from_secs(5), Control::Stop(how, "enough".to_owned()))];
        let ended = ended(&simulation);
        assert_eq!(child(&ended, "e.go+0.0"), Some(Status::Canceled));
        assert_eq!(ended.took.as_secs(), if how == StopHow::Kill { 5 } else { 25 });
    }
}

#[test]
fn a_unit_that_was_lost_while_it_was_paused_does_not_pause_the_execution() {
    let mut simulation = simulated(
        "
  steps:
  - name: tests
    parallel: {count: 1, steps: [{name: wait, shell: 'sleep 1'}, {name: then, paused: true, shell: 'sleep 1'}]}
  - {name: after, condition: always, shell: 'sleep 100'}",
    );
    // One of these is the one that says so.
    for reports in 5..10 {
        simulation.faults.agents = vec![AgentFault { nth: 1, reports, how: AgentEnd::Dies }];
        let log = ended(&simulation).stores["e"].journal.events();
        assert!(!log.iter().any(|event| matches!(event, Event::ResumeRequested { .. })), "{reports}");
    }
}

#[test]
fn after_a_recovery_that_missed_nothing_output_is_shown_as_it_grows() {
    let steps: Vec<_> = (0..6).map(|n| format!("{{name: s{n}, shell: 'echo hello; sleep 10'}}")).collect();
    let mut simulation = simulated(&format!("  steps: [{}]", steps.join(", ")));
    // In the middle of a step: all that was said before is kept.
    let (moment, how) = (Moment::After(Duration::from_secs(25)), EngineEnd::Dies);
    simulation.engines = vec![EngineFault { moment, how, gap: Duration::ZERO }];
    let shown = ended(&simulation).shown;
    let seconds: std::collections::BTreeSet<_> = shown.iter().map(|(when, ..)| when.as_secs() / 10).collect();
    assert_eq!(seconds, [0, 1, 2, 3, 4, 5, 6].into(), "{shown:?}");
}
