//! Pods as text: a line for each container, in the order in which they start.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use insta::assert_snapshot;
use testudo_core::plan::UnitPlan;

use super::*;
use crate::RootKey;

/// The containers of the pod that is made for a unit with these steps: each with an image, what it asks for, and files.
fn pod(layout: &str, steps: &[(Option<&str>, &str, &[&str])]) -> String {
    let mut all = vec![json!({"ref": "root", "category": "", "end": steps.len() + 1, "conditions": []})];
    for (at, (image, cpu, files)) in steps.iter().enumerate() {
        let files: Vec<Value> = files.iter().map(|path| json!({"path": path, "content": ""})).collect();
        let container = if cpu.is_empty() { json!({}) } else { json!({"resources": {"requests": {"cpu": cpu}}}) };
        all.push(json!({
            "ref": at.to_string(),
            "category": "",
            "parent": 0,
            "end": at + 2,
            "conditions": [],
            "operation": {"shell": {"script": "make"}},
            "surroundings": {"image": image, "container": container, "files": files},
        }));
    }
    let plan: UnitPlan = serde_json::from_value(json!({"role": "main", "layout": layout, "steps": all})).unwrap();
    let unit =
        UnitSpec { execution: "e".to_owned(), key: UnitKey::main(), plan: Arc::new(plan), block: None, leave: false };
    let job = job(&unit, &settings());
    let spec = &job["spec"]["template"]["spec"];
    let mut out = String::new();
    for kind in ["initContainers", "containers"] {
        let _ = writeln!(out, "{kind}");
        for one in spec[kind].as_array().into_iter().flatten() {
            let words = one["command"].as_array().unwrap().iter().skip(1).filter_map(Value::as_str);
            let _ = writeln!(
                out,
                "  {} {} {} {} {}",
                one["name"].as_str().unwrap(),
                one["image"].as_str().unwrap(),
                words.collect::<Vec<_>>().join(" "),
                one["restartPolicy"].as_str().unwrap_or("-"),
                one["resources"]["requests"],
            );
        }
    }
    out
}

fn settings() -> Settings {
    Settings {
        namespace: "n".to_owned(),
        image: "ours".to_owned(),
        root: "e".to_owned(),
        workflow: "w".to_owned(),
        key: RootKey::new([7; 32]),
        orphan_limit: Duration::from_mins(2),
        grace: Duration::from_secs(5),
        ttl: Duration::from_mins(5),
        queue: None,
        provided: BTreeSet::new(),
    }
}

const STEPS: &[(Option<&str>, &str, &[&str])] = &[
    (Some("node"), "1", &[]),
    (Some("python"), "2", &["/etc/conf"]),
    (None, "", &[]),
    (Some("node"), "1", &["/etc/conf"]),
];

#[test]
fn together_all_containers_are_equals() {
    assert_snapshot!(pod("together", STEPS), @r#"
    initContainers
      agent ours install - {"cpu":"10m","memory":"16Mi"}
      files-2 node seed /etc - {"cpu":"1"}
      files-3 python seed /etc - {"cpu":"2"}
    containers
      unit ours lead - null
      unit-2 node lend 1 - {"cpu":"1"}
      unit-3 python lend 2 - {"cpu":"2"}
    "#);
}

#[test]
fn in_turn_the_leader_is_a_sidecar_and_the_last_one_an_ordinary_container() {
    assert_snapshot!(pod("sequential", STEPS), @r#"
    initContainers
      agent ours install - {"cpu":"10m","memory":"16Mi"}
      unit ours lead in-turn Always {"cpu":"10m","memory":"32Mi"}
      unit-2 node lend 1 in-turn - {"cpu":"1"}
      files-3 python seed /etc - {"cpu":"2"}
      unit-3 python lend 2 in-turn - {"cpu":"2"}
      files-4 node seed /etc - {"cpu":"1"}
    containers
      unit-4 node lend 3 in-turn - {"cpu":"1"}
    "#);
}

#[test]
fn a_container_alone_follows_nothing() {
    assert_snapshot!(pod("sequential", &STEPS[..1]), @r#"
    initContainers
      agent ours install - {"cpu":"10m","memory":"16Mi"}
    containers
      unit node lead - {"cpu":"1"}
    "#);
}
