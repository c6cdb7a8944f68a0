//! What is said of objects as a cluster had them, cut down to what is looked at.

use serde_json::{Value, json};

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "what `json!` makes is passed on as it is")]
fn pod(node: Option<&str>, status: Value) -> Arc<Pod> {
    let object = json!({
        "metadata": {"name": "e1-main-0-kb48q", "uid": "pod-1"},
        "spec": {"nodeName": node, "containers": [{"name": "unit"}]},
        "status": status,
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

fn seen(pod: &Arc<Pod>) -> Sighting {
    sighting(&View { pod: Some(pod.clone()), ..View::default() })
}

/// What holds a unit up, or took it away.
fn reason(sighting: Sighting) -> String {
    match sighting {
        Sighting::Waiting { reason, .. } | Sighting::Gone { reason } | Sighting::Leaving { reason } => reason,
        Sighting::Present { .. } => panic!("nothing is wrong with it"),
        Sighting::Ended { status } => format!("ended: {status}"),
    }
}

fn waiting(container: &Value) -> Value {
    let statuses = json!([{"name": "unit", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"waiting": container}}]);
    json!({"phase": "Pending", "containerStatuses": statuses})
}

fn event(uid: &str, at: &str, reason: &str, message: &str) -> Event {
    let object = json!({
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "uid": uid},
        "lastTimestamp": at,
        "reason": reason,
        "message": message,
    });
    serde_json::from_value(object).unwrap()
}

/// A view of a unit that has a Job and no pod, after these events.
fn without_pod(events: Vec<Event>) -> View {
    let job = JobView { uid: "job-1".to_owned(), suspended: false, failure: None };
    let told = told(events).remove("job-1").map(|text| ("job-1".to_owned(), text));
    View { job: Some(job), told, ..View::default() }
}

#[test]
fn an_image_that_cannot_be_pulled_is_named_by_the_kubelet() {
    let message =
        "failed to resolve reference \"registry.invalid/nothing:1\": dial tcp: lookup registry.invalid: i/o timeout";
    for state in ["ErrImagePull", "ImagePullBackOff"] {
        let pod = pod(Some("node-2"), waiting(&json!({"reason": state, "message": message})));
        assert_eq!(reason(seen(&pod)), format!("{state}: {message}"));
    }
}

#[test]
fn a_secret_that_is_missing_is_named_by_the_kubelet() {
    let status = waiting(&json!({"reason": "CreateContainerConfigError", "message": "secret \"nosuch\" not found"}));
    let pod = pod(Some("node-3"), status);
    let expected = "CreateContainerConfigError: secret \"nosuch\" not found";
    assert_eq!(seen(&pod), Sighting::Waiting { reason: expected.to_owned(), node: Some("node-3".to_owned()) });
}

#[test]
fn the_scheduler_says_why_there_is_no_node_and_which_claim_is_missing() {
    for message in [
        "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
        "0/3 nodes are available: persistentvolumeclaim \"nosuch\" not found.",
    ] {
        let condition =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
        let pod = pod(None, json!({"phase": "Pending", "conditions": [condition]}));
        assert_eq!(seen(&pod), Sighting::Waiting { reason: format!("Unschedulable: {message}"), node: None });
    }
}

#[test]
fn a_pod_that_cannot_be_made_is_explained_by_the_events_of_its_job() {
    for message in [
        r#"Error creating: pods "e1-main-0-" is forbidden: error looking up service account t/nosuch: serviceaccount "nosuch" not found"#,
        r#"Error creating: pods "e1-main-0-lzqz2" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0"#,
        r#"Error creating: pods "e1-main-0-x4p65" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "unit" must set securityContext.runAsNonRoot=true)"#,
    ] {
        let view = without_pod(vec![event("job-1", "2026-11-25T14:21:52Z", "FailedCreate", message)]);
        assert_eq!(silent(&view), Some(Silent::Job("job-1".to_owned())));
        assert_eq!(reason(sighting(&view)), format!("FailedCreate: {message}"));
    }
    assert_eq!(reason(sighting(&without_pod(Vec::new()))), "its pod is being made");
}

#[test]
fn another_attempt_to_make_the_same_pod_is_no_news() {
    let of = |name: &str, quota: &str| format!("Error creating: pods \"{name}\" is forbidden: exceeded quota: {quota}");
    assert!(repeats(&of("e1-main-0-lzqz2", "q"), &of("e1-main-0-dkd2j", "q")));
    assert!(!repeats(&of("e1-main-0-lzqz2", "q"), &of("e1-main-0-lzqz2", "r")));
}

#[test]
fn the_newest_event_says_what_a_pod_is_at() {
    let mut view =
        View { pod: Some(pod(Some("node-2"), waiting(&json!({"reason": "PodInitializing"})))), ..View::default() };
    assert_eq!(silent(&view), Some(Silent::Pod("pod-1".to_owned())));
    assert_eq!(reason(sighting(&view)), "it is starting on node-2");
    let told = told(vec![
        event(
            "pod-1",
            "2026-11-25T14:20:58Z",
            "Failed",
            "Failed to pull image \"registry.invalid/nothing:1\": i/o timeout",
        ),
        event("pod-1", "2026-11-25T14:20:58Z", "Failed", "Error: ErrImagePull"),
        event("pod-1", "2026-11-25T14:20:48Z", "Pulling", "Pulling image \"registry.invalid/nothing:1\""),
        event("pod-2", "2026-11-25T14:20:56Z", "FailedMount", "configmap \"nosuch\" not found"),
    ]);
    assert_eq!(told["pod-2"], "FailedMount: configmap \"nosuch\" not found");
    view.told = told.get_key_value("pod-1").map(|(uid, text)| (uid.clone(), text.clone()));
    assert_eq!(reason(sighting(&view)), "Failed to pull image \"registry.invalid/nothing:1\": i/o timeout");
}

fn running() -> Value {
    let state = json!({"running": {"startedAt": "2026-11-25T14:24:01Z"}});
    let statuses =
        json!([{"name": "unit", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": state}]);
    json!({"phase": "Running", "containerStatuses": statuses})
}

#[test]
fn a_pod_that_is_taken_away_says_so_before_it_is_gone() {
    let mut status = running();
    assert!(matches!(seen(&pod(Some("node-1"), status.clone())), Sighting::Present { .. }));
    status["conditions"] = json!([
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"},
    ]);
    let expected = "drained: Eviction API: evicting".to_owned();
    assert_eq!(seen(&pod(Some("node-1"), status)), Sighting::Leaving { reason: expected });

    // The kubelet has not said yet that it runs.
    let mut deleted = Arc::unwrap_or_clone(pod(Some("node-1"), waiting(&json!({"reason": "ContainerCreating"}))));
    deleted.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-25T14:24:05Z")).unwrap();
    assert_eq!(reason(seen(&Arc::new(deleted))), "its pod e1-main-0-kb48q was deleted");
}

#[test]
fn memory_that_an_agent_lacked_is_the_reason_of_its_end() {
    let state = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    let statuses =
        json!([{"name": "unit", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state}]);
    let pod = pod(Some("node-1"), json!({"phase": "Failed", "containerStatuses": statuses}));
    assert_eq!(reason(seen(&pod)), "OOMKilled: its agent's container ran out of memory");
}

/// A pod whose containers follow one another: its leader, and the one whose turn it is.
fn in_turn(phase: &str, leader: &Value, last: &Value) -> Arc<Pod> {
    let status = |name: &str, state: &Value, last: &Value| {
        let restarts = usize::from(*last != json!({}));
        json!({
            "name": name, "image": "", "imageID": "", "ready": false, "restartCount": restarts,
            "state": state, "lastState": last,
        })
    };
    let turn = status("unit-2", &json!({"running": {}}), &json!({}));
    let waits = status("unit-3", &json!({"waiting": {"reason": "PodInitializing"}}), &json!({}));
    let init = [status("unit", leader, last), turn];
    let object = json!({
        "metadata": {"name": "e1-main-0-kb48q", "uid": "pod-1"},
        "spec": {
            "nodeName": "node-1",
            "initContainers": [{"name": "unit", "restartPolicy": "Always"}, {"name": "unit-2"}],
            "containers": [{"name": "unit-3"}],
        },
        "status": {"phase": phase, "podIP": "10.0.0.1", "initContainerStatuses": init, "containerStatuses": [waits]},
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

#[test]
fn a_leader_in_front_of_others_is_there_before_its_pod_runs() {
    let pod = in_turn("Pending", &json!({"running": {}}), &json!({}));
    let (address, node) = (Some("10.0.0.1".to_owned()), Some("node-1".to_owned()));
    assert_eq!(seen(&pod), Sighting::Present { address, node });
}

#[test]
fn a_leader_in_front_of_others_says_how_its_unit_ended() {
    let said = json!({"terminated": {"exitCode": 0, "reason": "Completed", "message": "passed"}});
    let pod = in_turn("Succeeded", &said, &json!({}));
    assert_eq!(seen(&pod), Sighting::Ended { status: Status::Passed });
}

#[test]
fn a_leader_that_was_started_again_has_lost_its_unit() {
    let running = json!({"running": {}});
    let lacked = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    let pod = in_turn("Pending", &running, &lacked);
    assert!(!leads(&pod));
    assert_eq!(reason(seen(&pod)), "OOMKilled: its agent's container ran out of memory");
    let failed = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "error: its port: in use"}});
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    assert_eq!(reason(seen(&in_turn("Pending", &waiting, &failed))), "Error, exit code 1: error: its port: in use");
}
