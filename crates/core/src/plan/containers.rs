//! The containers of a pod: which steps of a unit can share one, and what each is made with.
//!
//! Steps share a container when image and settings are equal; where containers follow one another, only neighbours do.
//! What needs our own tools runs in our own image, under the user's identity and with the user's mounts, free of the
//! limits that were meant for a command. What needs no tools at all is carried out by the agent that leads.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Layout, Operation, Step, Surroundings, UnitPlan, needs,
    settle::{self, Certainty},
};
use crate::source::{Kind, Node};

mod in_turn;

/// The containers of a unit. Equal plans give equal ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Containers {
    /// As it is carried out: where no containers would follow one another, they are together.
    #[serde(default, skip_serializing_if = "Layout::is_together")]
    pub layout: Layout,
    /// The agent of the first one leads: ours if there is one, else the first step's. One after the other, it is there
    /// all the time and the others follow in this order.
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
    /// Where the contents of files go that its steps see; the leader has none of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Which of the unit's references and sources its steps use, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<usize>,
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

/// The containers of a unit.
pub fn containers(unit: &UnitPlan) -> Containers {
    let in_turn = if unit.layout == Layout::Sequential { in_turn::containers(unit) } else { None };
    let mut made = in_turn.unwrap_or_else(|| together(unit));
    equip(unit, &mut made);
    made
}

/// Steps with something to do, by their numbers.
fn leaves(unit: &UnitPlan) -> impl Iterator<Item = (usize, &Step, &Operation)> {
    unit.steps.iter().enumerate().filter_map(|(at, step)| Some((at, step, step.operation.as_ref()?)))
}

/// The distinct ones, for all of the unit.
fn together(unit: &UnitPlan) -> Containers {
    let mut list: Vec<ContainerPlan> = Vec::new();
    let mut of_step = vec![None; unit.steps.len()];
    for (at, step, operation) in leaves(unit) {
        if let Carrier::Chosen = carrier(operation) {
            let (image, settings) = chosen(step);
            let same = list.iter().position(|one| one.image == image && one.settings == settings);
            of_step[at] = Some(same.unwrap_or_else(|| push(&mut list, image, settings)));
        }
    }
    for (at, step, operation) in leaves(unit) {
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
    Containers { layout: Layout::Together, list, of_step }
}

/// Gives each container what its steps need, and the one that leads what it needs beside that.
fn equip(unit: &UnitPlan, made: &mut Containers) {
    let Containers { layout: _, list, of_step } = made;
    for (at, step, operation) in leaves(unit) {
        if let Carrier::Leader { files: true } = carrier(operation) {
            also_mount(&mut list[0].settings, &chosen(step).1);
        }
        let container = of_step[at].unwrap_or(0);
        for volume in volumes(step, &chosen(step).1) {
            for at in BTreeSet::from([0, container]) {
                if !list[at].volumes.contains(&volume) {
                    list[at].volumes.push(volume.clone());
                }
            }
        }
        let carries = &mut list[container];
        for file in files(step) {
            if !carries.files.contains(&file) {
                carries.files.push(file);
            }
        }
        let used = needs::all_references(step);
        also(&mut carries.references, unit.references.iter().map(|one| used.contains(one)));
        let used: Vec<&Node> = needs::sources_of(step).collect();
        also(&mut carries.sources, unit.sources.iter().map(|one| used.contains(&one)));
    }
}

/// Adds the numbers of what is used.
fn also(known: &mut Vec<usize>, used: impl Iterator<Item = bool>) {
    let used = used.enumerate().filter(|(_, used)| *used).map(|(number, _)| number);
    let all: BTreeSet<usize> = known.drain(..).chain(used).collect();
    known.extend(all);
}

fn push(list: &mut Vec<ContainerPlan>, image: Option<String>, settings: Node) -> usize {
    list.push(ContainerPlan {
        image,
        settings,
        volumes: Vec::new(),
        files: Vec::new(),
        references: Vec::new(),
        sources: Vec::new(),
    });
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
    let mut kept = identity(settings);
    if let Some(mounts) = settings.get("volumeMounts") {
        kept.set("volumeMounts", mounts.clone());
    }
    kept
}

/// What of a command's settings says who writes.
fn identity(settings: &Node) -> Node {
    let mut kept = Node::map::<&str>([]);
    let security = settings.get_entries("securityContext").iter().filter(|(key, _)| IDENTITY.contains(&&**key));
    let security: Vec<_> = security.cloned().collect();
    if !security.is_empty() {
        kept.set("securityContext", Node::from(Kind::Map(security)));
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

/// Where relative paths of content start.
fn base(around: &Surroundings) -> String {
    around.working_dir.iter().fold("/data".to_owned(), |outer, dir| join(&outer, &plain(dir)))
}

/// Only commands see files.
fn files(step: &Step) -> Vec<String> {
    let Some(Operation::Run { .. } | Operation::Shell { .. }) = step.operation else { return Vec::new() };
    let Some(around) = &step.surroundings else { return Vec::new() };
    let base = base(around);
    around.files.iter().map(|file| join(&base, &plain(&file.path))).collect()
}

/// Directories that all containers of a unit share anyway.
const SHARED: &[&str] = &["/data", "/tmp", "/testkube"];

/// Directories of content that lie in nothing that is shared or mounted anyway.
fn volumes(step: &Step, settings: &Node) -> Vec<String> {
    let Some(around) = &step.surroundings else { return Vec::new() };
    let base = base(around);
    let mounted = settings.get_items("volumeMounts").iter().filter_map(|mount| mount.get_str("mountPath"));
    let known: Vec<&str> = SHARED.iter().copied().chain(mounted).collect();
    let inside = |path: &str, dir: &str| {
        path.strip_prefix(dir.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let paths = around.volumes.iter().map(|volume| join(&base, &plain(volume)));
    paths.filter(|path| !known.iter().any(|dir| inside(path, dir))).collect()
}
