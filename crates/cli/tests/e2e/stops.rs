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
fn a_run_that_somebody_drives_is_not_recovered() {
    let place = Place::new();
    let child = start(&place, &[]);
    let refused = place.end(&["recover", "sleeper-1"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("at work by another testudo"), "{}", refused.stderr);
    signal(&child, "-TERM");
    child.wait_with_output().unwrap();
}
