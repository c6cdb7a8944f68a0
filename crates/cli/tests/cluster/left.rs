//! What is left of runs can be seen and cleared away.

use crate::{harness::until, room::Room};

#[test]
#[ignore = "needs a cluster"]
fn what_is_left_of_runs_is_listed_and_cleared_away() {
    let room = Room::new();
    let namespace = room.namespace();
    let kube = |verb: &str, more: &[&str]| room.place.ok(&[&["kube", verb, "-N", namespace], more].concat()).stdout;
    let jobs = || room.kubectl(&["get", "jobs", "-o", "name"]);
    let file = room.workflow("steps: [{parallel: {count: 2, shell: 'echo begun; sleep 60'}}]");
    let mut child = room.place.start(&["run", &file, "--runner", "kube", "-N", namespace]);
    until("both workers run", || {
        room.place.end(&["kube", "ls", "-N", namespace]).stdout.matches("running").count() == 3
    });
    let listed = kube("ls", &["--run", "demo-1"]);
    let units: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("demo-1  ")).collect();
    assert_eq!(units.len(), 3, "{listed}");
    assert!(units.iter().all(|line| line.contains("  running  ")), "{listed}");
    assert!(units.iter().any(|line| line.starts_with("main ")), "{listed}");
    let told = kube("ls", &["-o", "json"]);
    assert!(told.contains(r#""node":""#) && told.contains(r#""run":"demo-1""#), "{told}");

    // Somebody drives it; then nobody does, and it is too young to be given up.
    assert_eq!(kube("gc", &["--older-than", "0s"]), "");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(kube("gc", &[]), "");
    assert_eq!(kube("gc", &["--older-than", "0s", "--dry-run"]).lines().count(), 2);
    assert_eq!(jobs().lines().count(), 2);
    assert_eq!(kube("gc", &["--older-than", "0s"]).lines().count(), 2);
    until("nothing is left", || jobs().is_empty());
}

#[test]
#[ignore = "needs a cluster"]
fn the_next_run_clears_away_what_an_ended_one_has_left() {
    let room = Room::new();
    let run = || {
        let ended = room.run("steps: [{shell: 'sleep 2'}]", &[]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    };
    run();
    let told = room.place.ok(&["ls", "-o", "json"]).stdout;
    let id = told.split(r#""id":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let left = |name: &str, run: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  labels: {{app.kubernetes.io/managed-by: testudo, testudo.dev/root: {run}}}\n\
             spec: {{suspend: true, template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: busybox:1.35}}]}}}}}}\n"
        )
    };
    room.apply(&left("of-an-ended-run", &id));
    room.apply(&left("of-another-machine", "elsewhere"));
    // It is looked for now and then, not at every start.
    std::fs::remove_file(room.place.path().join("state/swept")).unwrap();
    run();
    assert_eq!(room.kubectl(&["get", "jobs", "-o", "name"]), "job.batch/of-another-machine\n");
}
