//! Everything decidable, decided: what one execution will do, down to the argument list of each command.
//!
//! A [`Plan`] is immutable and complete; equal inputs give equal bytes. What only a run can know stays in as
//! template or expression text (the fields say which), secrets as names. Making one is [`build`]'s work, blocks of
//! `parallel`, `services` and `execute` are multiplied by [`expand_parallel`] and its sisters when their turn comes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{expr::Value, source::Node};

mod build;
mod container;
mod containers;
mod expand;
mod flatten;
mod images;
mod names;
mod needs;
mod notes;
mod parts;
mod secrets;
mod settle;
mod shape;
#[cfg(test)]
mod tests;

pub use build::{CatalogEntry, Context, build};
pub use containers::{ContainerPlan, Containers, containers};
pub use expand::{
    ArtifactFetch, ChildRequest, ExpandFailure, Expanded, PackSource, Transfer, expand_execute, expand_parallel,
    expand_services, foresee_parallel, foresee_services, pack_sources,
};
pub use images::{ImageTable, OWN_IMAGE, well_known};
pub use names::{LONGEST_NAME, claim_name, shortened, source_name};
pub use shape::shape;

/// Format of the file that holds a plan; additive changes keep it.
pub const PLAN_VERSION: u32 = 1;

/// What one execution will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub version: u32,
    pub workflow: String,
    pub execution: Identity,
    pub main: UnitPlan,
    pub limits: Limits,
    /// How the workflow's status follows from its steps'.
    pub status: StatusRule,
    /// What the chosen runner will not do, said once.
    pub notes: Vec<Note>,
    /// What units that the engine makes later are built with.
    pub platform: Platform,
}

/// Who an execution is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    pub id: String,
    pub name: String,
    pub number: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Name of the execution that started this one, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    /// Their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<String>,
}

impl Identity {
    /// Whether this execution may read what another one keeps: its ancestors, its descendants, its siblings.
    pub fn may_read(&self, other: &Identity) -> bool {
        let parent = |one: &Identity| one.ancestors.last().cloned();
        self.id == other.id
            || self.ancestors.contains(&other.id)
            || other.ancestors.contains(&self.id)
            || parent(self).is_some() && parent(self) == parent(other)
    }
}

/// Limits that the engine keeps, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// When the whole execution is aborted, and what is said then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
    /// How long `always` operations may run after a stop.
    pub stop_window: u64,
    /// Whether what is left of a unit stays for people to look at.
    #[serde(default, skip_serializing_if = "KeepPod::is_never")]
    pub keep_pod: KeepPod,
    /// From SIGTERM to SIGKILL in a stop.
    pub stop_grace: u64,
    /// How long a step with `paused: true` waits for somebody to resume it before it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<u64>,
    /// How long the execution's own unit may take until its agent answers and begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialization: Option<u64>,
}

impl Limits {
    /// How long a unit may take to come to be, where nothing else is said: an image may be large and a cluster full, but
    /// nobody waits for ever.
    pub const START: u64 = 30 * 60 * 1000;
}

/// `spec.system.keepPod`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeepPod {
    #[default]
    Never,
    OnFailure,
    Always,
}

impl KeepPod {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_never(&self) -> bool {
        *self == KeepPod::Never
    }
}

/// One limit for an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    pub after: u64,
    pub reason: String,
}

/// `spec.system.status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusRule {
    /// A recursive look at the tree of steps.
    #[default]
    Tree,
    /// The reference's flat scan.
    Reference,
}

/// Something that is valid, and not carried out by this runner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    pub path: String,
    pub message: String,
}

/// Where units live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// As processes of this machine.
    #[default]
    Process,
    /// As pods of a cluster.
    Kube,
}

/// What the place can do, as far as plans depend on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    /// Plans say nothing of containers, pods and jobs where there are none.
    #[serde(default)]
    pub place: Place,
    /// On a cluster: the execution that what is made for a run is named after.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub execution: String,
    pub images: ImageTable,
    /// A working tree stands in for repositories (`--content`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub content: bool,
    /// Workflows that `execute` finds, with their labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub catalog: Vec<CatalogEntry>,
}

/// The slice of a plan that one agent carries out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitPlan {
    pub role: Role,
    /// All steps before they are flattened into a tree by `parent` and `end`, in the order they run. Number 0 is
    /// the root group.
    pub steps: Vec<Step>,
    /// Secrets and config maps whose values travel in `begin`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// On a cluster: sources of values that only it can answer (`fieldRef`, `resourceFieldRef`, `fileKeyRef`). Each
    /// container whose steps use one gets it under the name that [`source_name`] gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Node>,
    /// `global: true` entries, for services and workers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub global_env: Vec<EnvVar>,
    /// On a cluster: settings of its pod and its Job as the author wrote them, checked, final, and not looked into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Node>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Node>,
    /// On a cluster: volume claims that are made for it and go with it, by their real names ([`claim_name`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pvcs: Option<Node>,
    #[serde(default, skip_serializing_if = "Layout::is_together")]
    pub layout: Layout,
}

/// `spec.system.layout`: how the containers of a pod follow one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Layout {
    /// Started at once, each idle until its turn.
    #[default]
    Together,
    /// One after the other.
    Sequential,
}

impl Layout {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_together(&self) -> bool {
        *self == Layout::Together
    }
}

impl UnitPlan {
    /// The number of a value source among those that only a cluster can answer.
    pub fn source(&self, source: &Node) -> Option<usize> {
        self.sources.iter().position(|one| one == source)
    }
}

/// What a unit is to its execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    Main,
    Worker,
    Service(ServicePlan),
}

/// How a service is watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePlan {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Longest time until ready, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Whether a service that ends without success is started again.
    pub restart: bool,
}

/// A readiness probe; times in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    pub action: ProbeAction,
    pub initial_delay: u64,
    pub period: u64,
    pub timeout: u64,
    pub success_threshold: u32,
    pub failure_threshold: u32,
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProbeAction {
    Exec { command: Vec<String> },
    HttpGet { host: Option<String>, port: u16, path: String, headers: Vec<(String, String)>, tls: bool },
    TcpSocket { host: Option<String>, port: u16 },
    Grpc { port: u16, service: String },
}

/// A node of the tree: a group, or a leaf with one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Unique in its unit, and the same in every run of the same file.
    pub r#ref: String,
    /// For `step.<id>`; derived from the name where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the operation is, for people.
    pub category: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    /// One past the last step inside this one.
    pub end: usize,
    /// Expressions that must all hold.
    pub conditions: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub negative: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub paused: bool,
    /// Template text of a duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// From SIGTERM to SIGKILL when the timeout strikes, in milliseconds.
    #[serde(default)]
    pub grace: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// A group has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// What the operation sees of its surroundings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surroundings: Option<Box<Surroundings>>,
}

impl Step {
    /// What a person calls it.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.category)
    }

    /// Whether it runs whatever came before.
    pub fn is_always(&self) -> bool {
        self.conditions.iter().any(|condition| matches!(condition.as_str(), "always"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// More attempts of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts after the first.
    pub count: u32,
    /// Expression; stop as soon as it holds.
    pub until: String,
    /// Milliseconds between attempts.
    #[serde(default)]
    pub delay: u64,
}

/// What surrounds an operation: inherited from the outermost level to its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Surroundings {
    /// Last of a name wins. Values are template text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<EnvFrom>,
    /// Applied in turn: relative ones joined, absolute ones replacing. Template text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub working_dir: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Directories shared between the steps of the unit besides the usual three. Template text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What only a platform with containers carries out: image policy, resources, security, mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Node>,
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<Node>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub global: bool,
}

/// All keys of a secret or config map as variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvFrom {
    #[serde(default)]
    pub prefix: String,
    pub reference: Reference,
}

/// A key (or all keys) of a secret or config map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    pub kind: ReferenceKind,
    pub name: String,
    /// None: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default)]
    pub optional: bool,
}

impl Reference {
    /// Its name among the values that travel in `begin`.
    pub fn path(&self) -> String {
        let kind = match self.kind {
            ReferenceKind::Secret => "secret",
            ReferenceKind::ConfigMap => "configMap",
        };
        format!("{kind}/{}/{}", self.name, self.key.as_deref().unwrap_or("*"))
    }
}

/// Where a reference points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReferenceKind {
    Secret,
    ConfigMap,
}

/// One of `content.files`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Template text; relative to the working directory of each step that sees it, else to `/data`.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_from: Option<Reference>,
    /// A field of the pod instead, as [`UnitPlan::sources`] has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_source: Option<Node>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// What a leaf does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Waits, in milliseconds.
    Delay {
        millis: u64,
    },
    /// Nothing but a place to pause at.
    Gate,
    Git(Box<Git>),
    Tarball {
        entries: Vec<Tarball>,
    },
    /// A command with its arguments, each template text.
    Run {
        command: Vec<String>,
        args: Vec<String>,
    },
    /// A script for `sh -c` with `set -e` before it; template text.
    Shell {
        script: String,
    },
    /// Starts the services of a step; `services` are blocks for [`expand_services`].
    StartServices {
        services: Vec<(String, Node)>,
    },
    /// Stops what the step `start` began.
    StopServices {
        start: String,
        logs: Vec<(String, Option<String>)>,
    },
    /// A block for [`expand_parallel`].
    Parallel(Box<Parallel>),
    /// A block for [`expand_execute`].
    Execute(Box<Execute>),
    Artifacts(Artifacts),
    /// Unpacks what the parent handed over.
    Unpack {
        packs: Vec<Unpack>,
    },
    /// Packs files for the parent.
    Fetch {
        entries: Vec<FetchEntry>,
    },
}

/// A repository to clone. Texts are templates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Git {
    pub uri: String,
    pub revision: Option<String>,
    pub mount_path: String,
    pub paths: Vec<String>,
    pub cone: bool,
    pub username: Option<Credential>,
    pub token: Option<Credential>,
    pub ssh_key: Option<Credential>,
    pub auth_type: Option<String>,
    pub verbosity: Option<String>,
    pub attempts: Option<u32>,
    pub retry_delay: Option<String>,
    /// A pack that stands in for the repository (`--content`).
    pub replaced: bool,
}

/// A text, or where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Credential {
    Text(String),
    From(Reference),
}

/// An archive to download and unpack. Texts are templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tarball {
    pub url: String,
    pub path: String,
}

/// A `parallel` block, as far as it is settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parallel {
    pub block: Node,
    pub parallelism: u32,
    pub fail_fast: bool,
    /// So many failures end the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<u32>,
    /// Expression over a worker's result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<String>,
    /// Ids of the surrounding workflow, for `step.*` in the workers' text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
}

/// An `execute` block, as far as it is settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execute {
    pub workflows: Vec<ExecuteEntry>,
    pub parallelism: u32,
    pub asynchronous: bool,
    /// Whether children outlive a stop of this execution.
    #[serde(default)]
    pub leave: bool,
}

/// One entry of an `execute` block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteEntry {
    pub block: Node,
    /// It has a selector, and this is what the selector finds.
    pub selects: bool,
    pub selected: Vec<String>,
}

/// Files to keep. Texts are templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    pub paths: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compress: Option<String>,
}

/// A pack to put into the unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpack {
    pub pack: crate::frame::PackId,
    pub to: String,
}

/// Files a worker hands back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchEntry {
    pub from: String,
    pub to: String,
    pub files: Vec<String>,
}

/// One instance's own values, in declared order.
pub type Labels = Vec<(String, Value)>;
