//! What a person gets for input that cannot work: where, what, and how to mend it; nothing half-done stays behind.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use crate::harness::{Ended, Place};

fn workflow(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata:\n  name: bad\nspec:\n{spec}")
}

fn refused(spec: &str) -> (Place, Ended) {
    let place = Place::new();
    let file = place.write("bad.yaml", &workflow(spec));
    let ended = place.end(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(2), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(place.ok(&["ls"]).stdout, "", "something was recorded");
    (place, ended)
}

#[track_caller]
fn says(ended: &Ended, parts: &[&str]) {
    for part in parts {
        assert!(ended.stderr.contains(part), "{part:?} is not in\n{}", ended.stderr);
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let (_, ended) = refused("steps:\n- name: one\n  shel: x\n- paralel: {}\n- retry: {}");
    says(
        &ended,
        &["bad.yaml:8:5", "did you mean `shell`", "bad.yaml:9:5", "did you mean `parallel`", "count", "3 errors"],
    );
}

#[test]
fn a_million_cells_are_refused_with_their_count_and_the_limit() {
    let place = Place::new();
    let list = "[1,2,3,4,5,6,7,8,9,10]";
    let keys: String = (0..6).map(|key| format!("      k{key}: {list}\n")).collect();
    let file =
        place.write("bad.yaml", &workflow(&format!("steps:\n- parallel:\n    matrix:\n{keys}    shell: 'true'")));
    let ended = place.end(&["run", file.to_str().unwrap()]);
    assert!(matches!(ended.code, Some(1 | 2)), "{}{}", ended.stdout, ended.stderr);
    let all = format!("{}{}", ended.stdout, ended.stderr).replace([',', '\u{2009}', '\u{202f}'], "");
    assert!(all.contains("1000000") && all.contains("10000"), "{all}");
}

#[test]
fn a_default_that_refers_to_itself_is_told() {
    let (_, ended) = refused(
        "config:\n  a: {default: '{{ config.b }}'}\n  b: {default: '{{ config.a }}'}\nsteps:\n- shell: echo {{ config.a }}",
    );
    says(&ended, &["config.a", "refers to itself"]);
}

#[test]
fn workflows_that_start_one_another_for_ever_are_refused_by_depth() {
    let place = Place::new();
    let file = place.write("loop.yaml", &workflow("steps:\n- execute: {workflows: [{name: bad}]}"));
    let ended = place.end(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1));
    let listed = place.ok(&["ls"]).stdout;
    assert_eq!(listed.lines().count(), 16, "{listed}");
    let logs = place.logs(&["bad-16"]);
    assert!(logs.contains("more than 16 deep"), "{logs}");
}

#[test]
fn a_missing_file_is_named() {
    let place = Place::new();
    let ended = place.end(&["run", "nowhere.yaml"]);
    assert_eq!(ended.code, Some(2));
    says(&ended, &["nowhere.yaml", "No such file"]);
}

#[test]
fn an_alias_bomb_and_a_file_of_ten_megabytes_end_quickly() {
    let place = Place::new();
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let refs = vec![format!("*a{}", level - 1); 10].join(",");
        bomb.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
    }
    let file = place.write("bomb.yaml", &bomb);
    let ended = place.end(&["lint", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let step = "- shell: echo a line that is as long as a line may be in a file that is long\n";
    let large = workflow(&format!("steps:\n{}", step.repeat(10 * 1024 * 1024 / step.len())));
    let file = place.write("large.yaml", &large);
    let ended = place.end(&["lint", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr.chars().take(500).collect::<String>());
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_runs() {
    if rustix::process::geteuid().is_root() {
        // Root may write anywhere: a file where a folder is needed stands in its way all the same.
        let place = Place::new();
        let file = place.write("ok.yaml", &workflow("steps:\n- shell: 'true'"));
        place.write("occupied", "");
        let ended = place.end(&["run", file.to_str().unwrap(), "--artifacts", "occupied/below"]);
        assert_eq!(ended.code, Some(2));
        says(&ended, &["artifacts cannot be kept in", "occupied/below"]);
        let mut command = place.testudo(&["ls"]);
        let ended: Ended = command.env("TESTUDO_STATE", place.path().join("occupied")).output().unwrap().into();
        assert_eq!(ended.code, Some(2));
        says(&ended, &["runs cannot be kept in", "occupied"]);
        return;
    }
    let place = Place::new();
    let file = place.write("ok.yaml", &workflow("steps:\n- shell: 'true'"));
    let closed = place.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    let ended = place.end(&["run", file.to_str().unwrap(), "--artifacts", "closed"]);
    assert_eq!(ended.code, Some(2));
    says(&ended, &["artifacts cannot be kept in", "closed"]);
}

#[test]
fn a_working_directory_that_cannot_be_made_is_a_warning() {
    let place = Place::new();
    let file = place.write(
        "dir.yaml",
        &workflow("container: {workingDir: /data}\nsteps:\n- workingDir: /proc/nothing/here\n  shell: pwd"),
    );
    place.ok(&["run", file.to_str().unwrap()]);
    let logs = place.logs(&[]);
    assert!(logs.starts_with("warn: error using /proc/nothing/here as working directory: "), "{logs}");
    assert!(logs.ends_with("\n/data\n"), "{logs}");
}

#[test]
fn a_full_disk_ends_the_run_and_says_so() {
    let place = Place::new();
    let small = place.path().join("small");
    fs::create_dir(&small).unwrap();
    let file =
        place.write("fill.yaml", &workflow("steps:\n- name: fill\n  shell: head -c 8000000 /dev/zero | tr '\\0' x"));
    let script = format!(
        "mount -t tmpfs -o size=2m tmpfs {small} && TESTUDO_STATE={small}/state exec {testudo} run {file} --artifacts {artifacts}",
        small = small.display(),
        testudo = crate::harness::binary().display(),
        file = file.display(),
        artifacts = place.path().join("artifacts").display(),
    );
    let unshare = if rustix::process::geteuid().is_root() { "-m" } else { "-mUr" };
    let ended: Ended =
        Command::new("unshare").args([unshare, "sh", "-c", &script]).env("NO_COLOR", "1").output().unwrap().into();
    assert_ne!(ended.code, Some(0));
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains("No space left on device"), "{all}");
}

#[test]
fn the_references_reading_of_a_status_can_be_had() {
    let steps =
        "steps:\n- name: slow\n  timeout: 200ms\n  shell: sleep 5\n- {name: last, condition: always, shell: 'true'}";
    for (system, status) in [("", "failed"), ("system: {status: reference}\n", "aborted")] {
        let place = Place::new();
        let file = place.write("status.yaml", &workflow(&format!("{system}{steps}")));
        assert_eq!(place.end(&["run", file.to_str().unwrap()]).code, Some(1));
        let listed = place.ok(&["ls"]).stdout;
        assert!(listed.contains(status), "{listed}");
    }
}

#[test]
fn what_is_not_carried_out_is_said_in_the_plan() {
    let place = Place::new();
    let file = place.write(
        "notes.yaml",
        &workflow("system: {onDisruption: rerun}\nsteps:\n- parallel: {count: 2, balance: count, shell: 'true'}"),
    );
    let plan = place.ok(&["plan", file.to_str().unwrap()]);
    for field in ["system.onDisruption", "parallel.balance"] {
        assert!(plan.stdout.contains(field), "{field}: {}", plan.stdout);
    }
}
