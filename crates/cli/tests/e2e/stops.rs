//! How runs end before their time: Ctrl-C once and twice, and a testudo that never comes back.

use std::{fs, process::Command};

use crate::harness::{Ended, Place, until};

const SLEEPER: &str = "
apiVersion: testworkflows.testkube.io/v1
kind: TestWorkflow
metadata: {name: sleeper}
spec:
  steps:
  - name: sleeps
    shell: |
      trap 'echo told to end; exit 9' TERM
      touch \"$MARK\"
      while :; do sleep 0.1; done
    artifacts:
      paths: [/data/left/*.txt]
    setup:
    - shell: mkdir -p /data/left; echo kept > /data/left/file.txt
  - name: owed
    condition: always
    shell: echo owed
  - name: not owed
    shell: echo not owed
";

fn start(place: &Place, more: &[&str]) -> std::process::Child {
    let file = place.write("sleeper.yaml", SLEEPER);
    let mark = place.path().join("mark");
    let env = format!("MARK={}", mark.display());
    let args: Vec<&str> =
        ["run", file.to_str().unwrap(), "--env", &env].into_iter().chain(more.iter().copied()).collect();
    let child = place.start(&args);
    until("the step runs", || mark.exists());
    child
}

fn signal(child: &std::process::Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Processes that have the place in their environment or arguments.
fn left_over(place: &Place) -> Vec<String> {
    let needle = place.path().to_string_lossy().into_owned();
    let own = std::process::id().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|entry| entry.file_name() != own.as_str())
        .filter_map(|entry| {
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let text = String::from_utf8_lossy(&[read("cmdline"), read("environ")].concat()).into_owned();
            text.contains(&needle).then(|| entry.file_name().to_string_lossy().into_owned())
        })
        .collect()
}

#[test]
fn ctrl_c_once_stops_in_order_and_keeps_what_always_runs() {
    let place = Place::new();
    let child = start(&place, &[]);
    signal(&child, "-INT");
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(130), "{}{}", ended.stdout, ended.stderr);
    let logs = place.logs(&[]);
    assert!(logs.contains("told to end") && logs.contains("owed\n"), "{logs}");
    assert!(!logs.contains("not owed"), "{logs}");
    assert!(place.artifacts("sleeper-1").contains(&"data/left/file.txt".to_owned()));
    assert!(place.ok(&["ls"]).stdout.contains("canceled"));
    until("nothing is left", || left_over(&place).is_empty());
}

#[test]
fn ctrl_c_twice_kills() {
    let place = Place::new();
    let file = place.write(
        "stubborn.yaml",
        "
apiVersion: testworkflows.testkube.io/v1
kind: TestWorkflow
metadata: {name: stubborn}
spec:
  steps:
  - shell: |
      trap '' TERM INT HUP
      touch \"$MARK\"
      while :; do sleep 0.1; done
",
    );
    let mark = place.path().join("mark");
    let child = place.start(&["run", file.to_str().unwrap(), "--env", &format!("MARK={}", mark.display())]);
    until("the step runs", || mark.exists());
    signal(&child, "-INT");
    until("the stop is written down", || {
        crate::harness::files(&place.path().join("state")).iter().any(|path| {
            path.file_name().is_some_and(|name| name == "log")
                && fs::read_to_string(path).unwrap_or_default().contains("stopRequested")
        })
    });
    signal(&child, "-INT");
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(130), "{}{}", ended.stdout, ended.stderr);
    until("nothing is left", || left_over(&place).is_empty());
}

#[test]
fn a_unit_that_nobody_fetches_back_stops_by_itself() {
    let place = Place::new();
    let mut child = start(&place, &["--orphan-timeout", "1"]);
    child.kill().unwrap();
    child.wait().unwrap();
    until("the unit has ended", || left_over(&place).is_empty());
    // Whoever comes too late finds out how it ended.
    let ended = place.end(&["recover", "sleeper-1"]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(place.ok(&["ls"]).stdout.contains("aborted"));
}

#[test]
fn another_terminal_stops_a_run_in_order_and_asked_again_kills_it() {
    let place = Place::new();
    let child = start(&place, &[]);
    let asked = place.ok(&["cancel"]);
    assert!(asked.stderr.contains("sleeper-1: asked to cancel"), "{}", asked.stderr);
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("stopping: asked to by `testudo cancel`"), "{}", ended.stdout);
    assert!(place.logs(&[]).contains("owed\n"));
    assert!(place.ok(&["ls"]).stdout.contains("canceled"));
    let again = place.end(&["cancel", "sleeper-1"]);
    assert_eq!(again.code, Some(3), "{}", again.stderr);
    assert!(again.stderr.contains("it has ended (canceled)"), "{}", again.stderr);

    fs::remove_file(place.path().join("mark")).unwrap();
    let child = start(&place, &[]);
    place.ok(&["stop", "--force", "sleeper-2"]);
    assert_eq!(Ended::from(child.wait_with_output().unwrap()).code, Some(1));
    assert!(!place.logs(&["sleeper-2"]).contains("owed"));
    until("nothing is left", || left_over(&place).is_empty());
}

#[test]
fn whoever_watches_sees_all_of_a_run_and_ends_as_it_ends() {
    let place = Place::new();
    let child = start(&place, &[]);
    let watcher = place.start(&["watch", "sleeper-1"]);
    let machine = place.start(&["attach", "-o", "json"]);
    place.ok(&["cancel"]);
    let seen: Ended = watcher.wait_with_output().unwrap().into();
    let own: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(seen.code, own.code, "{}{}", seen.stdout, seen.stderr);
    for line in ["(1/5)", "told to end", "owed\n", "canceled"] {
        assert!(seen.stdout.contains(line), "{line}: {}", seen.stdout);
    }
    let events: Ended = machine.wait_with_output().unwrap().into();
    let events: Vec<&str> = events.stdout.lines().collect();
    assert!(events[0].contains("\"created\"") && events[events.len() - 1].contains("\"ended\""), "{events:?}");
    // One that has ended is shown the same way.
    let again = place.end(&["watch", "sleeper-1"]);
    assert_eq!((again.code, again.stdout.contains("told to end")), (Some(1), true), "{}", again.stdout);
}

#[test]
fn all_lost_runs_are_carried_on_at_once() {
    let place = Place::new();
    let mut killed = Vec::new();
    for number in 1..=2 {
        let mut child = start(&place, &["--orphan-timeout", "60"]);
        child.kill().unwrap();
        child.wait().unwrap();
        killed.push(format!("sleeper-{number}"));
        fs::remove_file(place.path().join("mark")).unwrap();
    }
    let refused = place.end(&["cancel", "sleeper-1"]);
    assert!(refused.stderr.contains("`testudo recover sleeper-1` carries it on"), "{}", refused.stderr);
    let child = place.start(&["recover", "--all"]);
    until("both are driven", || killed.iter().all(|name| place.end(&["cancel", name]).code == Some(0)));
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    for name in &killed {
        assert!(ended.stdout.contains(&format!("[{name}] ")), "{}", ended.stdout);
    }
    assert_eq!(place.ok(&["ls"]).stdout.matches("canceled").count(), 2);
    assert!(place.ok(&["recover", "--all"]).stderr.contains("no run is lost"));
    until("nothing is left", || left_over(&place).is_empty());
}

#[test]
fn a_run_that_somebody_drives_is_not_recovered() {
    let place = Place::new();
    let child = start(&place, &[]);
    let refused = place.end(&["recover", "sleeper-1"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("at work by another testudo"), "{}", refused.stderr);
    signal(&child, "-TERM");
    child.wait_with_output().unwrap();
}
