//! The phases in their order.

use std::sync::Arc;

use crate::expr::{Finalizer, Scope};
use crate::source::{Diagnostic, Node, Severity};
use crate::workflow::Document;
use crate::workflow::table;

use super::apply::{Pass, apply};
use super::config::{Config, Given, Recorded, Sensitive, Source, Vault, doubtful};
use super::identity::{self, Identity};
use super::include::{self, Library, find_either, include};

/// Where a preparation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Config,
    Fetch,
    Templates,
    Identity,
}

impl Phase {
    /// The line that people and scripts know such a failure by.
    pub fn headline(self) -> &'static str {
        match self {
            Self::Config => "Cannot inline Test Workflow configuration",
            Self::Fetch => "Cannot fetch required Test Workflow Templates",
            Self::Templates => "Cannot inline Test Workflow Templates",
            Self::Identity => "Cannot process Test Workflow specification",
        }
    }
}

/// Why a workflow cannot be resolved: everything that was wrong in the first phase that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub phase: Phase,
    pub diagnostics: Vec<Diagnostic>,
}

/// A template that the server puts under every workflow.
#[derive(Clone, Debug)]
pub enum GlobalTemplate {
    Named(Arc<str>),
    Inline(Node),
}

/// Everything a resolution depends on.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub document: &'a Document,
    pub templates: &'a [Document],
    pub given: &'a Given,
    pub global: Option<&'a GlobalTemplate>,
    /// Without one the document is resolved as far as it can be before it is run.
    pub identity: Option<&'a Identity>,
    /// Whoever answers for `date()`, `jq()` and other questions to the world.
    pub host: &'a [&'a dyn Scope],
    /// Values that break the rules of their parameter (other than its type) are only warned of.
    pub checks_are_warnings: bool,
    /// The document is the result of an earlier resolution: templates are not looked at.
    pub resolved_before: bool,
}

impl<'a> Request<'a> {
    pub fn new(document: &'a Document, templates: &'a [Document], given: &'a Given) -> Self {
        Self {
            document,
            templates,
            given,
            global: None,
            identity: None,
            host: &[],
            checks_are_warnings: false,
            resolved_before: false,
        }
    }
}

/// A workflow with everything put in that is known before it runs. Its texts are still templates.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub spec: Node,
    /// Values that the document only refers to.
    pub sensitive: Vec<Sensitive>,
    /// What is remembered of the parameters.
    pub config: Vec<Recorded>,
    /// Hints and warnings on the request.
    pub findings: Vec<Diagnostic>,
}

/// The name a global template without one goes by; no document can have it.
const INLINE_GLOBAL: &str = "{global}";

/// Resolves a workflow. The same request gives the same result.
pub fn resolve(request: Request<'_>) -> Result<Resolved, Failure> {
    let failed = |phase| move |diagnostics| Failure { phase, diagnostics };
    let Request { document, given, host, .. } = request;
    let vault = Vault::default();
    let workflow = identity::workflow_scope(document);
    let mut outer: Vec<&dyn Scope> = vec![&workflow];
    outer.extend(host);

    let mut spec = document.spec.clone();
    if !request.resolved_before {
        put_global_first(&mut spec, request.global);
    }
    let mut findings = doubtful(given, spec.get("config"));
    let (mut spec, recorded) = put_config_in(&spec, given, &outer, &vault, &mut findings, request.checks_are_warnings)
        .map_err(failed(Phase::Config))?;
    if !request.resolved_before {
        let find = |name: &str| find(request, name);
        let missing = missing(&spec, &find);
        if !missing.is_empty() {
            return Err(failed(Phase::Fetch)(missing));
        }
        let library = Library { find: &find, scopes: &outer, vault: &vault, strict: !request.checks_are_warnings };
        findings.extend(several_targets(&spec, &find));
        spec = include(spec, &library).map_err(failed(Phase::Templates))?;
    }
    if let Some(identity) = request.identity {
        identity::append_variables(&mut spec, identity);
        let execution = identity::execution_scope(identity, identity::tags(&spec, identity));
        let mut scopes = outer.clone();
        scopes.insert(0, &execution);
        let pass = Pass { path: "spec", ..Pass::default() };
        spec = apply(&spec, &table::SPEC, &scopes, pass).map_err(failed(Phase::Identity))?;
    }
    Ok(Resolved { spec, sensitive: vault.into_values(), config: recorded, findings })
}

fn put_global_first(spec: &mut Node, global: Option<&GlobalTemplate>) {
    let name = match global {
        None => return,
        Some(GlobalTemplate::Named(name)) => name.replace("--", "/"),
        Some(GlobalTemplate::Inline(_)) => INLINE_GLOBAL.to_owned(),
    };
    let mut references = vec![Node::map([("name", Node::text(name))])];
    references.extend_from_slice(spec.get_items("use"));
    spec.set("use", Node::list(references));
}

/// A template's spec by its internal or display name.
fn find<'a>(request: Request<'a>, name: &str) -> Option<&'a Node> {
    match request.global {
        Some(GlobalTemplate::Inline(spec)) if name == INLINE_GLOBAL => Some(spec),
        _ => request.templates.iter().find(|template| &*template.name == name).map(|template| &template.spec),
    }
}

fn missing<'f>(spec: &Node, find: &dyn Fn(&str) -> Option<&'f Node>) -> Vec<Diagnostic> {
    let mut missing = Vec::new();
    for (path, reference) in include::references(spec) {
        let name = reference.get("name").and_then(Node::scalar_text).unwrap_or_default();
        if find_either(find, &name).is_none() {
            let span = reference.get("name").map_or(reference.span, |node| node.span);
            let finding = Diagnostic::error("unknown-template", format!("template \"{name}\" not found"));
            missing.push(finding.at(span).path(path));
        }
    }
    missing
}

/// One target can win, and nobody can tell which of several templates was meant: whoever schedules refuses that.
fn several_targets<'f>(spec: &Node, find: &dyn Fn(&str) -> Option<&'f Node>) -> Option<Diagnostic> {
    let names = spec.get_items("use").iter().filter_map(|reference| reference.get("name")?.scalar_text());
    let with_target: Vec<Arc<str>> =
        names.filter(|name| find_either(find, name).and_then(|spec| spec.find("execution.target")).is_some()).collect();
    (with_target.len() > 1).then(|| {
        let message = format!("the templates {} all say where to run", with_target.join(", "));
        Diagnostic::error("several-targets", message).path("spec.use")
    })
}

fn put_config_in(
    spec: &Node,
    given: &Given,
    outer: &[&dyn Scope],
    vault: &Vault,
    findings: &mut Vec<Diagnostic>,
    lenient: bool,
) -> Result<(Node, Vec<Recorded>), Vec<Diagnostic>> {
    let values = || given.values.iter().map(|(name, text)| (name.clone(), Source::Literal(text.clone()))).collect();
    let schema = spec.get("config");
    if lenient {
        let strict = Config::new(schema, values(), outer, &Vault::default(), true).check("spec.config");
        findings.extend(strict.into_iter().map(|found| Diagnostic { severity: Severity::Warning, ..found }));
    }
    let config = Config::new(schema, values(), outer, vault, !lenient);
    let wrong = config.check("spec.config");
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut scopes: Vec<&dyn Scope> = vec![&config];
    scopes.extend(outer);
    let mut spec = spec.clone();
    drop_sensitive_defaults(&mut spec);
    let pass = Pass { finalizer: Finalizer::FailPrefix("config."), path: "spec", ..Pass::default() };
    let applied = apply(&spec, &table::SPEC, &scopes, pass)?;
    Ok((applied, config.recorded()))
}

/// What nobody may read does not stay in the document, used or not.
fn drop_sensitive_defaults(spec: &mut Node) {
    let Some(parameters) = spec.get_mut("config").and_then(Node::as_map_mut) else { return };
    for (_, parameter) in parameters {
        if parameter.get_bool("sensitive") == Some(true) {
            parameter.take("default");
        }
    }
}
