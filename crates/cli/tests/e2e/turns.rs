//! Containers of a pod that follow one another: `spec.system.layout: sequential`.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Ended, Place, until};

/// Writes a workflow down whose pods stay; its file.
fn workflow(place: &Place, spec: &Value) -> String {
    let mut spec = spec.clone();
    spec["system"] = json!({"layout": "sequential", "keepPod": "always"});
    let api = "testworkflows.testkube.io/v1";
    let workflow = json!({"apiVersion": api, "kind": "TestWorkflow", "metadata": {"name": "turns"}, "spec": spec});
    place.write("turns.yaml", &workflow.to_string()).to_str().unwrap().to_owned()
}

/// A step with a container of its own.
fn step(image: Option<&str>, requests: &Value, script: &str) -> Value {
    let mut container = json!({"resources": {"requests": requests}});
    if let Some(image) = image {
        container["image"] = json!(image);
    }
    json!({"container": container, "shell": script})
}

const BUSYBOX: Option<&str> = Some("busybox:1.35");
const PYTHON: Option<&str> = Some("python:3");

/// Says so whatever came before.
fn always(mut step: Value) -> Value {
    step["condition"] = json!("always");
    step
}

/// Names of the containers of a pod's steps with how each has ended, in the order in which they are started.
fn ends(pod: &Value) -> Vec<(String, Option<i64>)> {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses = lists.iter().flat_map(|list| pod.pointer(list).and_then(Value::as_array).into_iter().flatten());
    let named = statuses.filter_map(|status| {
        let name = status["name"].as_str()?.to_owned();
        let code = status.pointer("/state/terminated/exitCode").and_then(Value::as_i64);
        name.starts_with("unit").then_some((name, code))
    });
    named.collect()
}

/// What a scheduler takes a pod to ask for, in thousandths of a CPU or in Mi.
fn asked(pod: &Value, resource: &str) -> u64 {
    let of = |container: &Value| {
        let text = container.pointer(&format!("/resources/requests/{resource}")).and_then(Value::as_str);
        let text = text.unwrap_or("0");
        text.trim_end_matches("Mi").trim_end_matches('m').parse::<u64>().expect("this is how the test writes it")
    };
    let (mut all_the_time, mut most) = (0, 0);
    for one in pod["spec"]["initContainers"].as_array().unwrap() {
        if one["restartPolicy"] == "Always" {
            all_the_time += of(one);
            most = most.max(all_the_time);
        } else {
            most = most.max(all_the_time + of(one));
        }
    }
    let ordinary: u64 = pod["spec"]["containers"].as_array().unwrap().iter().map(of).sum();
    most.max(all_the_time + ordinary)
}

/// The pods of a namespace, once the kubelet has nothing left to do for them.
fn ended(place: &Place) -> Vec<Value> {
    let pods = || place.cluster().list("pods");
    let is_over = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    until("its pods have ended", || pods().iter().all(is_over));
    pods()
}

#[test]
#[ignore = "needs a cluster"]
fn containers_follow_one_another_and_ask_for_the_most_that_one_of_them_does() {
    let place = Place::on_cluster();
    let spec = json!({
        "content": {"files": [{"path": "/etc/turns/given", "content": "given\n"}]},
        "steps": [
            step(BUSYBOX, &json!({"cpu": "100m", "memory": "32Mi"}), "cp /etc/turns/given /data/said; sleep 600 &"),
            {"shell": "cat /data/said"},
            step(PYTHON, &json!({"cpu": "200m", "memory": "64Mi"}), "python -c 'print(\"python\")' >> /data/said"),
            step(None, &json!({"cpu": "50m", "memory": "96Mi"}), "cat /data/said; echo ours > /data/ours"),
            {
                "container": {"image": "busybox:1.35", "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}}},
                "shell": "cat /data/said /data/ours /etc/turns/given",
                "artifacts": {"paths": ["/data/said"]},
            },
        ],
    });
    let run = place.end(&["run", &workflow(&place, &spec)]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let logs = place.logs(&[]);
    assert!(logs.starts_with("given\ngiven\npython\ngiven\npython\nours\ngiven\n"), "{logs}");
    assert_eq!(place.artifacts("turns-1"), ["data/said"]);
    let pods = ended(&place);
    let [pod] = &pods[..] else { panic!("{pods:?}") };
    assert_eq!(pod["status"]["phase"], "Succeeded", "{pod}");
    let names = ["unit", "unit-2", "unit-3", "unit-4", "unit-5"];
    assert_eq!(ends(pod), names.map(|name| (name.to_owned(), Some(0))));
    assert_eq!((asked(pod, "cpu"), asked(pod, "memory")), (210, 128));
}

#[test]
#[ignore = "needs a cluster"]
fn what_follows_a_failure_runs_where_it_always_does() {
    let place = Place::on_cluster();
    let some = json!({"cpu": "10m"});
    let spec = json!({
        "steps": [
            step(BUSYBOX, &some, "echo first"),
            step(PYTHON, &some, "echo second; exit 3"),
            step(None, &some, "echo not owed"),
            always(step(BUSYBOX, &some, "echo owed")),
            step(PYTHON, &some, "echo not owed"),
        ],
    });
    let run = place.end(&["run", &workflow(&place, &spec)]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert_eq!(place.logs(&[]), "first\nsecond\nowed\n");
    let pods = ended(&place);
    // What is skipped makes room; what nobody waits for is not started.
    let (done, failed, absent) = (Some(0), Some(1), None);
    let codes: Vec<_> = ends(&pods[0]).into_iter().map(|(_, code)| code).collect();
    assert_eq!(codes, [done, done, done, done, failed, absent], "{}", pods[0]);
}

#[test]
#[ignore = "needs a cluster"]
fn a_stop_in_the_middle_leaves_what_always_runs_its_turn() {
    let place = Place::on_cluster();
    let some = json!({"cpu": "10m"});
    let sleeper = "trap 'echo told to end; exit 9' TERM\necho sleeping\nwhile :; do sleep 0.1; done";
    let spec = json!({
        "steps": [
            step(BUSYBOX, &some, "echo first"),
            step(PYTHON, &some, sleeper),
            always(step(None, &some, "echo owed")),
            step(BUSYBOX, &some, "echo not owed"),
        ],
    });
    let child = place.start(&["run", &workflow(&place, &spec)]);
    until("the step runs", || place.end(&["logs"]).stdout.contains("sleeping"));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let run = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{}{}", run.stdout, run.stderr);
    let logs = place.logs(&[]);
    assert!(logs.starts_with("first\nsleeping\n") && logs.ends_with("told to end\nowed\n"), "{logs}");
    assert_eq!(ended(&place).len(), 1);
}

/// A worker that fails in the middle gives its place to the next.
#[test]
#[ignore = "needs a cluster"]
fn workers_come_in_turn_where_their_run_does() {
    let place = Place::on_cluster();
    let some = json!({"cpu": "10m"});
    let steps = [
        step(BUSYBOX, &some, "echo first; [ {{ index }} != 0 ]"),
        step(PYTHON, &some, "echo second"),
        step(None, &some, "echo third"),
    ];
    let spec = json!({"steps": [{"parallel": {"count": 3, "parallelism": 1, "steps": steps}}]});
    let run = place.end(&["run", &workflow(&place, &spec)]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert_eq!(place.logs(&["--worker", "parallel/0"]), "first\n");
    for worker in ["parallel/1", "parallel/2"] {
        assert_eq!(place.logs(&["--worker", worker]), "first\nsecond\nthird\n");
    }
}

#[test]
#[ignore = "needs a cluster"]
fn a_pod_that_is_taken_away_ends_in_order_whosever_turn_it_is() {
    for turn in ["first", "last"] {
        let place = Place::on_cluster();
        let some = json!({"cpu": "10m"});
        let script =
            |name: &str| if name == turn { format!("echo {name} sleeps; sleep 60") } else { "echo x".to_owned() };
        let spec = json!({
            "steps": [
                step(BUSYBOX, &some, &script("first")),
                step(PYTHON, &some, &script("last")),
                always(json!({"shell": "echo owed"})),
            ],
        });
        let child = place.start(&["run", &workflow(&place, &spec)]);
        until("the step runs", || place.end(&["logs"]).stdout.contains("sleeps"));
        place.cluster().kubectl(&["delete", "pods", "--all", "--wait=false"]);
        let run = Ended::from(child.wait_with_output().unwrap());
        assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
        assert!(place.logs(&[]).ends_with("owed\n"), "{}", place.logs(&[]));
        assert!(place.ok(&["ls"]).stdout.contains("aborted"));
    }
}
