//! Who may know whom: arrows point down only, and what is heavy stays where it belongs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Metadata};

/// The crates of this repository that each may use. One that is not here may use none.
const MAY_USE: &[(&str, &[&str])] = &[
    ("testudo-core", &[]),
    ("testudo-engine", &["testudo-core"]),
    ("testudo-agent", &["testudo-core"]),
    ("testudo-store", &["testudo-core", "testudo-engine"]),
    ("testudo-server", &["testudo-core", "testudo-engine"]),
    // The launcher of a process and its agent agree on descriptors and on the file of settings.
    ("testudo-local", &["testudo-core", "testudo-engine", "testudo-agent"]),
    // A pod's manifest and its agent agree on port, paths and variables, and on how the port is spoken to.
    ("testudo-kube", &["testudo-core", "testudo-engine", "testudo-agent"]),
];

/// These wire everything, or nobody ships them.
const MAY_USE_ALL: &[&str] = &["testudo", "xtask", "testudo-tests"];

/// What no road may lead to, however long.
const NEVER: &[(&str, &[&str], &str)] = &[
    (
        "testudo-core",
        &[
            "tokio",
            "mio",
            "futures-util",
            "kube",
            "k8s-openapi",
            "sqlx",
            "axum",
            "hyper",
            "reqwest",
            "rand",
            "getrandom",
        ],
        "core has no I/O, no async, no clock and no chance",
    ),
    (
        "testudo-agent",
        &["kube", "kube-client", "k8s-openapi", "sqlx", "sqlx-core", "axum", "object_store", "clap"],
        "the agent rides into every pod",
    ),
    (
        "testudo-engine",
        &["kube", "kube-client", "k8s-openapi", "sqlx", "sqlx-core", "axum", "object_store"],
        "the engine knows the world through its ports only",
    ),
];

pub(super) fn check(metadata: &Metadata) -> Findings {
    let mut findings = Findings::default();
    let uses = metadata.uses();
    let name = |id: &str| metadata.package(id).map_or(String::new(), |package| package.name.clone());
    for member in metadata.members() {
        if MAY_USE_ALL.contains(&&*member.name) {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(crate_name, _)| *crate_name == member.name) else {
            findings.complain(format!("{} has no line in xtask/src/tidy/arrows.rs: say what it may know", member.name));
            continue;
        };
        for used in uses.get(&*member.id).into_iter().flatten() {
            if metadata.members().any(|other| other.id == **used) && !allowed.contains(&&*name(used)) {
                findings.complain(format!("{} uses {}: arrows point down only", member.name, name(used)));
            }
        }
    }
    for (from, forbidden, why) in NEVER {
        let Some(start) = metadata.members().find(|member| member.name == *from) else { continue };
        for road in roads(&uses, &start.id) {
            let names: Vec<String> = road.iter().map(|id| name(id)).collect();
            if names.last().is_some_and(|last| forbidden.contains(&last.as_str())) {
                findings.complain(format!("{}: {why}", names.join(" → ")));
            }
        }
    }
    findings
}

/// A shortest road to each package that can be reached.
fn roads<'m>(uses: &BTreeMap<&'m str, Vec<&'m str>>, start: &'m str) -> Vec<Vec<&'m str>> {
    let mut seen = BTreeSet::from([start]);
    let mut roads = vec![vec![start]];
    let mut next = 0;
    while let Some(road) = roads.get(next).cloned() {
        next += 1;
        for used in road.last().and_then(|last| uses.get(last)).into_iter().flatten() {
            if seen.insert(used) {
                roads.push([road.as_slice(), &[*used]].concat());
            }
        }
    }
    roads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    fn world(edges: &[(&str, &str, Option<&str>)]) -> Metadata {
        let names: BTreeSet<&str> = edges.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        let package =
            |name: &&str| serde_json::json!({"id": name, "name": name, "version": "1.0.0", "manifest_path": ""});
        let node = |name: &&str| {
            let deps = edges.iter().filter(|(from, ..)| from == name);
            let deps = deps.map(|(_, to, kind)| serde_json::json!({"pkg": to, "dep_kinds": [{"kind": kind}]}));
            serde_json::json!({"id": name, "deps": deps.collect::<Vec<_>>()})
        };
        let members: Vec<_> = names.iter().filter(|name| name.starts_with("testudo")).collect();
        let packages: Vec<_> = names.iter().map(package).collect();
        let nodes: Vec<_> = names.iter().map(node).collect();
        let world =
            serde_json::json!({"packages": packages, "workspace_members": members, "resolve": {"nodes": nodes}});
        serde_json::from_value(world).unwrap()
    }

    #[test]
    fn arrows_point_down_only() {
        let metadata = Metadata::read(&root()).unwrap();
        assert_eq!(check(&metadata).complaints, Vec::<String>::new());
    }

    #[test]
    fn the_road_to_what_is_forbidden_is_named() {
        let world = world(&[("testudo-core", "jiff", None), ("jiff", "tokio", None)]);
        let complaints = check(&world).complaints;
        assert_eq!(complaints, ["testudo-core → jiff → tokio: core has no I/O, no async, no clock and no chance"]);
    }

    #[test]
    fn an_adapter_that_knows_its_sibling_is_named() {
        let world = world(&[("testudo-store", "testudo-local", None)]);
        assert_eq!(check(&world).complaints, ["testudo-store uses testudo-local: arrows point down only"]);
    }

    #[test]
    fn what_only_tests_use_is_nobody_s_burden() {
        let world = world(&[("testudo-core", "tokio", Some("dev"))]);
        assert_eq!(check(&world), Findings::default());
    }
}
