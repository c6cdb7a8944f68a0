//! The containers of a pod: which steps of a unit can share one, and what each is made with.
//!
//! Steps share a container when image and settings are equal. What needs our own tools runs in our own image, under
//! the user's identity and with the user's mounts, free of the limits that were meant for a command. What needs no
//! tools at all is carried out by the agent that leads.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Operation, Reference, Step, Surroundings, UnitPlan,
    container::reference,
    secrets::{SecretCalls, secret_calls},
    settle::{self, Certainty},
};
use crate::source::{Kind, Node};

/// The containers of a unit. Equal plans give equal ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Containers {
    /// The agent of the first one leads: ours if there is one, else the first step's.
    pub list: Vec<ContainerPlan>,
    /// By the number of the step: none for groups, and for what the leader does itself.
    pub of_step: Vec<Option<usize>>,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPlan {
    /// None: testudo's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `imagePullPolicy`, `resources`, `securityContext` and `volumeMounts`, as Kubernetes takes them.
    pub settings: Node,
    /// Directories that its steps share with others of the unit, besides the usual three. The leader has all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Which of the unit's references its steps use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<usize>,
}

/// Who carries an operation out.
enum Carrier {
    /// A container of the user's choice.
    Chosen,
    /// Our image, for its tools.
    Tools,
    /// The agent that leads, by itself; where `files`, it looks at those that the step sees.
    Leader { files: bool },
}

fn carrier(operation: &Operation) -> Carrier {
    match operation {
        Operation::Run { .. } | Operation::Shell { .. } => Carrier::Chosen,
        Operation::Git(git) if !git.replaced => Carrier::Tools,
        Operation::Tarball { .. } => Carrier::Tools,
        Operation::Git(_)
        | Operation::Parallel(_)
        | Operation::StartServices { .. }
        | Operation::Execute(_)
        | Operation::Artifacts(_)
        | Operation::Unpack { .. }
        | Operation::Fetch { .. } => Carrier::Leader { files: true },
        Operation::Delay { .. } | Operation::Gate | Operation::StopServices { .. } => Carrier::Leader { files: false },
    }
}

/// The distinct containers of a unit.
pub fn containers(unit: &UnitPlan) -> Containers {
    let mut list: Vec<ContainerPlan> = Vec::new();
    let mut of_step = vec![None; unit.steps.len()];
    let leaves = || unit.steps.iter().enumerate().filter_map(|(at, step)| Some((at, step, step.operation.as_ref()?)));
    for (at, step, operation) in leaves() {
        if let Carrier::Chosen = carrier(operation) {
            let (image, settings) = chosen(step);
            let same = list.iter().position(|one| one.image == image && one.settings == settings);
            of_step[at] = Some(same.unwrap_or_else(|| push(&mut list, image, settings)));
        }
    }
    for (at, step, operation) in leaves() {
        if let Carrier::Tools = carrier(operation) {
            let wanted = unlimited(&chosen(step).1);
            let fits = |one: &ContainerPlan| one.image.is_none() && !limited(one) && unlimited(&one.settings) == wanted;
            let same = list.iter().position(fits);
            of_step[at] = Some(same.unwrap_or_else(|| push(&mut list, None, wanted)));
        }
    }
    if list.is_empty() {
        push(&mut list, None, Node::map::<&str>([]));
    }
    lead(&mut list, &mut of_step);
    for (at, step, operation) in leaves() {
        if let Carrier::Leader { files: true } = carrier(operation) {
            also_mount(&mut list[0].settings, &chosen(step).1);
        }
        let container = of_step[at].unwrap_or(0);
        for volume in volumes(step) {
            for at in BTreeSet::from([0, container]) {
                if !list[at].volumes.contains(&volume) {
                    list[at].volumes.push(volume.clone());
                }
            }
        }
        let used = references(step);
        let used = unit.references.iter().enumerate().filter(|(_, one)| used.contains(one)).map(|(number, _)| number);
        let known = &mut list[container].references;
        let all: BTreeSet<usize> = known.drain(..).chain(used).collect();
        known.extend(all);
    }
    Containers { list, of_step }
}

fn push(list: &mut Vec<ContainerPlan>, image: Option<String>, settings: Node) -> usize {
    list.push(ContainerPlan { image, settings, volumes: Vec::new(), references: Vec::new() });
    list.len() - 1
}

/// Puts the container that leads in front: ours, best one that no limit of a command can kill; the others keep the
/// order of their steps.
fn lead(list: &mut Vec<ContainerPlan>, of_step: &mut [Option<usize>]) {
    let ours = |one: &ContainerPlan| one.image.is_none();
    let leader = list.iter().position(|one| ours(one) && !limited(one)).or_else(|| list.iter().position(ours));
    let mut order: Vec<usize> = leader.into_iter().collect();
    for at in of_step.iter().flatten().copied().chain(0..list.len()) {
        if !order.contains(&at) {
            order.push(at);
        }
    }
    *list = order.iter().map(|&at| list[at].clone()).collect();
    for at in of_step.iter_mut().flatten() {
        *at = order.iter().position(|old| old == at).unwrap_or(0);
    }
}

/// Image and settings that a step asks for.
fn chosen(step: &Step) -> (Option<String>, Node) {
    let none = Surroundings::default();
    let around = step.surroundings.as_deref().unwrap_or(&none);
    let image = around.image.as_deref().map(plain).filter(|image| !image.is_empty());
    let mut settings = around.container.as_ref().map_or_else(|| Node::map::<&str>([]), settle::plain_container);
    let dir = around.working_dir.iter().fold(String::new(), |outer, dir| join(&outer, &plain(dir)));
    for mount in settings.get_mut("volumeMounts").and_then(Node::as_list_mut).into_iter().flatten() {
        let path = mount.get_str("mountPath").filter(|path| !path.starts_with('/'));
        if let Some(path) = path.map(|path| join(&dir, path)) {
            mount.set("mountPath", Node::text(path));
        }
    }
    (image, settings)
}

fn plain(template: &str) -> String {
    settle::text(template, Certainty::Draft).unwrap_or_else(|_| template.to_owned())
}

/// A path below a directory.
fn join(dir: &str, path: &str) -> String {
    if path.starts_with('/') || dir.is_empty() {
        path.to_owned()
    } else {
        format!("{}/{}", dir.trim_end_matches('/'), path.trim_start_matches("./"))
    }
}

/// Fields of a security context that say whose files are written.
const IDENTITY: &[&str] = &["runAsGroup", "runAsNonRoot", "runAsUser", "seLinuxOptions"];

/// What of a command's settings also holds for our own tools beside it: who writes, and where to.
fn unlimited(settings: &Node) -> Node {
    let mut kept = Node::map::<&str>([]);
    let security = settings.get_entries("securityContext").iter().filter(|(key, _)| IDENTITY.contains(&&**key));
    let security: Vec<_> = security.cloned().collect();
    if !security.is_empty() {
        kept.set("securityContext", Node::from(Kind::Map(security)));
    }
    if let Some(mounts) = settings.get("volumeMounts") {
        kept.set("volumeMounts", mounts.clone());
    }
    kept
}

fn limited(container: &ContainerPlan) -> bool {
    container.settings.get("resources").is_some_and(|resources| resources.get("limits").is_some())
}

/// Mounts what is not mounted yet.
fn also_mount(settings: &mut Node, others: &Node) {
    let mut mounts = settings.get_items("volumeMounts").to_vec();
    let before = mounts.len();
    for mount in others.get_items("volumeMounts") {
        if !mounts.iter().any(|known| known.get("mountPath") == mount.get("mountPath")) {
            mounts.push(mount.clone());
        }
    }
    if mounts.len() > before {
        settings.set("volumeMounts", Node::list(mounts));
    }
}

fn volumes(step: &Step) -> Vec<String> {
    let around = step.surroundings.as_deref();
    around.map(|around| around.volumes.iter().map(|volume| plain(volume)).collect()).unwrap_or_default()
}

/// What a step needs from secrets and config maps.
fn references(step: &Step) -> BTreeSet<Reference> {
    let mut calls = SecretCalls::default();
    let text = serde_json::to_value(step).and_then(serde_json::from_value::<Node>);
    secret_calls(&text.unwrap_or_default(), &mut calls);
    let mut found = calls.into_references();
    if let Some(around) = &step.surroundings {
        found.extend(around.env.iter().filter_map(|one| reference(one.value_from.as_ref()?, true)));
        found.extend(around.env_from.iter().map(|one| one.reference.clone()));
        found.extend(around.files.iter().filter_map(|file| file.content_from.clone()));
    }
    if let Some(Operation::Git(git)) = &step.operation {
        for credential in [&git.username, &git.token, &git.ssh_key].into_iter().flatten() {
            if let super::Credential::From(reference) = credential {
                found.insert(reference.clone());
            }
        }
    }
    found
}
