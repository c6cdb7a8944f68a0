//! What processes on this machine do not carry out, said once and never dropped in silence.

use std::collections::BTreeSet;

use super::{Note, build::note};
use crate::source::Node;

/// Fields that need containers or a cluster, with what is said of them. A path ends the way the field's does.
const NOT_CARRIED: &[(&str, &str)] = &[
    ("image", "container images do not choose anything here: commands run with the tools of this machine"),
    ("imagePullPolicy", "images are not pulled here"),
    ("securityContext", "security settings need containers"),
    ("volumeMounts", "volume mounts need containers"),
    ("pod", "pod settings need a cluster"),
    ("pvcs", "volume claims need a cluster"),
];

/// Fields that nothing here carries out yet, by the field that holds them and their own name.
const NOT_YET: &[(&str, &str, &str)] = &[
    ("spec", "concurrency", "runs of this machine do not wait for one another"),
    ("spec", "events", "schedules need a server"),
    ("timeouts", "queue", "runs of this machine do not queue"),
    ("execution", "target", "there is one place to run: here"),
    ("system", "onDisruption", "a unit that is lost is not made again"),
    ("system", "keepPod", "units are always removed when they have ended"),
    ("services", "onFailure", "a service is judged when it is stopped"),
    ("parallel", "balance", "shards are cut by count"),
    ("parallel", "distribute", "shards are cut by count"),
];

/// Looks through a workflow for what processes cannot do.
pub(super) fn for_processes(spec: &Node) -> Vec<Note> {
    let mut found = BTreeSet::new();
    look(spec, "spec", "spec", &mut found);
    found.into_iter().collect()
}

/// Looks at one node, which the field `inside` holds: of a map of services each of its entries.
fn look(node: &Node, inside: &str, path: &str, found: &mut BTreeSet<Note>) {
    for (key, value) in node.entries() {
        let below = format!("{path}.{}", &**key);
        if let Some((.., message)) = NOT_YET.iter().find(|(holder, field, _)| *holder == inside && *field == &**key) {
            found.insert(note(&below, message));
        }
        if let Some((field, message)) = NOT_CARRIED.iter().find(|(field, _)| *field == &**key) {
            // One line a kind of field, not one a place.
            if !found.iter().any(|note| note.path.ends_with(&format!(".{field}"))) {
                found.insert(note(&below, message));
            }
            continue;
        }
        match &**key {
            "resources" => {
                for kind in ["limits", "requests"] {
                    if !value.get_entries(kind).is_empty()
                        && !found.iter().any(|note| note.path.ends_with(&format!(".resources.{kind}")))
                    {
                        found.insert(note(&format!("{below}.{kind}"), "limits of memory and CPU need containers"));
                    }
                }
            }
            "job" => {
                for (field, _) in value.entries() {
                    if &**field != "activeDeadlineSeconds" {
                        found.insert(note(&format!("{below}.{}", &**field), "job settings need a cluster"));
                    }
                }
            }
            "env" | "matrix" | "shards" | "config" | "files" | "events" => {}
            "services" => {
                for (name, service) in value.entries() {
                    look(service, "services", &format!("{below}.{}", &**name), found);
                }
            }
            key => look(value, key, &below, found),
        }
    }
    for (index, value) in node.items().iter().enumerate() {
        look(value, inside, &format!("{path}[{index}]"), found);
    }
}
