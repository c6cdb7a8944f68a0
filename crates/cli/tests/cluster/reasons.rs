//! What holds a unit up, or takes it away, is said in the cluster's own words: while it waits, and at the end.

use crate::{harness::until, room::Room};

/// Runs what cannot start, and looks for why: in a line of its own, and in the reason of the end.
fn waits_for(room: &Room, spec: &str, expected: &str) {
    let ended = room.run(&format!("timeouts: {{initialization: 12s}}\n{spec}"), &[]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    let told = |lead: &str| ended.stdout.lines().any(|line| line.contains(lead) && line.contains(expected));
    assert!(told("waiting: ") && told("lost: it did not start within 12s: "), "{expected}\n{}", ended.stdout);
}

const STEP: &str = "steps: [{shell: 'true'}]";

#[test]
#[ignore = "needs a cluster"]
fn what_a_namespace_does_not_admit_is_said() {
    let room = Room::new();
    let account = format!("pod: {{serviceAccountName: nosuch}}\n{STEP}");
    waits_for(&room, &account, "serviceaccount \"nosuch\" not found");
    room.kubectl(&["label", "namespace", room.namespace(), "pod-security.kubernetes.io/enforce=restricted"]);
    let foreign = "steps: [{run: {image: 'busybox:1.35', shell: 'true'}}]";
    waits_for(&room, foreign, "violates PodSecurity \"restricted:latest\"");
    // Our own image is admitted there.
    let ended = room.run(STEP, &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    room.kubectl(&["create", "quota", "none", "--hard=pods=0"]);
    waits_for(&room, STEP, "exceeded quota: none");
}

#[test]
#[ignore = "needs a cluster"]
fn what_a_pod_lacks_is_said() {
    let room = Room::new();
    let volume = |source: &str| {
        let volume = format!("pod: {{volumes: [{{name: v, {source}}}]}}");
        format!("{volume}\ncontainer: {{volumeMounts: [{{name: v, mountPath: /v}}]}}\n{STEP}")
    };
    waits_for(&room, &volume("configMap: {name: nosuch}"), "configmap \"nosuch\" not found");
    let claim = volume("persistentVolumeClaim: {claimName: nosuch}");
    waits_for(&room, &claim, "persistentvolumeclaim \"nosuch\" not found");
    waits_for(&room, &format!("pod: {{nodeSelector: {{disk: nosuch}}}}\n{STEP}"), "node affinity/selector");
    let key = "secretKeyRef: {name: nosuch, key: k, optional: false}";
    let env = format!("container: {{env: [{{name: A, valueFrom: {{{key}}}}}]}}\n{STEP}");
    waits_for(&room, &env, "secret \"nosuch\" not found");
}

/// Takes a pod away.
type Taking<'a> = &'a dyn Fn(&Room, &str);

#[test]
#[ignore = "needs a cluster"]
fn what_takes_a_pod_away_is_said() {
    let room = Room::new();
    let delete = |room: &Room, pod: &str| drop(room.kubectl(&["delete", pod, "--wait=false"]));
    let evict = |room: &Room, pod: &str| {
        let name = pod.trim_start_matches("pod/");
        let path = format!("/api/v1/namespaces/{}/pods/{name}/eviction", room.namespace());
        let eviction = format!(r#"{{"apiVersion":"policy/v1","kind":"Eviction","metadata":{{"name":"{name}"}}}}"#);
        room.feed(&["create", "--raw", &path, "-f", "-"], &eviction);
    };
    let takings = [(&delete as Taking<'_>, "was deleted"), (&evict, "drained: Eviction API: evicting")];
    for (number, (take, expected)) in takings.into_iter().enumerate() {
        let file = room.workflow("steps: [{shell: 'echo begun; sleep 60'}]");
        let child = room.place.start(&["run", &file, "--runner", "kube", "-N", room.namespace()]);
        until("the command has begun", || {
            room.place.end(&["logs", &format!("demo-{}", number + 1)]).stdout.contains("begun")
        });
        take(&room, room.pods().trim());
        let ended = crate::harness::Ended::from(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
        let told = |lead: &str| ended.stdout.lines().any(|line| line.contains(lead) && line.contains(expected));
        assert!(told("taken away: ") && told("aborted in "), "{expected}\n{}", ended.stdout);
        until("nothing is left", || room.pods().is_empty());
    }
}

impl Room {
    fn pods(&self) -> String {
        self.kubectl(&["get", "pods", "-o", "name"])
    }
}
