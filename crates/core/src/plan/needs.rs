//! What the steps of a unit need from outside: secrets and config maps, and what only a cluster can tell.

use std::collections::BTreeSet;

use super::{
    Credential, Operation, Reference, Step,
    container::reference,
    secrets::{SecretCalls, secret_calls},
};
use crate::source::Node;

/// What the surroundings and credentials of a step name. Surroundings are made final for every operation, and for
/// every condition that looks at them.
pub(super) fn references(step: &Step) -> BTreeSet<Reference> {
    let mut found = BTreeSet::new();
    if let Some(around) = &step.surroundings {
        found.extend(around.env.iter().filter_map(|one| reference(one.value_from.as_ref()?, true)));
        found.extend(around.env_from.iter().map(|one| one.reference.clone()));
        if let Some(Operation::Run { .. } | Operation::Shell { .. }) = &step.operation {
            found.extend(around.files.iter().filter_map(|file| file.content_from.clone()));
        }
    }
    if let Some(Operation::Git(git)) = &step.operation {
        for credential in [&git.username, &git.token, &git.ssh_key].into_iter().flatten() {
            if let Credential::From(reference) = credential {
                found.insert(reference.clone());
            }
        }
    }
    found
}

/// The same with those that its own text calls for.
pub(super) fn all_references(step: &Step) -> BTreeSet<Reference> {
    let mut calls = SecretCalls::default();
    let text = serde_json::to_value(step).and_then(serde_json::from_value::<Node>);
    secret_calls(&text.unwrap_or_default(), &mut calls);
    let mut found = references(step);
    found.extend(calls.into_references());
    found
}

/// Sources of values that only a cluster can answer, as they are written.
const NATIVE: &[&str] = &["fieldRef", "resourceFieldRef", "fileKeyRef"];

pub(super) fn is_native(source: &Node) -> bool {
    NATIVE.iter().any(|field| source.get(field).is_some())
}

/// Those of a step, as often as they are written.
pub(super) fn sources_of(step: &Step) -> impl Iterator<Item = &Node> {
    let around = step.surroundings.as_deref();
    let env = around.into_iter().flat_map(|around| &around.env).filter_map(|one| one.value_from.as_ref());
    let is_command = matches!(step.operation, Some(Operation::Run { .. } | Operation::Shell { .. }));
    let files = around.filter(|_| is_command).into_iter().flat_map(|around| &around.files);
    env.filter(|source| is_native(source)).chain(files.filter_map(|file| file.content_source.as_ref()))
}

/// Those of all steps, once each, in the order in which they are first met.
pub(super) fn sources(steps: &[Step]) -> Vec<Node> {
    let mut found: Vec<Node> = Vec::new();
    for source in steps.iter().flat_map(sources_of) {
        if !found.contains(source) {
            found.push(source.clone());
        }
    }
    found
}
