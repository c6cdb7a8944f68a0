//! Runs that wait for one another: `spec.concurrency` and `spec.timeouts.queue`.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command},
};

use crate::harness::{Ended, Place, until};

/// A workflow whose step lasts until a file of its run's name with `.go` is there, and says in others that it is reached.
fn workflow(place: &Place, name: &str, spec: &str) -> String {
    let marks = place.path().join("marks");
    fs::create_dir_all(&marks).unwrap();
    let marks = marks.display();
    let text = format!(
        "
apiVersion: testworkflows.testkube.io/v1
kind: TestWorkflow
metadata: {{name: {name}}}
spec:
{spec}
  steps:
  - name: holds
    shell: |
      touch {marks}/{{{{ execution.name }}}}
      until [ -e {marks}/{{{{ execution.name }}}}.go ]; do sleep 0.05; done
"
    );
    place.write(&format!("{name}.yaml"), &text).display().to_string()
}

fn has_begun(place: &Place, run: &str) -> bool {
    place.path().join("marks").join(run).exists()
}

fn let_go(place: &Place, run: &str) {
    place.write(&format!("marks/{run}.go"), "");
}

/// A run that has begun.
fn holder(place: &Place, file: &str, run: &str) -> Child {
    let child = place.start(&["run", file]);
    until("it has begun", || has_begun(place, run));
    child
}

/// A run that waits, and has said for whom.
fn waiter(place: &Place, file: &str, names: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = place.start(&["run", file]);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting for") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended without a word");
    }
    assert!(line.trim_end().ends_with(&format!("waiting for {names}")), "{line}");
    (child, lines)
}

fn status(place: &Place, run: &str) -> String {
    let listed = place.ok(&["ls"]).stdout;
    let line = listed.lines().find(|line| line.split_whitespace().next() == Some(run));
    line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_default().to_owned()
}

fn passes(child: Child) {
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn the_oldest_that_waits_begins_when_there_is_room() {
    let place = Place::new();
    let file = workflow(&place, "one", "  concurrency: {max: 1}");
    let first = holder(&place, &file, "one-1");
    let (second, _lines) = waiter(&place, &file, "one-1");
    let (third, _other_lines) = waiter(&place, &file, "one-1, one-2");
    assert_eq!([status(&place, "one-1"), status(&place, "one-2")], ["running", "queued"]);
    let mut watcher = place.start(&["watch", "one-3"]);
    let mut watched = BufReader::new(watcher.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(watched.any(|line| line.ends_with("waiting for one-1, one-2")));
    let_go(&place, "one-1");
    passes(first);
    until("the second begins", || has_begun(&place, "one-2"));
    assert_eq!(status(&place, "one-3"), "queued");
    let_go(&place, "one-3");
    let_go(&place, "one-2");
    passes(second);
    passes(third);
    watcher.wait().unwrap();
}

#[test]
fn a_group_is_shared_by_workflows_and_has_as_many_places_as_it_says() {
    let place = Place::new();
    let group = "  concurrency: {max: 2, group: some / where}";
    let [one, two] = ["one", "two"].map(|name| workflow(&place, name, group));
    let running = [holder(&place, &one, "one-1"), holder(&place, &two, "two-1")];
    let (third, _lines) = waiter(&place, &two, "one-1, two-1");
    let other = workflow(&place, "other", "  concurrency: {max: 1, group: somewhere else}");
    let outsider = holder(&place, &other, "other-1");
    for run in ["two-1", "two-2", "one-1", "other-1"] {
        let_go(&place, run);
    }
    passes(third);
    running.into_iter().chain([outsider]).for_each(passes);
}

#[test]
fn a_run_whose_testudo_is_killed_makes_room_and_comes_back_all_the_same() {
    let place = Place::new();
    let file = workflow(&place, "one", "  concurrency: {max: 1}");
    let mut first = holder(&place, &file, "one-1");
    let (mut second, _lines) = waiter(&place, &file, "one-1");
    let (third, _other_lines) = waiter(&place, &file, "one-1, one-2");
    // One that is killed while it waits is out of the line, and back in its place when it is fetched.
    second.kill().unwrap();
    second.wait().unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    until("the third begins", || has_begun(&place, "one-3"));
    // What had begun goes on at once: its unit has never stopped.
    let first = place.start(&["recover", "one-1"]);
    let second = place.start(&["recover", "one-2"]);
    until("the second waits again", || status(&place, "one-2") == "queued");
    let_go(&place, "one-1");
    passes(first);
    assert!(!has_begun(&place, "one-2"), "the third still runs");
    let_go(&place, "one-3");
    let_go(&place, "one-2");
    passes(third);
    passes(second);
}

#[test]
fn the_oldest_is_canceled_for_a_new_one_where_the_workflow_says_so() {
    let place = Place::new();
    let file = workflow(&place, "one", "  concurrency: {max: 1, cancelInProgress: true}");
    let first = holder(&place, &file, "one-1");
    let (second, _lines) = waiter(&place, &file, "one-1");
    let ended: Ended = first.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("stopping: one-2 takes its place"), "{}", ended.stdout);
    assert_eq!(status(&place, "one-1"), "canceled");
    let_go(&place, "one-2");
    passes(second);
}

#[test]
fn a_run_that_waits_ends_when_it_is_asked_to_and_nothing_of_it_starts() {
    let place = Place::new();
    let file = workflow(&place, "one", "  concurrency: {max: 1}");
    let first = holder(&place, &file, "one-1");
    let (interrupted, _lines) = waiter(&place, &file, "one-1");
    let id = interrupted.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(interrupted.wait_with_output().unwrap().status.code(), Some(130));
    let (canceled, _lines) = waiter(&place, &file, "one-1");
    place.ok(&["cancel", "one-3"]);
    assert_eq!(canceled.wait_with_output().unwrap().status.code(), Some(1));
    for run in ["one-2", "one-3"] {
        assert_eq!(status(&place, run), "canceled");
        let log = fs::read_to_string(place.execution(run).join("log")).unwrap();
        assert!(!log.contains("\"met\""), "{log}");
        assert!(!has_begun(&place, run));
    }
    let_go(&place, "one-1");
    passes(first);
}

#[test]
fn a_run_does_not_wait_longer_than_its_limit() {
    let place = Place::new();
    let file = workflow(&place, "one", "  concurrency: {max: 1}\n  timeouts: {queue: 1s}");
    let first = holder(&place, &file, "one-1");
    let ended = place.end(&["run", &file]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("stopping: its turn did not come within 1s"), "{}", ended.stdout);
    assert_eq!(status(&place, "one-2"), "aborted");
    assert!(!has_begun(&place, "one-2"));
    let_go(&place, "one-1");
    passes(first);
}

#[test]
fn an_execution_that_another_one_starts_waits_like_any_run() {
    let place = Place::new();
    let limit = "  concurrency: {max: 1}";
    let child = workflow(&place, "child", limit);
    let text = format!(
        "
apiVersion: testworkflows.testkube.io/v1
kind: TestWorkflow
metadata: {{name: parent}}
spec:
{limit}
  steps:
  - execute: {{workflows: [{{name: child}}]}}
"
    );
    let parent = place.write("parent.yaml", &text).display().to_string();
    let first = holder(&place, &child, "child-1");
    let waits = place.start(&["run", &parent]);
    until("the child waits", || status(&place, "child-2") == "queued");
    // A stop of the parent reaches it.
    place.ok(&["cancel", "parent-1"]);
    let ended: Ended = waits.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("waiting for child-1"), "{}", ended.stdout);
    assert_eq!([status(&place, "parent-1"), status(&place, "child-2")], ["canceled", "canceled"]);
    assert!(!has_begun(&place, "child-2"));
    let waits = place.start(&["run", &parent]);
    until("the child waits", || status(&place, "child-3") == "queued");
    let_go(&place, "child-1");
    let_go(&place, "child-3");
    passes(first);
    passes(waits);
}
