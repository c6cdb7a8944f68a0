//! What the chosen place does not carry out, said once and never dropped in silence.

use std::collections::BTreeSet;

use super::{Note, Place, build::note};
use crate::source::Node;

/// Fields that processes have no use for, with what is said of them. A path ends the way the field's does.
const NEED_CONTAINERS: &[(&str, &str)] = &[
    ("image", "container images do not choose anything here: commands run with the tools of this machine"),
    ("imagePullPolicy", "images are not pulled here"),
    ("securityContext", "security settings need containers"),
    ("volumeMounts", "volume mounts need containers"),
    ("pod", "pod settings need a cluster"),
    ("pvcs", "volume claims need a cluster"),
    ("keepPod", "units of this machine are always removed when they have ended"),
    ("fieldRef", "values from fields of the pod need a cluster"),
    ("resourceFieldRef", "values from limits of the container need a cluster"),
    ("fileKeyRef", "values from files in volumes need a cluster"),
];

/// Fields that nothing here carries out yet, by the field that holds them and their own name.
const NOT_YET: &[(&str, &str, &str)] = &[
    ("spec", "events", "schedules need a server"),
    ("execution", "target", "there is one place to run: here"),
    ("system", "onDisruption", "a unit that is lost is not made again"),
    ("parallel", "balance", "shards are cut by count"),
    ("parallel", "distribute", "shards are cut by count"),
];

/// Looks through a workflow for what a place does not carry out.
pub(super) fn for_place(place: Place, spec: &Node) -> Vec<Note> {
    let mut look = Look { place, found: BTreeSet::new() };
    look.at(spec, "spec", "spec");
    look.found.into_iter().collect()
}

struct Look {
    place: Place,
    found: BTreeSet<Note>,
}

impl Look {
    fn say(&mut self, path: &str, message: &str) {
        self.found.insert(note(path, message));
    }

    /// One line a kind of field, not one a place.
    fn say_once(&mut self, path: &str, field: &str, message: &str) {
        if !self.found.iter().any(|note| note.path.ends_with(&format!(".{field}"))) {
            self.say(path, message);
        }
    }

    /// Looks at one node, which the field `inside` holds: of a map of services each of its entries.
    fn at(&mut self, node: &Node, inside: &str, path: &str) {
        for (key, value) in node.entries() {
            let below = format!("{path}.{}", &**key);
            if let Some((.., message)) = NOT_YET.iter().find(|(holder, field, _)| *holder == inside && *field == &**key)
            {
                self.say(&below, message);
            }
            if let Some((field, message)) = NEED_CONTAINERS.iter().find(|(field, _)| *field == &**key) {
                if self.place == Place::Process {
                    self.say_once(&below, field, message);
                }
                continue;
            }
            match &**key {
                "resources" | "job" => self.settings(key, value, &below),
                "env" | "files" => self.sources(value, &below),
                "matrix" | "shards" | "config" | "events" => {}
                "services" => {
                    for (name, service) in value.entries() {
                        self.at(service, "services", &format!("{below}.{}", &**name));
                    }
                }
                key => self.at(value, key, &below),
            }
        }
        for (index, value) in node.items().iter().enumerate() {
            self.at(value, inside, &format!("{path}[{index}]"));
        }
    }

    /// Where variables and files get their values from.
    fn sources(&mut self, list: &Node, path: &str) {
        for (index, entry) in list.items().iter().enumerate() {
            for field in ["valueFrom", "contentFrom"] {
                if let Some(source) = entry.get(field) {
                    self.at(source, field, &format!("{path}[{index}].{field}"));
                }
            }
        }
    }

    /// Settings that containers and Jobs have fields for.
    fn settings(&mut self, key: &str, value: &Node, path: &str) {
        if self.place == Place::Kube {
            return self.at(value, key, path);
        }
        for (field, value) in value.entries() {
            let below = format!("{path}.{}", &**field);
            match (key, &**field) {
                ("resources", kind @ ("limits" | "requests")) if !value.entries().is_empty() => {
                    self.say_once(&below, &format!("resources.{kind}"), "limits of memory and CPU need containers");
                }
                ("job", field) if field != "activeDeadlineSeconds" => self.say(&below, "job settings need a cluster"),
                _ => {}
            }
        }
    }
}
