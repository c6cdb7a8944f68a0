//! Ids of steps: given, or made from names.

use std::collections::BTreeSet;

use crate::expr::compile_template;
use crate::source::{Node, Path};

/// A step with its id, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepId {
    /// Where the step stands, below the path the walk started with.
    pub path: String,
    pub id: Option<String>,
    /// Given by the author.
    pub explicit: bool,
}

/// The ids of all steps of one namespace: a workflow, or a `parallel` block, in the order of the document.
///
/// Given ids are taken first, so that a name above cannot take one away; whether they are well formed and given once
/// is for others to complain about.
pub fn step_ids(spec: &Node, path: &str) -> Vec<StepId> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut path = Path::new(path);
    for name in ["setup", "steps", "after"] {
        each_step(spec, name, &mut path, &mut |_, step| {
            taken.extend(step.get_str("id").filter(|id| !id.is_empty()).map(str::to_owned));
        });
    }
    let mut ids = Vec::new();
    for name in ["setup", "steps", "after"] {
        each_step(spec, name, &mut path, &mut |path, step| {
            let given = step.get_str("id").filter(|id| !id.is_empty()).map(str::to_owned);
            let explicit = given.is_some();
            let id = given.or_else(|| step.get_str("name").and_then(derived).map(|id| unique(&id, &mut taken)));
            ids.push(StepId { path: path.to_string(), id, explicit });
        });
    }
    ids
}

/// Every step of a list and below it, a step before its nested ones; not those of `parallel` blocks.
pub fn each_step<'n>(owner: &'n Node, name: &str, path: &mut Path, visit: &mut dyn FnMut(&Path, &'n Node)) {
    let mark = path.key(name);
    for (index, step) in owner.get_items(name).iter().enumerate() {
        let inner = path.index(index);
        visit(path, step);
        for nested in ["setup", "steps"] {
            each_step(step, nested, path, visit);
        }
        path.leave(inner);
    }
    path.leave(mark);
}

/// Whether an id may be given.
pub fn is_step_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.next().is_some_and(letter) && bytes.all(|b| letter(b) || b == b'_')
}

/// The id a finished name gives. Names that are not finished, or not ASCII enough, give none.
fn derived(name: &str) -> Option<String> {
    let name = compile_template(name).ok()?.value()?.string_form().into_owned();
    let mut id = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            id.push(c);
        } else if !id.is_empty() && !id.ends_with('_') {
            id.push('_');
        }
    }
    let id = id.trim_end_matches('_');
    is_step_id(id).then(|| id.to_owned())
}

fn unique(id: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = id.to_owned();
    let mut number = 0;
    while !taken.insert(candidate.clone()) {
        number += 1;
        candidate = format!("{id}_{number}");
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(spec: &str) -> Vec<Option<String>> {
        let spec: Node = serde_json::from_str(spec).unwrap();
        step_ids(&spec, "spec").into_iter().map(|step| step.id).collect()
    }

    #[test]
    fn names_become_ids_in_the_order_of_the_document() {
        let spec = r#"{"steps":[{"name":"Build & Push App","steps":[{"name":"build!push!app"}]},{"name":"  "},{}],
            "setup":[{"name":"Build_Push_App"}],"after":[{"name":"Übung"},{"name":"{{ index }}"}]}"#;
        let want = [Some("build_push_app"), Some("build_push_app_1"), Some("build_push_app_2"), None, None, None, None];
        assert_eq!(ids(spec), want.map(|id| id.map(str::to_owned)));
    }

    #[test]
    fn given_ids_are_reserved_before_any_name() {
        let spec = r#"{"steps":[{"name":"a"},{"id":"a","name":"x"}]}"#;
        assert_eq!(ids(spec), [Some("a_1".to_owned()), Some("a".to_owned())]);
    }
}
