//! Rules on steps and their operations.

use std::collections::{BTreeMap, BTreeSet};

use super::{Look, key_of};
use crate::source::{Node, Path};
use crate::split::{DEFAULT_LIMIT, expand};
use crate::workflow::table::{
    ARTIFACTS, EXECUTE, EXECUTE_WORKFLOW, Object, PARALLEL, RUN, SERVICE, SPEC, STEP, TARBALL,
};
use crate::workflow::{DocumentKind, each_step, is_step_id, step_ids};

/// What an execution calls the one that started it.
const PARENT: &str = "parent";

pub(super) fn check(look: &mut Look) {
    if look.document.kind == DocumentKind::Workflow {
        nothing_to_run(look);
    }
    for (path, object, node) in look.objects() {
        if object == &RUN || object == &SERVICE {
            shell_and_command(look, node, &path);
        }
        if object == &ARTIFACTS && node.get_items("paths").is_empty() {
            let message = "there needs to be at least one path to scrap for artifacts";
            look.error("artifacts-without-paths", message, node.span, &path);
        }
        if object == &EXECUTE {
            execute(look, node, &path);
        }
        if object == &EXECUTE_WORKFLOW && node.get("name").is_none() && node.get("selector").is_none() {
            let message = "an entry of `execute.workflows` needs `name` or `selector`";
            look.error("nothing-to-execute", message, node.span, &path);
        }
        if object == &STEP {
            step(look, node, &path);
        }
        if object == &SPEC || object == &PARALLEL {
            ids(look, node, &path);
            relatives(look, node, &path);
            after(look, node, &path);
        }
        if object.field("maxCount").is_some() {
            counts(look, node, &path);
        }
        if object == &PARALLEL {
            barrier(look, node, &path);
        }
        if object == &TARBALL {
            tarball(look, node, &path);
        }
        words(look, object, node, &path);
    }
}

fn nothing_to_run(look: &mut Look) {
    let spec = look.spec();
    let empty = ["setup", "steps", "after", "use"].iter().all(|name| spec.get_items(name).is_empty());
    if empty {
        look.error("nothing-to-run", "test workflow has nothing to run", spec.span, "spec").help =
            Some("write at least one step under `steps`, or `use` a template that has some".to_owned());
    }
}

fn shell_and_command(look: &mut Look, node: &Node, path: &str) {
    if node.get("shell").is_some() && (node.get("command").is_some() || node.get("args").is_some()) {
        let message = "run.shell should not be used in conjunction with run.command or run.args";
        look.error("shell-and-command", message, key_of(node, "shell"), &format!("{path}.shell"));
    }
}

fn execute(look: &mut Look, node: &Node, path: &str) {
    for (index, entry) in node.get_items("workflows").iter().enumerate() {
        if node.get_bool("async") == Some(true) && entry.get("fetch").is_some() {
            let message = "`fetch` is of no use with `async`: the step is over before there is anything to take";
            let path = format!("{path}.workflows[{index}].fetch");
            look.error("fetch-without-waiting", message, key_of(entry, "fetch"), &path).help =
                Some("leave out `async`, or `fetch`".to_owned());
        }
    }
    if !node.get_items("workflows").is_empty() {
        return;
    }
    if node.get_items("tests").is_empty() {
        let message = "no test workflows and tests provided to the 'execute' step";
        look.error("nothing-to-execute", message, node.span, path);
    } else {
        let message = "legacy tests are never run: the step does nothing and passes";
        look.warn("only-legacy-tests", message, key_of(node, "tests"), path).help =
            Some("write `workflows`".to_owned());
    }
}

fn step(look: &mut Look, node: &Node, path: &str) {
    let operation = ["run", "shell", "execute", "artifacts"].iter().any(|name| node.get(name).is_some())
        || ["git", "tarball"].iter().any(|name| node.find(&format!("content.{name}")).is_some());
    let group = ["setup", "steps", "parallel"].iter().find(|name| node.get(name).is_some());
    if let (true, false, Some(group)) = (node.get("retry").is_some(), operation, group) {
        let message = format!("`retry` has no effect on `{group}`: it belongs to single operations");
        look.warn("retry-without-effect", message, key_of(node, "retry"), &format!("{path}.retry")).help =
            Some(if *group == "parallel" {
                "write it inside `parallel`, where it is about each worker's first step".to_owned()
            } else {
                "write it on the nested steps".to_owned()
            });
    }
    if let Some(condition) = node.get_str("condition").map(str::trim)
        && matches!(condition, "always" | "true" | "failed" | "error" | "!passed" | "!success")
    {
        let nested = ["setup", "steps"].iter().flat_map(|name| node.get_items(name));
        if nested.into_iter().any(|step| step.get("condition").is_none()) {
            let what = if condition == "always" || condition == "true" {
                "nested steps without a condition of their own still need `passed`"
            } else {
                "nested steps without a condition of their own can never run: they need `passed` as well"
            };
            look.warn("condition-not-inherited", what, key_of(node, "condition"), &format!("{path}.condition")).help =
                Some(format!("write `condition: {condition}` on the nested steps"));
        }
    }
}

fn ids(look: &mut Look, node: &Node, path: &str) {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    let mut walk = Path::new(path);
    let mut wrong = Vec::new();
    for name in ["setup", "steps", "after"] {
        each_step(node, name, &mut walk, &mut |path, step| {
            let Some(id) = step.get_str("id") else { return };
            let at = step.get("id").map_or(step.span, |node| node.span);
            if !is_step_id(id) {
                let message =
                    format!("step id \"{id}\" must contain only lowercase alphanumeric characters and underscores");
                wrong.push((message, at, format!("{path}.id")));
            } else if first.insert(id.to_owned(), path.to_string()).is_some() {
                wrong.push((format!("duplicate step id \"{id}\""), at, format!("{path}.id")));
            }
        });
    }
    for (message, at, path) in wrong {
        look.error("step-id", message, at, &path);
    }
}

/// Names that entries of `execute` give their executions.
fn relatives(look: &mut Look, node: &Node, path: &str) {
    let mut names = BTreeSet::from([PARENT]);
    let (mut walk, mut wrong) = (Path::new(path), Vec::new());
    for name in ["setup", "steps", "after"] {
        each_step(node, name, &mut walk, &mut |path, step| {
            for (index, entry) in
                step.get("execute").map_or(&[][..], |node| node.get_items("workflows")).iter().enumerate()
            {
                let Some(named) = entry.get_str("as") else { continue };
                if !names.insert(named) {
                    let at = entry.get("as").map_or(entry.span, |node| node.span);
                    wrong.push((named, at, format!("{path}.execute.workflows[{index}].as")));
                }
            }
        });
    }
    for (named, at, path) in wrong {
        let message = if named == PARENT {
            format!("`as: {PARENT}` is taken: it means the execution that started this one")
        } else {
            format!("two entries are called \"{named}\"")
        };
        look.error("as-taken", message, at, &path).help =
            Some("give each entry of `execute` a name of its own; later steps read its outputs by it".to_owned());
    }
}

fn after(look: &mut Look, node: &Node, path: &str) {
    for (index, step) in node.get_items("after").iter().enumerate() {
        if step.get("condition").is_none() {
            let message = "this step is skipped after a failure, as any step without a condition";
            look.hint("after-without-condition", message, step.span, &format!("{path}.after[{index}]")).help =
                Some("write `condition: always` if it cleans up".to_owned());
        }
    }
}

fn counts(look: &mut Look, node: &Node, path: &str) {
    let Some(most) = node.get("maxCount") else { return };
    if let Some(count) = node.get("count") {
        let fixed = count.as_int().zip(most.as_int()).is_some_and(|(count, most)| most < count);
        let message = if fixed {
            "`maxCount` below `count` is the number of instances, whatever the shards hold"
        } else {
            "`count` plays no part beside a `maxCount` that is not smaller"
        };
        look.warn("count-ignored", message, key_of(node, "count"), &format!("{path}.count"));
    }
    if node.get_entries("shards").is_empty() {
        let message = "without `shards`, `maxCount` is the number of instances";
        look.warn("max-count-without-shards", message, key_of(node, "maxCount"), &format!("{path}.maxCount")).help =
            Some("write `count`, or the `shards` that bound it".to_owned());
    }
}

/// Workers that wait for each other must all be there.
fn barrier(look: &mut Look, node: &Node, path: &str) {
    let Some(parallelism) = node.get_int("parallelism") else { return };
    let paused = node.get_bool("paused") == Some(true)
        || ["setup", "steps", "after"].iter().any(|name| {
            let mut any = false;
            each_step(node, name, &mut Path::default(), &mut |_, step| any |= step.get_bool("paused") == Some(true));
            any
        });
    let Ok(expansion) = expand(node, &[], DEFAULT_LIMIT) else { return };
    let instances = expansion.instances.len();
    if paused && (instances as i64) > parallelism {
        let message = format!("{instances} workers wait for each other, and only {parallelism} run at once");
        look.warn("barrier", message, key_of(node, "parallelism"), &format!("{path}.parallelism")).help =
            Some("raise `parallelism` to the number of workers".to_owned());
    }
}

fn tarball(look: &mut Look, node: &Node, path: &str) {
    let Some(target) = node.get_str("path") else { return };
    if node.get_bool("mount") != Some(false) || !target.starts_with('/') || target.contains("{{") {
        return;
    }
    let mut volumes = vec!["/data".to_owned()];
    crate::workflow::each_field(look.object, look.spec(), &mut Path::default(), &mut |_, _, field, _, node| {
        if field.name == "mountPath" {
            volumes.extend(node.as_str().map(str::to_owned));
        }
    });
    let inside = |volume: &String| {
        target.strip_prefix(volume.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !volumes.iter().any(inside) {
        let message = format!("`{target}` lies in no volume, and `mount: false` makes none");
        look.error("tarball-mount", message, key_of(node, "mount"), &format!("{path}.mount"));
    }
}

/// Words that the reference's schema lets pass and its cluster does not.
fn words(look: &mut Look, object: &'static Object, node: &Node, path: &str) {
    let known: [(&str, &[&str]); 2] =
        [("imagePullPolicy", &["Always", "IfNotPresent", "Never"]), ("restartPolicy", &["OnFailure", "Never"])];
    for (name, words) in known {
        let Some(value) = node.get(name).filter(|_| object.field(name).is_some()) else { continue };
        let Some(text) = value.as_str().filter(|text| !text.is_empty() && !text.contains("{{")) else { continue };
        if !words.contains(&text) {
            let listed: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            let message = format!("`{name}` is {}, not `{text}`", listed.join(" or "));
            look.error("unknown-value", message, value.span, &format!("{path}.{name}"));
        }
    }
}

/// All ids that a reference in the document may mean.
pub(super) fn known_ids(look: &Look, spec: &Node) -> Vec<String> {
    let mut ids = Vec::new();
    let _ = look;
    crate::workflow::each_object(&SPEC, spec, &mut Path::new("spec"), &mut |_, object, node| {
        if object == &SPEC || object == &PARALLEL {
            ids.extend(step_ids(node, "").into_iter().filter_map(|step| step.id));
        }
    });
    ids
}
