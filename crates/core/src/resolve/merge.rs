//! How a template goes under what is already there: `low` is the template, `high` what was written above it.
//!
//! One rule a field. Absent under anything is that thing, unchanged; no rule looks at a side that is absent.

use crate::source::{Kind, Node};

/// A rule for two values that are both present: the lower, then the higher.
pub(super) type Rule = fn(&Node, &Node) -> Node;

/// Puts one field of `low` under the same field of `high`.
pub(super) fn field(low: &Node, high: &mut Node, name: &str, rule: Rule) {
    let Some(below) = low.get(name) else { return };
    let merged = match high.get(name) {
        Some(above) => rule(below, above),
        None => below.clone(),
    };
    high.set(name, merged);
}

/// The named fields by their rules; others stay as they are above.
fn fields(low: &Node, high: &Node, rules: &[(&[&str], Rule)]) -> Node {
    let mut merged = high.clone();
    for (names, rule) in rules {
        for name in *names {
            field(low, &mut merged, name, *rule);
        }
    }
    merged
}

/// The named fields by their rules, the rest as scalars.
fn by_name(low: &Node, high: &Node, special: &[(&[&str], Rule)]) -> Node {
    let mut merged = high.clone();
    for (key, _) in low.entries() {
        let rule =
            special.iter().find(|(names, _)| names.contains(&&*key.text)).map_or(scalar as Rule, |(_, rule)| *rule);
        field(low, &mut merged, &key.text, rule);
    }
    merged
}

/// High if set; an empty text is not.
fn scalar(low: &Node, high: &Node) -> Node {
    if high.as_str() == Some("") { low.clone() } else { high.clone() }
}

fn whole(_: &Node, high: &Node) -> Node {
    high.clone()
}

/// Low's items, then high's.
pub(super) fn list(low: &Node, high: &Node) -> Node {
    match (&low.kind, &high.kind) {
        (Kind::List(below), Kind::List(above)) => high.with(Kind::List([&below[..], &above[..]].concat())),
        _ => high.clone(),
    }
}

fn list_high_first(low: &Node, high: &Node) -> Node {
    list(high, low)
}

/// A list without repeats.
fn set(low: &Node, high: &Node) -> Node {
    let mut united: Vec<Node> = Vec::new();
    for item in list(low, high).items() {
        if !united.contains(item) {
            united.push(item.clone());
        }
    }
    high.with(Kind::List(united))
}

/// All keys; high's value where both have one.
pub(super) fn map(low: &Node, high: &Node) -> Node {
    each(low, high, whole)
}

/// All keys; where both have one, by a rule.
fn each(low: &Node, high: &Node, rule: Rule) -> Node {
    let (Kind::Map(below), Kind::Map(above)) = (&low.kind, &high.kind) else { return high.clone() };
    let mut united = below.clone();
    for (key, node) in above {
        match united.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => *entry = (key.clone(), rule(&entry.1, node)),
            None => united.push((key.clone(), node.clone())),
        }
    }
    high.with(Kind::Map(united))
}

/// Maps by key at every depth, lists one after the other, else high.
fn deep(low: &Node, high: &Node) -> Node {
    match (&low.kind, &high.kind) {
        (Kind::Map(_), Kind::Map(_)) => each(low, high, deep),
        (Kind::List(_), Kind::List(_)) => list(low, high),
        _ => scalar(low, high),
    }
}

fn scalars(low: &Node, high: &Node) -> Node {
    each(low, high, scalar)
}

fn lists(low: &Node, high: &Node) -> Node {
    each(low, high, list)
}

fn sets(low: &Node, high: &Node) -> Node {
    each(low, high, set)
}

fn maps(low: &Node, high: &Node) -> Node {
    each(low, high, map)
}

/// Of variables with one name the last is kept, at its place.
fn env(low: &Node, high: &Node) -> Node {
    let all = list(low, high);
    let items = all.items();
    let name = |node: &Node| node.get("name").and_then(Node::scalar_text);
    let kept = items.iter().enumerate().filter(|(index, item)| {
        let later = &items[index + 1..];
        name(item).is_none() || !later.iter().any(|other| name(other) == name(item))
    });
    high.with(Kind::List(kept.map(|(_, item)| item.clone()).collect()))
}

/// Container settings, also where they stand among others, as on a service.
pub fn container(low: &Node, high: &Node) -> Node {
    let filled = |node: &Node, name: &str| node.get(name).is_some_and(|node| !is_empty(node));
    let mut merged = high.clone();
    // A command belongs to its image, arguments to their command.
    if !filled(&merged, "image") {
        field(low, &mut merged, "image", scalar);
        if merged.get("command").is_none() {
            field(low, &mut merged, "command", whole);
            if !filled(&merged, "args") {
                merged.take("args");
                field(low, &mut merged, "args", whole);
            }
        }
    }
    fields(
        low,
        &merged,
        &[
            (&["workingDir", "imagePullPolicy"], scalar),
            (&["env"], env),
            (&["envFrom", "volumeMounts"], list),
            (&["resources"], maps),
            (&["securityContext"], security_context),
        ],
    )
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::Str(text) => text.is_empty(),
        Kind::List(items) => items.is_empty(),
        Kind::Map(map) => map.is_empty(),
        _ => false,
    }
}

fn security_context(low: &Node, high: &Node) -> Node {
    let special: &[(&[&str], Rule)] = &[
        (&["capabilities"], sets),
        (&["seLinuxOptions", "windowsOptions"], scalars),
        (&["supplementalGroups", "sysctls"], list),
        (&["seccompProfile", "appArmorProfile"], whole),
    ];
    by_name(low, high, special)
}

pub(super) fn content(low: &Node, high: &Node) -> Node {
    fields(low, high, &[(&["files", "tarball"], list), (&["git"], whole)])
}

/// Settings of a pod.
pub fn pod(low: &Node, high: &Node) -> Node {
    const LISTS: &[&str] =
        &["volumes", "imagePullSecrets", "tolerations", "hostAliases", "topologySpreadConstraints", "schedulingGates"];
    let special: &[(&[&str], Rule)] = &[
        (&["labels", "annotations", "nodeSelector"], map),
        (LISTS, list),
        (&["resourceClaims"], list_high_first),
        (&["securityContext"], security_context),
        (&["affinity"], deep),
        (&["dnsConfig"], lists),
    ];
    by_name(low, high, special)
}

fn job(low: &Node, high: &Node) -> Node {
    fields(low, high, &[(&["labels", "annotations"], map), (&["namespace", "activeDeadlineSeconds"], scalar)])
}

fn execution(low: &Node, high: &Node) -> Node {
    fields(low, high, &[(&["tags"], map), (&["target", "silent"], scalar)])
}

/// What any inclusion of a template into a whole spec merges.
pub(super) fn spec(low: &Node, high: &Node) -> Node {
    fields(
        low,
        high,
        &[
            (&["container"], container),
            (&["content"], content),
            (&["pod"], pod),
            (&["job"], job),
            (&["services", "pvcs"], map),
            (&["system", "timeouts"], scalars),
            (&["setup", "steps"], list),
            (&["after"], list_high_first),
        ],
    )
}

/// What only a workflow itself takes besides.
pub(super) fn workflow(low: &Node, high: &Node) -> Node {
    fields(low, &spec(low, high), &[(&["events"], list), (&["execution"], execution), (&["concurrency"], whole)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: &str) -> Node {
        serde_json::from_str(json).unwrap()
    }

    fn merged(rule: Rule, low: &str, high: &str) -> String {
        serde_json::to_string(&rule(&node(low), &node(high))).unwrap()
    }

    #[test]
    fn env_keeps_the_last_of_a_name_at_its_place() {
        let low = r#"[{"name":"A"},{"name":"B"},{"name":"D"}]"#;
        let high = r#"[{"name":"B","value":"2"},{"name":"C"}]"#;
        assert_eq!(merged(env, low, high), r#"[{"name":"A"},{"name":"D"},{"name":"B","value":"2"},{"name":"C"}]"#);
    }

    #[test]
    fn an_image_above_forgets_command_and_arguments_below() {
        assert_eq!(
            merged(container, r#"{"image":"a","command":["c"],"args":["x"]}"#, r#"{"image":"b"}"#),
            r#"{"image":"b"}"#
        );
        let low = r#"{"image":"a","command":["c"],"args":["x"]}"#;
        assert_eq!(merged(container, low, r#"{"command":[]}"#), r#"{"command":[],"image":"a"}"#);
        assert_eq!(merged(container, low, r#"{"args":["y"]}"#), r#"{"args":["y"],"image":"a","command":["c"]}"#);
        assert_eq!(
            merged(container, low, r#"{"args":["y"],"command":["z"]}"#),
            r#"{"args":["y"],"command":["z"],"image":"a"}"#
        );
        assert_eq!(
            merged(container, r#"{"command":["c"]}"#, r#"{"image":"b","args":["y"]}"#),
            r#"{"image":"b","args":["y"]}"#
        );
    }

    #[test]
    fn resources_unite_and_capabilities_do_not_repeat() {
        let low = r#"{"resources":{"requests":{"cpu":1,"memory":"1Gi"}},"securityContext":{"capabilities":{"add":["A","B"]}}}"#;
        let high = r#"{"resources":{"requests":{"cpu":2},"limits":{"cpu":3}},"securityContext":{"capabilities":{"add":["B","C"]}}}"#;
        let want = r#"{"resources":{"requests":{"cpu":2,"memory":"1Gi"},"limits":{"cpu":3}},"securityContext":{"capabilities":{"add":["A","B","C"]}}}"#;
        assert_eq!(merged(container, low, high), want);
    }

    #[test]
    fn claims_on_devices_are_the_one_list_that_starts_above() {
        assert_eq!(
            merged(pod, r#"{"resourceClaims":["t"],"volumes":["t"]}"#, r#"{"resourceClaims":["w"],"volumes":["w"]}"#),
            r#"{"resourceClaims":["w","t"],"volumes":["t","w"]}"#
        );
    }

    #[test]
    fn affinity_is_concatenated_at_every_depth() {
        let low = r#"{"affinity":{"nodeAffinity":{"required":{"terms":[1]},"preferred":[1]}}}"#;
        let high = r#"{"affinity":{"nodeAffinity":{"required":{"terms":[2]}},"podAffinity":{"preferred":[2]}}}"#;
        let want = r#"{"affinity":{"nodeAffinity":{"required":{"terms":[1,2]},"preferred":[1]},"podAffinity":{"preferred":[2]}}}"#;
        assert_eq!(merged(pod, low, high), want);
    }
}
