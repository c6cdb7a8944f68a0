//! What only a cluster can do: content from here that reaches pods, and pods that are where the workflow wants them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::{Value, json};

use crate::harness::{Ended, Place, cluster::Namespace, fixture, until};

#[test]
#[ignore = "needs a cluster"]
fn a_folder_of_this_machine_stands_for_the_repository() {
    let place = Place::on_cluster();
    place.write("tree/tests/a.txt", "from here\n");
    place.write("tree/.gitignore", "ignored\n");
    place.write("tree/ignored/b.txt", "not sent\n");
    let spec = json!({
        "content": {"git": {"uri": "https://example.invalid/tree.git"}},
        "steps": [
            {"shell": "cat /data/repo/tests/a.txt"},
            {"parallel": {
                "count": 2,
                "transfer": [{"from": "/data/repo"}],
                "shell": "cat /data/repo/tests/a.txt; echo mine > /data/repo/tests/{{ index }}.txt",
                "fetch": [{"from": "/data/repo/tests", "files": ["{{ index }}.txt"], "to": "/data/back"}],
            }},
            {"shell": "cat /data/back/*.txt"},
        ],
    });
    let ended = run(&place, "content", &spec, &["--content", "tree"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(
        place.logs(&[]).contains("from here\n") && place.logs(&[]).ends_with("mine\nmine\n"),
        "{}",
        place.logs(&[])
    );
    place.cluster().is_soon_empty();
}

/// The packages are the image's, since no index can be had: all else is as a newcomer meets it.
#[test]
#[ignore = "needs a cluster"]
fn the_example_runs_as_it_does_on_this_machine() {
    let place = Place::on_cluster();
    let examples = fixture("x").with_file_name("../../examples");
    let text = fs::read_to_string(examples.join("quickstart.yaml")).unwrap();
    let kept: String = text.split_inclusive('\n').filter(|line| !line.contains("pip install")).collect();
    let kept = kept.replace("-m venv ", "-m venv --system-site-packages ");
    assert_ne!(kept, text);
    let file = place.write("quickstart.yaml", &kept);
    let content = examples.join("quickstart");
    let ended = place.end(&["run", file.to_str().unwrap(), "--content", content.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let reports = place.artifacts("quickstart-1");
    assert_eq!(reports.iter().filter(|name| name.ends_with("junit.xml")).count(), 8, "{reports:?}");
    place.cluster().is_soon_empty();
}

#[test]
#[ignore = "needs a cluster"]
fn units_are_in_the_namespace_that_is_named_and_are_found_by_their_labels() {
    let (place, other) = (Place::on_cluster(), Namespace::new());
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let env = json!([
        {"name": "WHERE", "valueFrom": field("metadata.namespace")},
        {"name": "OURS", "valueFrom": field("metadata.labels['testudo.dev/workflow']")},
        {"name": "FIRST", "valueFrom": field("metadata.labels['testkube.io/workflow-name']")},
        {"name": "SECOND", "valueFrom": field("metadata.labels['testworkflows.testkube.io/workflow-name']")},
        {"name": "MANAGED", "valueFrom": field("metadata.labels['app.kubernetes.io/managed-by']")},
    ]);
    let says = |what: &str| format!("echo {what} $WHERE $OURS $FIRST $SECOND $MANAGED");
    let spec = json!({
        "job": {"namespace": other.name()},
        // What units are found by is not to be chosen.
        "pod": {"labels": {"app.kubernetes.io/managed-by": "me"}},
        "container": {"env": env},
        "steps": [
            {"shell": says("main")},
            {"parallel": {"count": 2, "shell": says("worker")}},
            {"parallel": {"count": 1, "job": {"namespace": place.cluster().name()}, "shell": says("back")}},
        ],
    });
    let ended = run(&place, "elsewhere", &spec, &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    for (what, namespace) in [("main", &other), ("worker", &other), ("back", place.cluster())] {
        let line = format!("{what} {} elsewhere elsewhere elsewhere testudo\n", namespace.name());
        assert!(ended.stdout.contains(&line), "{line}{}", ended.stdout);
    }
    place.cluster().is_soon_empty();
    other.is_soon_empty();
}

/// A fragment of the manual, over what it is put on.
fn fragment(name: &str) -> String {
    let path = fixture("x").with_file_name(format!("../corpus/snippets/job-and-pod-{name}.yaml"));
    fs::read_to_string(path).unwrap()
}

/// The fragment one level deeper, as YAML goes.
fn below(indent: usize, text: &str) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect()
}

fn run(place: &Place, name: &str, spec: &Value, args: &[&str]) -> Ended {
    let metadata = json!({"name": name});
    let api = "testworkflows.testkube.io/v1";
    let workflow = json!({"apiVersion": api, "kind": "TestWorkflow", "metadata": metadata, "spec": spec});
    run_text(place, name, &workflow.to_string(), args)
}

fn run_text(place: &Place, name: &str, text: &str, args: &[&str]) -> Ended {
    let file = place.write(&format!("{name}.yaml"), text);
    let all: Vec<&str> = ["run", file.to_str().unwrap()].into_iter().chain(args.iter().copied()).collect();
    place.end(&all)
}

/// A workflow whose spec is text.
fn workflow(name: &str, spec: &str) -> String {
    let head = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\n";
    format!("{head}metadata: {{name: {name}}}\nspec:\n{}", below(2, spec))
}

/// On which node each unit of an execution was, by its log.
fn nodes(place: &Place, execution: &str) -> BTreeMap<String, String> {
    let mut nodes = BTreeMap::new();
    for line in fs::read_to_string(place.execution(execution).join("log")).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        if let Some(node) = event.pointer("/seen/placed/node").and_then(Value::as_str) {
            nodes.insert(event["unit"].to_string(), node.to_owned());
        }
    }
    nodes
}

/// Which units of an execution were on which nodes, in the order of the units.
fn spread(place: &Place, execution: &str, units: &str) -> Vec<String> {
    let all = nodes(place, execution);
    all.into_iter().filter(|(unit, _)| unit.contains(units)).map(|(_, node)| node).collect()
}

fn different(nodes: &[String]) -> usize {
    nodes.iter().collect::<BTreeSet<_>>().len()
}

/// How many nodes take pods.
fn available(place: &Place) -> usize {
    let nodes = place.cluster().list("nodes");
    nodes.iter().filter(|node| node.pointer("/spec/unschedulable") != Some(&json!(true))).count()
}

#[test]
#[ignore = "needs a cluster"]
fn workers_are_one_a_node_by_anti_affinity() {
    let place = Place::on_cluster();
    let count = available(&place);
    let worker = format!("count: {count}\nshell: sleep 2\n{}", fragment("01-single-execution-per-node"));
    let text = workflow("apart", &format!("steps:\n- parallel:\n{}", below(4, &worker)));
    let ended = run_text(&place, "apart", &text, &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let nodes = spread(&place, "apart-1", "parallel/");
    assert_eq!((nodes.len(), different(&nodes)), (count, count), "{nodes:?}");
    place.cluster().is_soon_empty();
}

#[test]
#[ignore = "needs a cluster"]
fn executions_are_one_a_node_by_anti_affinity_and_the_next_one_waits_and_says_why() {
    let place = Place::on_cluster();
    let count = available(&place);
    let spec = format!("{}steps:\n- shell: sleep 8\n", fragment("01-single-execution-per-node"));
    let file = place.write("apart.yaml", &workflow("apart", &spec));
    let args = ["run", file.to_str().unwrap()];
    let first: Vec<_> = (0..count).map(|_| place.start(&args)).collect();
    until("each has a node", || placed(&place).len() == count);
    // There is no node left for it before one of them ends.
    let last: Ended = place.end(&args);
    assert_eq!(last.code, Some(0), "{}{}", last.stdout, last.stderr);
    assert!(last.stdout.contains("anti-affinity"), "{}", last.stdout);
    for child in first {
        let ended: Ended = child.wait_with_output().unwrap().into();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }
    let nodes = placed(&place);
    assert_eq!((nodes.len(), different(&nodes)), (count + 1, count), "{nodes:?}");
    place.cluster().is_soon_empty();
}

/// The nodes of the main units of all executions.
fn placed(place: &Place) -> Vec<String> {
    let listed = place.ok(&["ls", "-o", "json"]).stdout;
    let names = listed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let names = names.filter_map(|one| one["name"].as_str().map(str::to_owned));
    names.flat_map(|name| spread(place, &name, "main")).collect()
}

#[test]
#[ignore = "needs a cluster"]
fn workers_are_spread_evenly_by_topology_constraints() {
    let place = Place::on_cluster();
    let nodes = available(&place);
    // Pods that are counted have the label that the constraint selects by.
    let worker = format!(
        "count: {}\nshell: sleep 3\n{}  labels:\n    distribute-evenly: '{{{{execution.id}}}}-worker'\n",
        2 * nodes,
        fragment("02-distribute-evenly"),
    );
    let text = workflow("even", &format!("steps:\n- parallel:\n{}", below(4, &worker)));
    let ended = run_text(&place, "even", &text, &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_even(&spread(&place, "even-1", "parallel/"), nodes);
    place.cluster().is_soon_empty();
}

#[test]
#[ignore = "needs a cluster"]
fn executions_are_spread_evenly_by_topology_constraints() {
    let place = Place::on_cluster();
    let nodes = available(&place);
    // The fragment says itself what to put there for executions.
    let selector = "distribute-evenly: '{{workflow.name}}-execution'";
    let of_workers = "distribute-evenly: \"{{execution.id}}-worker\"";
    let fragment = fragment("02-distribute-evenly");
    assert!(fragment.contains(selector) && fragment.contains(of_workers));
    let spec = format!(
        "{}  labels:\n    {selector}\nsteps:\n- shell: sleep 6\n",
        fragment.replace(&format!("# {selector}"), "").replace(of_workers, selector),
    );
    let file = place.write("even.yaml", &workflow("even", &spec));
    let all: Vec<_> = (0..nodes).map(|_| place.start(&["run", file.to_str().unwrap()])).collect();
    for child in all {
        let ended: Ended = child.wait_with_output().unwrap().into();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }
    assert_even(&placed(&place), nodes);
    place.cluster().is_soon_empty();
}

fn assert_even(placed: &[String], nodes: usize) {
    let mut counts = BTreeMap::<&str, usize>::new();
    for node in placed {
        *counts.entry(node).or_default() += 1;
    }
    assert!(counts.len() == nodes && counts.values().all(|count| *count == placed.len() / nodes), "{placed:?}");
}

/// A volume of a node stands for a storage class.
fn volume(place: &Place, class: &str) {
    place.cluster().apply(&json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": class},
        "spec": {
            "capacity": {"storage": "20Mi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": class,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": format!("/var/tmp/{class}"), "type": "DirectoryOrCreate"},
        },
    }));
}

#[test]
#[ignore = "needs a cluster"]
fn a_claim_is_made_for_a_run_and_goes_with_it() {
    for workers in [false, true] {
        let place = Place::on_cluster();
        let class = format!("{}-volume", place.cluster().name());
        volume(&place, &class);
        // Folders of a node belong to root.
        let script = "shell: df /mnt/some/name | tail -n 1; ls -d /mnt/some/name\n";
        let fragment = fragment("03-pvc").replace("storageClassName: standard", &format!("storageClassName: {class}"));
        let spec = if workers {
            format!("steps:\n- parallel:\n{}", below(4, &format!("count: 1\n{script}{fragment}")))
        } else {
            format!("{fragment}steps:\n- {script}")
        };
        let ended = run_text(&place, "claims", &workflow("claims", &spec), &[]);
        let logs = if workers { place.logs(&["--worker", "parallel/0"]) } else { place.logs(&[]) };
        let volume = place.cluster().kubectl(&["get", "persistentvolume", &class, "--output", "json"]);
        place.cluster().is_soon_empty();
        place.cluster().kubectl(&["delete", "persistentvolume", &class, "--wait=false"]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert!(logs.contains("/mnt/some/name\n"), "{logs}");
        let volume: Value = serde_json::from_str(&volume).unwrap();
        assert_eq!(volume["spec"]["claimRef"]["namespace"], place.cluster().name(), "{volume}");
    }
}
