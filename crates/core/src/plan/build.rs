//! From a resolved workflow to a plan.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Concurrency, Deadline, Execute, ExecuteEntry, ExpandFailure, Expanded, FetchEntry, File, Git, Identity, KeepPod,
    Layout, Limits, Note, OnFailure, Operation, PLAN_VERSION, Parallel, Place, Plan, Platform, Reference, Retry, Role,
    ServicePlan, StatusRule, Surroundings, Tarball, UnitPlan, Unpack,
    container::{Around, reference},
    expand::{foresee_parallel, foresee_services},
    flatten::{Raw, flatten, number, slug},
    needs, notes,
    parts::{REPOSITORY, artifacts_of, git_of, selects, texts},
    secrets::{SecretCalls, secret_calls},
    settle::Certainty,
};
use crate::{
    duration,
    expr::{Expr, ExprError, Scope},
    run::Work,
    source::{Diagnostic, Node, Path},
};

mod cluster;
mod probe;

/// What a plan is made with, beside the workflow.
#[derive(Debug, Clone, Default)]
pub struct Context {
    pub workflow: String,
    pub execution: Identity,
    pub platform: Platform,
    /// How long a step with `paused: true` waits for somebody to resume it before it fails, in milliseconds.
    pub pause: Option<u64>,
}

/// A workflow that `execute` can find.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogEntry {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

/// Plans an execution, or says everything that is in the way.
pub fn build(spec: &Node, context: &Context) -> Result<Plan, Vec<Diagnostic>> {
    let mut platform = context.platform.clone();
    if platform.place == Place::Kube {
        platform.execution.clone_from(&context.execution.id);
    }
    let making = Making { owner: &context.execution.id, ..Making::of(&platform) };
    let mut builder = Builder::new(making, "spec");
    let main = builder.unit(spec, Role::Main, &[], &[]);
    if builder.problems.is_empty() && !main.steps.iter().any(|step| step.operation.is_some()) {
        builder.problems.push(
            Diagnostic::error("nothing-to-run", "test workflow has nothing to run")
                .at(spec.span)
                .help("give it at least one step with `shell`, `run` or another operation"),
        );
    }
    let system = spec.get("system");
    let limits = Limits {
        deadline: deadline(spec),
        keep_pod: match system.and_then(|node| node.get_str("keepPod")) {
            Some("always") if platform.place == Place::Kube => KeepPod::Always,
            Some("onFailure") if platform.place == Place::Kube => KeepPod::OnFailure,
            _ => KeepPod::Never,
        },
        stop_window: system.and_then(|node| builder.duration(node, "stopWindow")).unwrap_or(60_000),
        stop_grace: system.and_then(|node| builder.duration(node, "terminationGrace")).unwrap_or(30_000),
        pause: context.pause,
        initialization: spec.get("timeouts").and_then(|node| builder.duration(node, "initialization")),
        queue: spec.get("timeouts").and_then(|node| builder.duration(node, "queue")),
    };
    let concurrency = spec.get("concurrency").and_then(|node| concurrency(node, &context.workflow));
    let status = match system.and_then(|node| node.get_str("status")) {
        Some("reference") => StatusRule::Reference,
        _ => StatusRule::Tree,
    };
    if !builder.problems.is_empty() {
        return Err(builder.problems);
    }
    let notes = notes::for_place(context.platform.place, spec);
    Ok(Plan {
        version: PLAN_VERSION,
        workflow: context.workflow.clone(),
        execution: context.execution.clone(),
        main,
        limits,
        concurrency,
        status,
        notes,
        platform,
    })
}

/// What limits how many executions there are at once; a group without a limit limits nothing.
fn concurrency(node: &Node, workflow: &str) -> Option<Concurrency> {
    let max = node.get_int("max").and_then(|max| usize::try_from(max).ok()).filter(|max| *max > 0)?;
    let group = node.get_str("group").filter(|group| !group.is_empty()).unwrap_or(workflow).to_owned();
    Some(Concurrency { group, max, cancel_in_progress: node.get_bool("cancelInProgress").unwrap_or(false) })
}

/// How the steps of a unit are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// All of them out.
    Spec,
    /// The fields of the first stand right in the block.
    Short,
    /// The fields of the one `run` stand right in the block.
    Run,
}

/// What units are made with beside their text.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub(super) platform: &'a Platform,
    pub(super) certainty: Certainty,
    /// What its own volume claims are named after.
    pub(super) owner: &'a str,
}

impl<'a> Making<'a> {
    pub(super) fn of(platform: &'a Platform) -> Self {
        Making { platform, certainty: Certainty::Final, owner: "" }
    }

    /// For a look ahead, before everything is known.
    pub(super) fn draft(self) -> Self {
        Making { certainty: Certainty::Draft, ..self }
    }
}

/// Plans one worker of a `parallel` block from its instance's text.
pub(super) fn worker_unit(
    instance: &Node,
    making: Making<'_>,
    packs: &[Unpack],
    fetches: &[FetchEntry],
) -> Result<UnitPlan, Vec<Diagnostic>> {
    let mut builder = Builder::new(making, "");
    let mut spec = instance.clone();
    let short: Vec<_> =
        SHORT_FORM.iter().filter_map(|field| spec.take(field).map(|node| ((*field).to_owned(), node))).collect();
    if !short.is_empty() {
        let mut steps = vec![Node::map(short)];
        steps.extend(spec.get_items("steps").iter().cloned());
        spec.set("steps", Node::list(steps));
        builder.form = Form::Short;
    }
    let unit = builder.unit(&spec, Role::Worker, packs, fetches);
    if builder.problems.is_empty() { Ok(unit) } else { Err(builder.problems) }
}

/// Fields of a `parallel` block that make the first step of each worker.
pub(super) const SHORT_FORM: &[&str] =
    &["delay", "shell", "run", "execute", "artifacts", "negative", "optional", "paused", "retry", "timeout"];

/// Plans one instance of a service from its text.
pub(super) fn service_unit(instance: &Node, making: Making<'_>, packs: &[Unpack]) -> Result<UnitPlan, Vec<Diagnostic>> {
    let mut builder = Builder::new(making, "");
    builder.form = Form::Run;
    let service = ServicePlan {
        probe: instance.get("readinessProbe").and_then(|node| builder.probe(node)),
        timeout: builder.duration(instance, "timeout"),
        restart: instance.get_str("restartPolicy") != Some("Never"),
        on_failure: match instance.get_str("onFailure") {
            Some("fail") => Some(OnFailure::Fail),
            Some("ignore") => Some(OnFailure::Ignore),
            _ => None,
        },
    };
    let mut spec = Node::map::<&str>([]);
    let mut run = Node::map::<&str>([]);
    run.span = instance.span;
    for (key, value) in instance.entries() {
        match &**key {
            "content" | "pod" | "job" | "pvcs" => spec.set(key, value.clone()),
            "readinessProbe" => builder.look_for_secrets(value),
            key if RUN_FIELDS.contains(&key) => run.set(key, value.clone()),
            _ => {}
        }
    }
    let mut step = Node::map([("run", run)]);
    step.span = instance.span;
    spec.set("steps", Node::list([step]));
    let unit = builder.unit(&spec, Role::Service(service), packs, &[]);
    if builder.problems.is_empty() { Ok(unit) } else { Err(builder.problems) }
}

const RUN_FIELDS: &[&str] = &[
    "image",
    "imagePullPolicy",
    "workingDir",
    "env",
    "envFrom",
    "command",
    "args",
    "shell",
    "resources",
    "securityContext",
    "volumeMounts",
];

fn deadline(spec: &Node) -> Option<Deadline> {
    let seconds = |part: &str| {
        spec.get(part).and_then(|node| node.get_int("activeDeadlineSeconds")).and_then(|n| u64::try_from(n).ok())
    };
    let job = seconds("job").map(|n| (n, "Job"));
    let pod = seconds("pod").map(|n| (n, "Pod"));
    let (seconds, what) = job.into_iter().chain(pod).min()?;
    Some(Deadline { after: seconds * 1000, reason: format!("{what} timed out after {seconds} seconds") })
}

struct Builder<'a> {
    making: Making<'a>,
    platform: &'a Platform,
    /// Where it is, for messages.
    path: Path,
    form: Form,
    /// Of the unit, as template text.
    pod: Option<Node>,
    namespace: Option<Node>,
    layout: Layout,
    problems: Vec<Diagnostic>,
    ids: BTreeSet<String>,
    references: BTreeSet<Reference>,
    placed_content: bool,
}

impl<'a> Builder<'a> {
    fn new(making: Making<'a>, path: &str) -> Self {
        Builder {
            making,
            platform: making.platform,
            path: Path::new(path),
            form: Form::Spec,
            pod: None,
            namespace: None,
            layout: Layout::Together,
            problems: Vec::new(),
            ids: BTreeSet::new(),
            references: BTreeSet::new(),
            placed_content: false,
        }
    }

    fn unit(&mut self, spec: &Node, role: Role, packs: &[Unpack], fetches: &[FetchEntry]) -> UnitPlan {
        let (spec, pvcs) = self.claims(spec);
        let spec = &*spec;
        self.reserve_ids(spec);
        self.pod = spec.get("pod").cloned();
        self.namespace = spec.get("job").and_then(|job| job.get("namespace")).cloned();
        self.layout = self.layout_of(spec);
        self.look_for_secrets(spec);
        let container = self.container(spec, "container");
        let around = Around::default().enter(container.as_ref(), None);
        let around = self.with_content(&around, spec);
        let mut root = Raw { category: "Workflow".to_owned(), kind: "root", ..Raw::default() };
        root.conditions.push("true".to_owned());
        if !packs.is_empty() {
            let operation = Operation::Unpack { packs: packs.to_vec() };
            root.children.push(leaf("Unpack files", "unpack", operation, &around));
        }
        self.content_operations(spec, &around, None, &mut root.children);
        if matches!(role, Role::Main) && self.platform.content && !self.placed_content {
            root.children.insert(0, placed_content(&around));
        }
        let (start, stop) = self.services(spec, &around);
        root.children.extend(start);
        for list in ["setup", "steps", "after"] {
            root.children.extend(self.steps(spec, list, &around));
        }
        root.children.extend(stop);
        if !fetches.is_empty() {
            let operation = Operation::Fetch { entries: fetches.to_vec() };
            let mut fetch = leaf("Save the files", "fetch", operation, &around);
            fetch.conditions.push("always".to_owned());
            root.children.push(fetch);
        }
        let global = around.global_env();
        let global_env = Around { container: Some(Node::map([("env", Node::list(global))])), ..Around::default() };
        let steps = number(flatten(root));
        self.references.extend(steps.iter().flat_map(needs::references));
        let sources = if self.platform.place == Place::Kube { needs::sources(&steps) } else { Vec::new() };
        UnitPlan {
            role,
            steps,
            references: std::mem::take(&mut self.references).into_iter().collect(),
            sources,
            global_env: global_env.surroundings().env,
            pod: self.part(spec, "pod"),
            job: self.part(spec, "job"),
            pvcs,
            layout: self.layout,
        }
    }

    fn look_for_secrets(&mut self, text: &Node) {
        let mut secrets = SecretCalls::default();
        secret_calls(text, &mut secrets);
        self.references.append(&mut secrets.into_references());
    }

    /// Explicit ids come first, wherever they stand: a derived one gives way.
    fn reserve_ids(&mut self, spec: &Node) {
        for list in ["setup", "steps", "after"] {
            for step in spec.get_items(list) {
                if let Some(id) = step.get_str("id") {
                    self.ids.insert(id.to_owned());
                }
                self.reserve_ids(step);
            }
        }
    }

    fn id(&mut self, step: &Node) -> Option<String> {
        if let Some(id) = step.get_str("id") {
            return Some(id.to_owned());
        }
        let derived = slug(step.get_str("name")?);
        let valid = |id: &str| {
            !id.is_empty()
                && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
                && !id.starts_with('_')
        };
        if !valid(&derived) {
            return None;
        }
        let mut id = derived.clone();
        let mut number = 1;
        while !self.ids.insert(id.clone()) {
            id = format!("{derived}_{number}");
            number += 1;
        }
        Some(id)
    }

    /// One step: a group with its operations in their fixed order.
    fn step(&mut self, step: &Node, outer: &Around) -> Raw {
        let container = self.container(step, "container");
        let around = outer.enter(container.as_ref(), step.get_str("workingDir"));
        let around = self.with_content(&around, step);
        let condition = step.get_str("condition").filter(|text| !text.trim().is_empty());
        let mut group = Raw {
            id: self.id(step),
            name: step.get_str("name").filter(|name| !name.is_empty()).map(str::to_owned),
            category: "Group".to_owned(),
            kind: "step",
            conditions: vec![if condition.is_some() { "true" } else { "passed" }.to_owned()],
            negative: step.get_bool("negative") == Some(true),
            optional: step.get_bool("optional") == Some(true),
            paused: step.get_bool("paused") == Some(true),
            timeout: self.timeout(step),
            grace: self.duration(step, "terminationGrace"),
            ..Raw::default()
        };
        let retry = self.retry(step);
        let mut operations = Vec::new();
        if let Some(delay) = step.get_str("delay").filter(|text| !text.is_empty()) {
            let millis = self.duration(step, "delay").unwrap_or(0);
            operations.push(leaf(&format!("Delay: {delay}"), "delay", Operation::Delay { millis }, &around));
        }
        self.content_operations(step, &around, retry.as_ref(), &mut operations);
        let (start, stop) = self.services(step, &around);
        operations.extend(start);
        operations.extend(self.nested(step, "setup", &around));
        if let Some(run) = self.container(step, "run") {
            operations.extend(self.run(&run, &around, retry.as_ref()));
        }
        if let Some(shell) = step.get_str("shell") {
            operations.push(script(shell, &around, retry.as_ref()));
        }
        if let Some(execute) = step.get("execute") {
            let operation = self.execute(execute);
            let mut raw = leaf("Execute test workflows", "execute", operation, &around);
            raw.retry.clone_from(&retry);
            operations.push(raw);
        }
        if let Some(parallel) = step.get("parallel") {
            let operation = self.parallel(parallel, &around);
            operations.push(leaf("Run in parallel", "parallel", operation, &around));
        }
        operations.extend(self.nested(step, "steps", &around));
        let mut stop: Vec<Raw> = stop.into_iter().collect();
        if let Some(artifacts) = step.get("artifacts") {
            let operation = Operation::Artifacts(artifacts_of(artifacts));
            let mut raw = leaf("Upload artifacts", "artifacts", operation, &around);
            raw.conditions.push("always".to_owned());
            raw.retry = retry;
            stop.push(raw);
        }
        operations.extend(stop);
        if let Some(condition) = condition {
            for operation in &mut operations {
                operation.conditions.insert(0, condition.to_owned());
            }
        }
        group.children = operations;
        group
    }

    fn nested(&mut self, step: &Node, list: &str, around: &Around) -> Option<Raw> {
        let children = self.steps(step, list, around);
        (!children.is_empty()).then(|| Raw { children, invisible: true, ..Raw::default() })
    }

    /// The steps of a list.
    fn steps(&mut self, holder: &Node, list: &str, around: &Around) -> Vec<Raw> {
        let unwritten = usize::from(self.form != Form::Spec && list == "steps" && self.path.as_str().is_empty());
        let mut raw = Vec::new();
        for (index, step) in holder.get_items(list).iter().enumerate() {
            if index < unwritten {
                raw.push(self.step(step, around));
            } else {
                let mark = self.path.key(list);
                self.path.index(index - unwritten);
                raw.push(self.step(step, around));
                self.path.leave(mark);
            }
        }
        raw
    }

    fn timeout(&mut self, step: &Node) -> Option<String> {
        let text = step.get_str("timeout").filter(|text| !text.is_empty())?;
        if !text.contains("{{") {
            self.duration(step, "timeout");
        }
        Some(text.to_owned())
    }

    /// A duration in milliseconds; text that is not final yet is left for later.
    fn duration(&mut self, node: &Node, field: &str) -> Option<u64> {
        let value = node.get(field)?;
        let text = value.as_str().filter(|text| !text.is_empty() && !text.contains("{{"))?;
        match duration::parse_spaced(text) {
            Ok(nanos) => Some(u64::try_from(nanos / 1_000_000).unwrap_or(0)),
            Err(error) => {
                let message = format!("`{field}: {text}` is no duration: {error}");
                self.problems.push(
                    Diagnostic::error("duration", message)
                        .at(value.span)
                        .help("write numbers with units, such as `90s`, `1h30m` or `500ms`"),
                );
                None
            }
        }
    }

    fn retry(&mut self, step: &Node) -> Option<Retry> {
        let retry = step.get("retry")?;
        let count = u32::try_from(retry.get_int("count").unwrap_or(0)).unwrap_or(0);
        let until = retry.get_str("until").filter(|text| !text.trim().is_empty()).unwrap_or("passed").to_owned();
        Some(Retry { count, until, delay: self.duration(retry, "delay").unwrap_or(0) })
    }

    fn run(&mut self, run: &Node, around: &Around, retry: Option<&Retry>) -> Option<Raw> {
        let inner = around.enter(Some(run), None);
        if let Some(shell) = run.get_str("shell") {
            if run.get("command").is_some() || run.get("args").is_some() {
                self.problems.push(
                    Diagnostic::error(
                        "shell-and-command",
                        "run.shell should not be used in conjunction with run.command or run.args",
                    )
                    .at(run.span),
                );
            }
            return Some(script(shell, &inner, retry));
        }
        let container = inner.container.clone().unwrap_or_else(|| Node::map::<&str>([]));
        let mut command = texts(&container, "command");
        let args = texts(&container, "args");
        if command.is_empty() && self.platform.images.needed {
            let image = container.get_str("image").unwrap_or_default();
            if let Some(known) = self.platform.images.command(image) {
                command = known;
            } else if !image.contains("{{") {
                let what = if image.is_empty() { "no image" } else { image };
                let why = match self.platform.place {
                    Place::Process => "processes have no images",
                    Place::Kube => "nobody asks a registry what that is",
                };
                self.problems.push(
                    Diagnostic::error(
                        "entrypoint",
                        format!("this step runs the entrypoint of its image ({what}), and {why}"),
                    )
                    .at(run.span)
                    .help(format!(
                        "say what to run with `command:`, or pass --image-command '{}=COMMAND'",
                        if image.is_empty() { "IMAGE" } else { image }
                    )),
                );
                return None;
            }
        }
        let mut raw = leaf("Run", "run", Operation::Run { command, args }, &inner);
        raw.retry = retry.cloned();
        Some(raw)
    }

    fn content_operations(&mut self, level: &Node, around: &Around, retry: Option<&Retry>, operations: &mut Vec<Raw>) {
        let Some(content) = level.get("content") else { return };
        if let Some(git) = content.get("git") {
            let mut git = git_of(git);
            git.replaced = self.platform.content;
            self.placed_content |= self.platform.content;
            let mut raw = leaf("Clone Git repository", "git", Operation::Git(Box::new(git)), around);
            raw.retry = retry.cloned();
            operations.push(raw);
        }
        let entries: Vec<Tarball> = content
            .get_items("tarball")
            .iter()
            .map(|one| Tarball {
                url: one.get_str("url").unwrap_or_default().to_owned(),
                path: one.get_str("path").unwrap_or_default().to_owned(),
            })
            .collect();
        if !entries.is_empty() {
            let mut raw = leaf("Fetch tarball", "tarball", Operation::Tarball { entries }, around);
            raw.retry = retry.cloned();
            operations.push(raw);
        }
    }

    fn services(&mut self, level: &Node, around: &Around) -> (Option<Raw>, Option<Raw>) {
        let blocks = level.get_entries("services");
        if blocks.is_empty() {
            return (None, None);
        }
        let global = around.global_env();
        let mut services = Vec::new();
        let mut logs = Vec::new();
        for (name, block) in blocks {
            let mut block = block.clone();
            if !global.is_empty() {
                let env = global.iter().chain(block.get_items("env")).cloned().collect::<Vec<_>>();
                block.set("env", Node::list(env));
            }
            self.hand_down(&mut block, true);
            if let Err(problems) = service_unit(&block, self.making.draft(), &[]) {
                self.report(problems);
            } else {
                let alone = [(name.to_string(), block.clone())];
                self.look_at_instances(&block, foresee_services(&alone, &Nothing, self.platform));
            }
            logs.push((name.to_string(), block.get_str("logs").map(str::to_owned)));
            services.push((name.to_string(), block));
        }
        let start = leaf("Start services", "services", Operation::StartServices { services }, around);
        let mut stop = leaf("Stop services", "stop", Operation::StopServices { start: String::new(), logs }, around);
        stop.conditions.push("always".to_owned());
        (Some(start), Some(stop))
    }

    fn parallel(&mut self, block: &Node, around: &Around) -> Operation {
        let mut block = block.clone();
        if let Some(outer) = around.for_worker() {
            let merged = match block.get("container") {
                Some(own) => crate::resolve::merge_container(&outer, own),
                None => outer,
            };
            block.set("container", merged);
        }
        self.hand_down(&mut block, false);
        // Problems of the workers are problems of the plan, said once.
        if let Err(problems) = worker_unit(&block, self.making.draft(), &[], &[]) {
            self.report(problems);
        }
        let parallel = Parallel {
            parallelism: block.get_int("parallelism").and_then(|n| u32::try_from(n).ok()).unwrap_or(1000),
            fail_fast: block.get_bool("failFast") == Some(true),
            max_failures: block
                .get_int("maxFailures")
                .and_then(|most| u32::try_from(most).ok())
                .filter(|most| *most > 0),
            logs: block.get_str("logs").map(str::to_owned),
            ids: self.ids.iter().cloned().collect(),
            block,
        };
        if self.problems.is_empty() {
            self.look_at_instances(&parallel.block, foresee_parallel(&parallel, &Nothing, self.platform));
        }
        Operation::Parallel(Box::new(parallel))
    }

    /// Where instances are known already, what is wrong with one is wrong with the plan; where they are not, a run
    /// will tell.
    fn look_at_instances(&mut self, block: &Node, expanded: Result<Vec<Expanded>, ExpandFailure>) {
        let broken = expanded.unwrap_or_default().into_iter().find_map(|one| match one.work {
            Work::Broken(why) => Some((one.position, why)),
            Work::Unit(_) | Work::Child(_) => None,
        });
        if let Some((position, why)) = broken {
            let message = format!("instance {position} cannot be made: {why}");
            self.problems.push(
                Diagnostic::error("instance", message)
                    .at(block.span)
                    .help("where an image's entrypoint is meant, say what to run with `command:` or --image-command"),
            );
        }
    }

    fn execute(&mut self, node: &Node) -> Operation {
        let workflows = node
            .get_items("workflows")
            .iter()
            .map(|entry| ExecuteEntry {
                selected: entry.get("selector").map(|selector| self.select(selector)).unwrap_or_default(),
                selects: entry.get("selector").is_some(),
                block: entry.clone(),
            })
            .collect();
        Operation::Execute(Box::new(Execute {
            workflows,
            parallelism: node.get_int("parallelism").and_then(|n| u32::try_from(n).ok()).unwrap_or(100),
            asynchronous: node.get_bool("async") == Some(true),
            leave: node.get_str("onAbort") == Some("leave"),
        }))
    }

    fn select(&self, selector: &Node) -> Vec<String> {
        self.platform
            .catalog
            .iter()
            .filter(|entry| selects(selector, &entry.labels))
            .map(|entry| entry.name.clone())
            .collect()
    }
}

/// A level's surroundings with the files and volumes of its content.
fn with_content(around: &Around, level: &Node) -> Around {
    let mut around = around.clone();
    let Some(content) = level.get("content") else { return around };
    for file in content.get_items("files") {
        let content_from = file.get("contentFrom").and_then(|source| reference(source, false));
        around.files.push(File {
            path: file.get_str("path").unwrap_or_default().to_owned(),
            content: file.get_str("content").map(str::to_owned).filter(|_| file.get("contentFrom").is_none()),
            content_from,
            content_source: file.get("contentFrom").filter(|source| needs::is_native(source)).cloned(),
            mode: file.get_int("mode").and_then(|mode| u32::try_from(mode).ok()),
        });
    }
    if let Some(git) = content.get("git") {
        let path = git.get_str("mountPath").filter(|path| !path.is_empty()).unwrap_or(REPOSITORY);
        around.volumes.push(path.to_owned());
    }
    for tarball in content.get_items("tarball") {
        if tarball.get_bool("mount") != Some(false) {
            around.volumes.extend(tarball.get_str("path").map(str::to_owned));
        }
    }
    around
}

fn leaf(category: &str, kind: &'static str, operation: Operation, around: &Around) -> Raw {
    let surroundings: Option<Surroundings> = Some(around.surroundings());
    Raw { category: category.to_owned(), kind, operation: Some(operation), surroundings, ..Raw::default() }
}

fn script(script: &str, around: &Around, retry: Option<&Retry>) -> Raw {
    let operation = Operation::Shell { script: script.to_owned() };
    let mut raw = leaf("Run shell command", "shell", operation, around);
    raw.retry = retry.cloned();
    raw
}

fn placed_content(around: &Around) -> Raw {
    let git = Git { mount_path: REPOSITORY.to_owned(), replaced: true, ..Git::default() };
    leaf("Copy the working tree", "content", Operation::Git(Box::new(git)), around)
}

/// Knows nothing: what can be told without a run.
struct Nothing;

impl Scope for Nothing {
    fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }
}

/// A note about a field that is valid and not carried out.
pub(super) fn note(path: &str, message: &str) -> Note {
    Note { path: path.to_owned(), message: message.to_owned() }
}
