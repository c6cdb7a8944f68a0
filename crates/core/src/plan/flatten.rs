//! From the raw tree of groups to the tree that people see (`execution.md` 1.3).

use std::collections::BTreeSet;

use crate::plan::{Operation, Retry, Step, Surroundings};

/// A node before flattening.
#[derive(Debug, Clone, Default)]
pub(super) struct Raw {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) category: String,
    /// Words for references of unnamed steps.
    pub(super) kind: &'static str,
    /// Empty: nobody said anything.
    pub(super) conditions: Vec<String>,
    pub(super) negative: bool,
    pub(super) optional: bool,
    pub(super) paused: bool,
    pub(super) timeout: Option<String>,
    pub(super) grace: Option<u64>,
    pub(super) retry: Option<Retry>,
    pub(super) operation: Option<Operation>,
    pub(super) surroundings: Option<Surroundings>,
    pub(super) children: Vec<Raw>,
    /// Made for a list of nested steps: replaced by its children.
    pub(super) invisible: bool,
}

/// A condition that says yes without a look.
const TRUE: &str = "true";

/// Simplifies a raw tree whose top is the root.
pub(super) fn flatten(mut root: Raw) -> Raw {
    root.children = std::mem::take(&mut root.children).into_iter().flat_map(simplify).collect();
    root
}

fn simplify(mut node: Raw) -> Vec<Raw> {
    node.children = std::mem::take(&mut node.children).into_iter().flat_map(simplify).collect();
    if node.operation.is_some() {
        return vec![node];
    }
    if node.children.is_empty() {
        if !node.paused {
            return Vec::new();
        }
        node.operation = Some(Operation::Gate);
        "Wait for continue".clone_into(&mut node.category);
        node.kind = "wait";
        return vec![node];
    }
    if node.invisible {
        let mut children = std::mem::take(&mut node.children);
        for child in &mut children {
            prepend(&node.conditions, &mut child.conditions);
        }
        return children;
    }
    if node.children.len() == 1 && may_merge(&node, &node.children[0]) {
        let child = node.children.remove(0);
        return vec![merge(node, child)];
    }
    vec![node]
}

fn may_merge(group: &Raw, child: &Raw) -> bool {
    !(group.name.is_some() && child.name.is_some()
        || group.timeout.is_some() && child.timeout.is_some()
        || group.paused && child.paused)
}

fn merge(group: Raw, mut child: Raw) -> Raw {
    child.name = child.name.or(group.name);
    child.id = child.id.or(group.id);
    if child.timeout.is_none() {
        child.timeout = group.timeout;
        child.grace = child.grace.or(group.grace);
    }
    if child.conditions.is_empty() {
        child.conditions = vec!["passed".to_owned()];
    }
    prepend(&group.conditions, &mut child.conditions);
    child.negative ^= group.negative;
    child.optional |= group.optional;
    child.paused |= group.paused;
    child
}

/// Puts conditions in front of others, leaving out what stands there already and what says nothing.
fn prepend(outer: &[String], inner: &mut Vec<String>) {
    let mut all: Vec<String> = Vec::with_capacity(outer.len() + inner.len());
    // A list's own members decide by themselves unless somebody said otherwise.
    let own = if inner.is_empty() && !outer.is_empty() { vec!["passed".to_owned()] } else { std::mem::take(inner) };
    for condition in outer.iter().cloned().chain(own) {
        if condition != TRUE && !all.contains(&condition) {
            all.push(condition);
        }
    }
    if all.is_empty() {
        all.push(TRUE.to_owned());
    }
    *inner = all;
}

/// Numbers the tree: parents before children, each step with a reference of its own.
pub(super) fn number(root: Raw) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut taken = BTreeSet::new();
    place(root, None, "", &mut steps, &mut taken);
    name_starts(&mut steps);
    steps
}

/// Tells each step that stops services which step started them: the one before it in the same group.
fn name_starts(steps: &mut [Step]) {
    for at in 0..steps.len() {
        let parent = steps[at].parent;
        let started = steps[..at]
            .iter()
            .rev()
            .find(|step| step.parent == parent && matches!(step.operation, Some(Operation::StartServices { .. })))
            .map(|step| step.r#ref.clone());
        if let (Some(Operation::StopServices { start, .. }), Some(started)) = (&mut steps[at].operation, started) {
            *start = started;
        }
    }
}

fn place(node: Raw, parent: Option<usize>, above: &str, steps: &mut Vec<Step>, taken: &mut BTreeSet<String>) {
    let Raw {
        id,
        name,
        category,
        kind,
        mut conditions,
        negative,
        optional,
        paused,
        timeout,
        grace,
        retry,
        operation,
        surroundings,
        children,
        invisible: _,
    } = node;
    let wish = match (&id, parent) {
        (Some(id), _) => id.clone(),
        (None, None) => "root".to_owned(),
        (None, Some(_)) => match name.as_deref().map(slug).filter(|slug| !slug.is_empty()) {
            Some(slug) => slug,
            None if above.is_empty() => kind.to_owned(),
            None => format!("{above}-{kind}"),
        },
    };
    let r#ref = unique(&wish, taken);
    let below = if parent.is_some() { r#ref.clone() } else { String::new() };
    if conditions.is_empty() {
        conditions.push("passed".to_owned());
    }
    let at = steps.len();
    steps.push(Step {
        r#ref,
        id,
        name,
        category,
        parent,
        end: at + 1,
        conditions,
        negative,
        optional,
        paused,
        timeout,
        grace: grace.unwrap_or(0),
        retry,
        operation,
        surroundings: surroundings.map(Box::new),
    });
    for child in children {
        place(child, Some(at), &below, steps, taken);
    }
    steps[at].end = steps.len();
}

fn unique(wish: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = wish.to_owned();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{wish}-{number}");
        number += 1;
    }
    name
}

/// Lower-case letters and digits kept, each run of anything else one `_`, none at the ends.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        if character.is_alphanumeric() {
            slug.extend(character.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    slug.trim_end_matches('_').to_owned()
}
