//! What the real binary prints where no terminal is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use insta::assert_snapshot;
use tempfile::TempDir;

/// A folder of its own for each test: workflow, state and artifacts.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn with(spec: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let head = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {name: demo}\nspec:\n  ";
        let spec = spec.replace('\n', "\n  ");
        fs::write(folder.path().join("demo.yaml"), format!("{head}{spec}")).unwrap();
        Bench { folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testudo"));
        let path = std::env::var("PATH").unwrap_or_default();
        command.current_dir(self.folder.path()).env_clear().env("PATH", path).env("LANG", "C.UTF-8");
        command.env("TESTUDO_STATE", self.folder.path().join("state")).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

/// What was printed, without what differs from run to run.
fn shown(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let times = regex::Regex::new(r"\b(\d+h )?(\d+m )?\d+(\.\d+)?m?s\b").unwrap();
    let text = times.replace_all(&text, "[time]").into_owned();
    let addresses = regex::Regex::new(r"\b127(\.\d+){3}").unwrap();
    addresses.replace_all(&text, "[address]").into_owned()
}

#[test]
fn one_command_is_shown_as_it_wrote() {
    let bench = Bench::with("steps:\n- name: Greet\n  shell: printf 'hello\\nworld'");
    let output = bench.run(&["run", "demo.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    assert_snapshot!(shown(&output), @r"
    demo #1 · on this machine as processes

    • (1/1) Greet
    hello
    world
    • passed in [time]

    ✓ passed in [time]
    ");
}

#[test]
fn a_failing_run_says_why_and_what_to_do() {
    let bench = Bench::with(
        "steps:
- name: Fine
  shell: echo fine
- name: Broken
  shell: echo about to fail; nosuchcommand
- name: Never
  shell: echo never",
    );
    let output = bench.run(&["run", "demo.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let text = shown(&output);
    assert_snapshot!(text, @r"
    demo #1 · on this machine as processes

    • (1/3) Fine
    fine
    • passed in [time]
    • (2/3) Broken
    about to fail
    sh: 2: nosuchcommand: not found
    • failed in [time]: exit code 127: command not found
    • (3/3) Never: skipped

    ✗ failed in [time]

    ✗ Broken
      exit code 127: command not found
      │ about to fail
      │ sh: 2: nosuchcommand: not found

      log       testudo logs demo-1 --step Broken
      again     testudo run demo.yaml
    ");
    // The command that it names really shows the step.
    let logs = bench.run(&["logs", "demo-1", "--step", "Broken"]);
    assert!(String::from_utf8(logs.stdout).unwrap().starts_with("about to fail\n"));
}

#[test]
fn lines_of_workers_have_names() {
    let bench = Bench::with(
        "steps:
- name: Tests
  parallel:
    matrix: {mode: [fast, slow]}
    parallelism: 1
    shell: echo I am {{ matrix.mode }}; test {{ matrix.mode }} = fast",
    );
    let output = bench.run(&["run", "demo.yaml"]);
    // Lines of different units come as they come.
    let text = shown(&output);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_by_key(|line| line.split_once("] ").map_or("", |(unit, _)| unit));
    assert_snapshot!(lines.join("\n"), @r"
    demo #1 · on this machine as processes

    • (1/1) Tests
    Parallelism: 2 instances requested: 2 combinations, run sequentially
    Failed to finish 1 out of 2 expected workers.
    • failed in [time]: 1 of 2 workers failed

    ✗ failed in [time]

    ✗ Tests   slow
      exit code 1
      │ I am slow

      log       testudo logs demo-1 --step Tests --worker slow
      again     testudo run demo.yaml
    [Tests#fast] • started
    [Tests#fast] I am fast
    [Tests#fast] • passed in [time]
    [Tests#slow] • started
    [Tests#slow] I am slow
    [Tests#slow] • failed in [time]: exit code 1
    ");
    let logs = bench.run(&["logs", "demo-1", "--step", "Tests", "--worker", "slow"]);
    assert_eq!(String::from_utf8(logs.stdout).unwrap(), "I am slow\n");
}

#[test]
fn in_a_ci_system_steps_fold() {
    let bench = Bench::with("steps:\n- name: Greet\n  shell: echo hello");
    let output = bench.command(&["run", "demo.yaml"]).env("CI", "true").env("GITHUB_ACTIONS", "true").output().unwrap();
    assert_snapshot!(shown(&output), @r"
    demo #1 · on this machine as processes

    ::group::(1/1) Greet
    hello
    ::endgroup::
    • passed in [time]

    ✓ passed in [time]
    ");
}

#[test]
fn without_utf_8_there_are_words_for_marks() {
    let bench = Bench::with("steps:\n- name: Greet\n  shell: exit 3");
    let output = bench.command(&["run", "demo.yaml"]).env("LC_ALL", "C").output().unwrap();
    assert!(output.stdout.is_ascii());
    assert_snapshot!(shown(&output), @r"
    demo #1 - on this machine as processes

    * (1/1) Greet
    * failed in [time]: exit code 3

    FAIL failed in [time]

    FAIL Greet
      exit code 3

      log       testudo logs demo-1 --step Greet
      again     testudo run demo.yaml
    ");
}

#[test]
fn events_are_an_object_a_line_and_nothing_else() {
    let bench = Bench::with("steps:\n- name: Greet\n  shell: echo hello");
    let output = bench.run(&["run", "demo.yaml", "-o", "json"]);
    let lines: Vec<serde_json::Value> =
        output.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(lines.first().unwrap()["event"]["event"], "created");
    assert_eq!(lines.last().unwrap()["event"]["status"], "passed");
    assert!(output.stderr.is_empty());
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let bench = Bench::with("steps:\n- shell: yes | head -c 3000000\n- shell: echo done");
    let mut child = bench.command(&["run", "demo.yaml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    let kept = bench.run(&["logs", "demo-1"]);
    assert_eq!(kept.stdout.len(), 3_000_000 + "done\n".len());
}

#[test]
fn an_interrupt_stops_in_order_and_says_so() {
    let bench = Bench::with(
        "steps:
- name: Wait
  shell: echo waiting; exec sleep 60
- name: Clean
  condition: always
  shell: echo cleaned",
    );
    let mut child = bench.command(&["run", "demo.yaml"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "waiting"), "output comes while the command runs");
    interrupt(&child);
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.contains(&"• stopping in order; press Ctrl-C again to kill".to_owned()), "{rest:#?}");
    assert!(rest.contains(&"cleaned".to_owned()), "{rest:#?}");
    assert!(rest.iter().any(|line| line.starts_with("! canceled after")), "{rest:#?}");
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[test]
fn a_plan_is_text_or_json() {
    let bench = Bench::with("steps:\n- name: Greet\n  shell: echo hello");
    assert_snapshot!(shown(&bench.run(&["plan", "demo.yaml"])), @r"
    demo · on this machine as processes

    1  Greet   sh echo hello
    ");
    let json = bench.run(&["plan", "demo.yaml", "-o", "json"]);
    let plan: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(plan["workflow"], "demo");
    assert!(!Path::new(&bench.file("artifacts")).exists());
}
