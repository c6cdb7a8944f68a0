//! Blocks into instances: the one function that the agent asks with its real files, and the engine with the answers
//! that the agent got.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    Execute, FetchEntry, Labels, Parallel, Platform, UnitPlan, Unpack,
    build::{Making, service_unit, worker_unit},
    parts::texts,
};
use crate::{
    expr::{Expr, ExprError, Finalizer, Scope, Value, Vars},
    frame::{PackId, pack_url},
    resolve::SENSITIVE,
    run::Work,
    source::{Diagnostic, Node},
    split,
    workflow::table,
};

/// One instance of a block, ready to be made.
#[derive(Debug, Clone)]
pub struct Expanded {
    /// A service's name, a child's workflow; empty for workers.
    pub group: String,
    /// Its number in its group, and in the block.
    pub index: usize,
    pub position: usize,
    pub description: String,
    pub labels: Labels,
    pub work: Work,
    /// What it is handed by its parent.
    pub transfers: Vec<Transfer>,
}

/// Files on their way from a parent to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub source: PackSource,
    pub pack: PackId,
    pub to: String,
}

/// Files that are packed once, however many instances get them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackSource {
    pub from: String,
    pub files: Vec<String>,
}

/// An execution that a step asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildRequest {
    pub workflow: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_name: Option<String>,
    pub config: BTreeMap<String, String>,
    /// What later expressions call it (`as`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// It outlives a stop of this execution.
    #[serde(default)]
    pub leave: bool,
    /// Entries of the same step that its texts read: they have to have ended before these are final.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<String>,
    /// Artifacts that the parent takes when it has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetch: Vec<ArtifactFetch>,
    /// Its id, once it has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it published, once it has ended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
}

/// Artifacts of a child, on their way to its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactFetch {
    /// Patterns on the names of artifacts.
    pub paths: Vec<String>,
    pub to: String,
}

impl ChildRequest {
    /// Makes the texts final that read entries of the same step.
    pub(crate) fn settle(&mut self, known: &dyn Scope) -> Result<(), ExpandFailure> {
        let settle = |at: String, template: &mut String| {
            *template = text(template, &[known, &Finalizer::Fail]).map_err(|message| ExpandFailure { at, message })?;
            Ok(())
        };
        self.after.clear();
        for (name, value) in &mut self.config {
            settle(format!("config.{name}"), value)?;
        }
        self.execution_name.iter_mut().try_for_each(|name| settle("executionName".to_owned(), name))?;
        self.fetch.iter_mut().try_for_each(|fetch| settle("fetch.to".to_owned(), &mut fetch.to))
    }
}

/// A block that cannot be expanded.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpandFailure {
    pub at: String,
    pub message: String,
}

impl fmt::Display for ExpandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.at, self.message) }
    }
}

impl From<split::ExpandError> for ExpandFailure {
    fn from(error: split::ExpandError) -> Self {
        ExpandFailure { at: error.at, message: error.message }
    }
}

/// Expands a `parallel` block. `origin` makes the names of its packs unique in the execution.
pub fn expand_parallel(
    parallel: &Parallel,
    scope: &dyn Scope,
    origin: &str,
    platform: &Platform,
) -> Result<Vec<Expanded>, ExpandFailure> {
    workers(parallel, scope, origin, Making::of(platform))
}

/// The same before a run, as far as it can be foreseen: what has to be known of an instance may still come.
pub fn foresee_parallel(
    parallel: &Parallel,
    scope: &dyn Scope,
    platform: &Platform,
) -> Result<Vec<Expanded>, ExpandFailure> {
    workers(parallel, scope, "", Making::of(platform).draft())
}

fn workers(
    parallel: &Parallel,
    scope: &dyn Scope,
    origin: &str,
    making: Making<'_>,
) -> Result<Vec<Expanded>, ExpandFailure> {
    let scope = WithoutEnv(scope);
    let expansion = split::expand(&parallel.block, &[&scope], split::DEFAULT_LIMIT)?;
    let mut packs = Packs::new(origin);
    let mut expanded = Vec::new();
    for instance in &expansion.instances {
        let labels = labels(instance);
        let node = match instantiate(&parallel.block, &table::PARALLEL, instance, &scope) {
            Ok(node) => node,
            Err(problems) => {
                expanded.push(broken("", instance.index, expanded.len(), labels, &problems));
                continue;
            }
        };
        let transfers = packs.transfers(&node);
        let unpacks: Vec<_> =
            transfers.iter().map(|one| Unpack { pack: one.pack.clone(), to: one.to.clone() }).collect();
        let owner = owner(making.platform, origin, instance.index);
        let making = Making { owner: &owner, ..making };
        let work = work(worker_unit(&node, making, &unpacks, &fetches(&node)));
        expanded.push(Expanded {
            group: String::new(),
            index: instance.index,
            position: expanded.len(),
            description: node.get_str("description").unwrap_or_default().to_owned(),
            labels,
            work,
            transfers,
        });
    }
    Ok(expanded)
}

/// Expands all services of a step.
pub fn expand_services(
    services: &[(String, Node)],
    scope: &dyn Scope,
    origin: &str,
    platform: &Platform,
) -> Result<Vec<Expanded>, ExpandFailure> {
    instances_of_services(services, scope, origin, Making::of(platform))
}

/// The same before a run, as far as it can be foreseen.
pub fn foresee_services(
    services: &[(String, Node)],
    scope: &dyn Scope,
    platform: &Platform,
) -> Result<Vec<Expanded>, ExpandFailure> {
    instances_of_services(services, scope, "", Making::of(platform).draft())
}

fn instances_of_services(
    services: &[(String, Node)],
    scope: &dyn Scope,
    origin: &str,
    making: Making<'_>,
) -> Result<Vec<Expanded>, ExpandFailure> {
    let scope = WithoutEnv(scope);
    let mut packs = Packs::new(origin);
    let mut expanded: Vec<Expanded> = Vec::new();
    for (name, block) in services {
        let name = text(name, &[&scope]).map_err(|message| ExpandFailure { at: name.clone(), message })?;
        let in_service = |error: split::ExpandError| ExpandFailure {
            at: format!("services.{name}.{}", error.at),
            message: error.message,
        };
        let expansion = split::expand(block, &[&scope], split::DEFAULT_LIMIT).map_err(in_service)?;
        for instance in &expansion.instances {
            let labels = labels(instance);
            let node = match instantiate(block, &table::SERVICE, instance, &scope) {
                Ok(node) => node,
                Err(problems) => {
                    expanded.push(broken(&name, instance.index, expanded.len(), labels, &problems));
                    continue;
                }
            };
            let transfers = packs.transfers(&node);
            let unpacks: Vec<_> =
                transfers.iter().map(|one| Unpack { pack: one.pack.clone(), to: one.to.clone() }).collect();
            let owner = owner(making.platform, &format!("{origin}-{name}"), instance.index);
            let making = Making { owner: &owner, ..making };
            expanded.push(Expanded {
                group: name.clone(),
                index: instance.index,
                position: expanded.len(),
                description: node.get_str("description").unwrap_or_default().to_owned(),
                labels,
                work: work(service_unit(&node, making, &unpacks)),
                transfers,
            });
        }
    }
    Ok(expanded)
}

/// Expands the entries of an `execute` step; each is computed once and repeated for every workflow it selects.
/// `origin` makes the names of its packs unique in the execution `id`.
pub fn expand_execute(
    execute: &Execute,
    scope: &dyn Scope,
    origin: &str,
    id: &str,
) -> Result<Vec<Expanded>, ExpandFailure> {
    let mut expanded: Vec<Expanded> = Vec::new();
    let mut packs = Packs::new(origin);
    let mut earlier = BTreeSet::new();
    for (position, entry) in execute.workflows.iter().enumerate() {
        let in_entry = |at: &str, message: String| ExpandFailure { at: format!("workflows[{position}].{at}"), message };
        let scope = WithoutEarlier { scope, earlier: &earlier };
        let expansion = split::expand(&entry.block, &[&scope], split::DEFAULT_LIMIT)
            .map_err(|error| in_entry(&error.at, error.message))?;
        let mut instances = Vec::new();
        for instance in &expansion.instances {
            let broken = |problems: Vec<Diagnostic>| in_entry("", join(&problems));
            let (transfers, urls) = offered(&entry.block, instance, &scope, &mut packs, id).map_err(broken)?;
            let scopes: [&dyn Scope; 2] = [&urls, &scope];
            let (node, after) = instantiate_entry(&entry.block, instance, &scopes, &earlier).map_err(broken)?;
            instances.push((instance, node, after, transfers));
        }
        let own: Vec<String> =
            instances.first().and_then(|(_, node, ..)| node.get_str("name")).map(str::to_owned).into_iter().collect();
        if own.is_empty() && entry.selects && entry.selected.is_empty() {
            return Err(in_entry("selector", "no test workflows to run".to_owned()));
        }
        let rest = entry.selected.iter().filter(|name| !own.contains(name)).cloned();
        for (nth, workflow) in own.iter().cloned().chain(rest).enumerate() {
            for (instance, node, after, transfers) in &instances {
                // A name may differ from instance to instance; what a selector found does not.
                let workflow = if nth < own.len() {
                    node.get_str("name").unwrap_or(&workflow).to_owned()
                } else {
                    workflow.clone()
                };
                let request = ChildRequest {
                    workflow: workflow.replace("--", "/").replace('/', "--"),
                    execution_name: node.get_str("executionName").map(str::to_owned),
                    config: config(node),
                    named: node.get_str("as").map(str::to_owned),
                    leave: execute.leave,
                    after: after.clone(),
                    fetch: artifact_fetches(node),
                    id: None,
                    outputs: BTreeMap::new(),
                };
                expanded.push(Expanded {
                    group: workflow.clone(),
                    index: instance.index,
                    position: expanded.len(),
                    description: node.get_str("description").unwrap_or_default().to_owned(),
                    labels: labels(instance),
                    work: Work::Child(Box::new(request)),
                    transfers: transfers.clone(),
                });
            }
        }
        earlier.extend(entry.block.get_str("as").map(str::to_owned));
    }
    Ok(expanded)
}

/// What an instance of an entry offers its executions, and the addresses of it.
fn offered(
    block: &Node,
    instance: &split::Instance,
    scope: &dyn Scope,
    packs: &mut Packs<'_>,
    id: &str,
) -> Result<(Vec<Transfer>, Vars), Vec<Diagnostic>> {
    let (mut transfers, mut urls) = (Vec::new(), Vars::new());
    let Some(tarballs) = block.get("tarball") else { return Ok((transfers, urls)) };
    let alone = Node::map([("tarball", tarballs.clone())]);
    let node = split::instantiate(&alone, &table::EXECUTE_WORKFLOW, instance, &[scope], Finalizer::Fail, "")?;
    for (key, entry) in node.get_entries("tarball") {
        let source = PackSource { from: entry.get_str("from").unwrap_or_default().to_owned(), files: patterns(entry) };
        let pack = packs.name(&source);
        urls.set(format!("tarball.{}.url", &**key), Value::from(pack_url(id, &pack)));
        transfers.push(Transfer { source, pack, to: String::new() });
    }
    Ok((transfers, urls))
}

/// An entry with nothing left to be known, save what it reads of earlier entries of its step; and which those are.
fn instantiate_entry(
    block: &Node,
    instance: &split::Instance,
    scopes: &[&dyn Scope],
    earlier: &BTreeSet<String>,
) -> Result<(Node, BTreeSet<String>), Vec<Diagnostic>> {
    let after = reads(block, earlier);
    let finalizer = if after.is_empty() { Finalizer::Fail } else { Finalizer::Preserve };
    let mut block = block.clone();
    // Packed before anything starts, so it is settled by itself.
    block.take("tarball");
    let node = split::instantiate(&block, &table::EXECUTE_WORKFLOW, instance, scopes, finalizer, "")?;
    if node.get_str("name").is_some_and(|name| name.contains("{{")) {
        let message = "which workflow is executed cannot depend on an earlier entry of the same step".to_owned();
        return Err(vec![Diagnostic::error("late-name", message)]);
    }
    Ok((node, after))
}

/// The earlier entries that texts of an entry mention.
fn reads(block: &Node, earlier: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if earlier.is_empty() {
        return found;
    }
    block.walk(&mut |node| {
        let Some(text) = node.as_str().filter(|text| text.contains("execution(")) else { return };
        found.extend(earlier.iter().filter(|name| text.contains(name.as_str())).cloned());
    });
    found
}

/// An instance's text; what its own unit will know stays in it.
fn instantiate(
    block: &Node,
    object: &'static table::Object,
    instance: &split::Instance,
    scope: &dyn Scope,
) -> Result<Node, Vec<Diagnostic>> {
    split::instantiate(block, object, instance, &[scope], Finalizer::Preserve, "")
}

/// What the claims of an instance are named after.
fn owner(platform: &Platform, origin: &str, index: usize) -> String {
    format!("{}-{origin}-{index}", platform.execution)
}

/// What the parent has to pack for its instances, once a source.
pub fn pack_sources(expanded: &[Expanded]) -> BTreeMap<PackId, PackSource> {
    let transfers = expanded.iter().flat_map(|one| &one.transfers);
    transfers.map(|transfer| (PackId(transfer.pack.0.clone()), transfer.source.clone())).collect()
}

/// Names packs in the order in which their sources are first met.
struct Packs<'a> {
    origin: &'a str,
    sources: Vec<PackSource>,
}

impl<'a> Packs<'a> {
    fn new(origin: &'a str) -> Self {
        Packs { origin, sources: Vec::new() }
    }

    fn transfers(&mut self, node: &Node) -> Vec<Transfer> {
        let mut transfers = Vec::new();
        for entry in node.get_items("transfer") {
            let from = entry.get_str("from").unwrap_or_default().to_owned();
            let to = entry.get_str("to").filter(|to| !to.is_empty()).unwrap_or(&from).to_owned();
            let source = PackSource { from, files: patterns(entry) };
            let pack = self.name(&source);
            transfers.push(Transfer { source, pack, to });
        }
        transfers
    }

    fn name(&mut self, source: &PackSource) -> PackId {
        let place = self.sources.iter().position(|known| known == source).unwrap_or_else(|| {
            self.sources.push(source.clone());
            self.sources.len() - 1
        });
        PackId(format!("{}.{place}", self.origin))
    }
}

fn fetches(node: &Node) -> Vec<FetchEntry> {
    node.get_items("fetch")
        .iter()
        .map(|entry| {
            let from = entry.get_str("from").unwrap_or_default().to_owned();
            let to = entry.get_str("to").filter(|to| !to.is_empty()).unwrap_or(&from).to_owned();
            FetchEntry { from, to, files: patterns(entry) }
        })
        .collect()
}

fn artifact_fetches(node: &Node) -> Vec<ArtifactFetch> {
    let entries = node.get_items("fetch").iter();
    let to = |entry: &Node| entry.get_str("to").unwrap_or_default().to_owned();
    entries.map(|entry| ArtifactFetch { paths: texts(entry, "paths"), to: to(entry) }).collect()
}

fn patterns(entry: &Node) -> Vec<String> {
    let files = texts(entry, "files");
    if files.is_empty() { vec!["**/*".to_owned()] } else { files }
}

fn config(node: &Node) -> BTreeMap<String, String> {
    node.get_entries("config")
        .iter()
        .filter_map(|(key, value)| Some((key.to_string(), value.scalar_text()?.to_string())))
        .collect()
}

fn labels(instance: &split::Instance) -> Labels {
    let matrix = instance.matrix.iter().map(|(key, value)| (format!("matrix.{key}"), value.clone()));
    let shard = (instance.shard_count > 1).then(|| {
        let of = format!("{}/{}", instance.shard_index + 1, instance.shard_count);
        ("shard".to_owned(), Value::from(of))
    });
    matrix.chain(shard).collect()
}

fn work(planned: Result<UnitPlan, Vec<Diagnostic>>) -> Work {
    match planned {
        Ok(unit) => Work::Unit(unit.into()),
        Err(problems) => Work::Broken(join(&problems)),
    }
}

fn broken(group: &str, index: usize, position: usize, labels: Labels, problems: &[Diagnostic]) -> Expanded {
    Expanded {
        group: group.to_owned(),
        index,
        position,
        description: String::new(),
        labels,
        work: Work::Broken(join(problems)),
        transfers: Vec::new(),
    }
}

fn join(problems: &[Diagnostic]) -> String {
    let texts: Vec<_> = problems
        .iter()
        .map(|problem| {
            if problem.path.is_empty() {
                problem.message.clone()
            } else {
                format!("{}: {}", problem.path, problem.message)
            }
        })
        .collect();
    texts.join("; ")
}

fn text(template: &str, scopes: &[&dyn Scope]) -> Result<String, String> {
    if !template.contains("{{") {
        return Ok(template.to_owned());
    }
    crate::expr::compile_template(template)
        .and_then(|template| template.resolve(scopes))
        .map(|result| result.value().map_or_else(|| result.template(), |value| value.string_form().to_string()))
        .map_err(|error| error.message)
}

/// Leaves `env.*` for the instance, where it means the instance's own environment, and secrets for whoever uses them.
struct WithoutEnv<'a>(&'a dyn Scope);

impl Scope for WithoutEnv<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        if name == "env" || name.starts_with("env.") { Ok(None) } else { self.0.get(name) }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        if matches!(name, "secret" | "credential" | SENSITIVE) { Ok(None) } else { self.0.call(name, args) }
    }
}

/// Leaves to the engine what an entry reads of earlier entries of its own step: they have not begun yet.
struct WithoutEarlier<'a> {
    scope: &'a dyn Scope,
    earlier: &'a BTreeSet<String>,
}

impl Scope for WithoutEarlier<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        self.scope.get(name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        let is_earlier = args.first().is_some_and(|named| self.earlier.contains(&*named.string_form()));
        match name {
            "execution" if is_earlier => Ok(None),
            "read_artifact" if is_earlier => {
                Err(ExprError::new("artifacts of an entry can be read in a later step, not in a later entry"))
            }
            _ => self.scope.call(name, args),
        }
    }
}
