//! How often testudo writes to the API server, by that server's own audit log. What it asks of pods is not a write.

use std::{fs, path::PathBuf, process::Command, thread, time::Duration};

use serde_json::Value;

use crate::harness::{Ended, Place, fixture, until};

/// Where the cluster of the tests writes down each request. Other clusters tell nobody.
fn audit() -> Option<PathBuf> {
    let script = fixture("x").with_file_name("../cluster/cluster");
    let own = Command::new(script).arg("kubeconfig").output().unwrap().stdout;
    let own = String::from_utf8_lossy(&own).trim().to_owned();
    if own != std::env::var("KUBECONFIG").unwrap_or_default() {
        println!("skipped: this cluster is not that of tests/cluster, which writes down who asked for what");
        return None;
    }
    Some(PathBuf::from(own).with_file_name("log/audit.jsonl"))
}

/// What testudo has written in a place's namespace.
fn writes(audit: &PathBuf, place: &Place) -> Vec<String> {
    let text = fs::read_to_string(audit).unwrap();
    let namespace = format!("\"namespace\":\"{}\"", place.cluster().name());
    let all = text.lines().filter(|line| line.contains(&namespace));
    let all = all.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = all.filter(|event| {
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
        !matches!(text("/verb"), "get" | "list" | "watch")
            && !text("/user/username").starts_with("system:")
            && !text("/userAgent").starts_with("kubectl")
            && text("/objectRef/subresource") != "portforward"
            && text("/stage") == "ResponseComplete"
    });
    let text = |event: &Value, path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    ours.map(|event| format!("{} {}", text(&event, "/verb"), text(&event, "/objectRef/resource"))).collect()
}

const HEAD: &str = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {name: writes}\nspec:\n";

#[test]
#[ignore = "needs a cluster"]
fn an_execution_of_one_step_takes_four_writes_and_none_while_it_runs() {
    let Some(audit) = audit() else { return };
    for image in ["", "busybox:1.35"] {
        let place = Place::on_cluster();
        let container = if image.is_empty() { String::new() } else { format!(", container: {{image: '{image}'}}") };
        let text = format!("{HEAD}  steps:\n  - {{shell: 'echo it runs; sleep 7'{container}}}\n");
        let file = place.write("writes.yaml", &text);
        let child = place.start(&["run", file.to_str().unwrap()]);
        until("it runs", || place.end(&["logs"]).stdout.contains("it runs"));
        // What the kubelet says of it comes a little later.
        thread::sleep(Duration::from_secs(2));
        let before = writes(&audit, &place);
        thread::sleep(Duration::from_secs(3));
        assert_eq!(writes(&audit, &place), before, "it writes while it has nothing to do");
        let ended: Ended = child.wait_with_output().unwrap().into();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        let all = writes(&audit, &place);
        println!("one step in {image:?}: {all:?}");
        assert!(!all.is_empty() && all.len() <= 4, "{all:?}");
        place.cluster().is_soon_empty();
    }
}

#[test]
#[ignore = "needs a cluster"]
fn a_block_of_workers_takes_no_write_a_worker() {
    let Some(audit) = audit() else { return };
    let place = Place::on_cluster();
    let text = format!("{HEAD}  steps:\n  - parallel: {{count: 10, parallelism: 5, shell: 'echo {{{{ index }}}}'}}\n");
    let file = place.write("writes.yaml", &text);
    let ended = place.end(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let all = writes(&audit, &place);
    println!("ten workers: {all:?}");
    // Those of the execution, and those of one Job.
    assert!(all.len() <= 8, "{all:?}");
    place.cluster().is_soon_empty();
}
