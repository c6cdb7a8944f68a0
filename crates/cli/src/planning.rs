//! From files and flags to a plan.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use testudo_agent::jq::JqHost;
use testudo_core::{
    duration,
    expr::{self, Expr, ExprError, Scope, Value},
    plan::{self, CatalogEntry, Context, Identity, ImageTable, Place, Plan, Platform},
    resolve::{self, Request, Resolved, SENSITIVE},
    source::Diagnostic,
    workflow::{Document, Documents},
};
use testudo_engine::Given;

use crate::{
    args::{self, Inputs, PlanArgs, RunnerKind},
    documents::Read,
    exit, lint, reporter,
};

/// Everything that plans are made with, for a run and the executions it starts.
pub(crate) struct Planner {
    pub(crate) read: Read,
    platform: Platform,
    pause: Option<u64>,
    variables: BTreeMap<String, String>,
    pub(crate) references: BTreeMap<String, String>,
}

/// A plan with what does not stand in it.
pub(crate) struct Planned {
    pub(crate) plan: Arc<Plan>,
    pub(crate) given: Given,
    pub(crate) findings: Vec<Diagnostic>,
}

impl Planner {
    /// Reads the inputs. Errors in the named files are findings.
    pub(crate) fn new(inputs: &Inputs, pause: Option<u64>) -> anyhow::Result<Self> {
        let read = Read::named(&inputs.files)?.with_neighbours(&inputs.files);
        let secrets = if inputs.secrets.is_empty() { None } else { Some(Read::named(&inputs.secrets)?) };
        let mut references = references(&read.documents.secrets, &read.documents.config_maps);
        if let Some(secrets) = &secrets {
            references.extend(self::references(&secrets.documents.secrets, &secrets.documents.config_maps));
        }
        let mut images = ImageTable { needed: true, given: BTreeMap::new() };
        for (image, command) in &inputs.image_command {
            let words = expr::shell_parse(command)
                .map_err(|error| anyhow::anyhow!("--image-command {image}={command}: {}", error.message))?;
            images.given.insert(image.clone(), words);
        }
        if let Some(content) = &inputs.content {
            anyhow::ensure!(content.is_dir(), "--content {}: there is no such folder", content.display());
        }
        let place = match inputs.place.runner {
            RunnerKind::Process => Place::Process,
            RunnerKind::Kube => Place::Kube,
        };
        let (content, catalog) = (inputs.content.is_some(), catalog(&read.documents));
        let platform = Platform { place, images, content, catalog, ..Platform::default() };
        Ok(Planner { read, platform, pause, variables: args::map(&inputs.variable), references })
    }

    /// Plans one execution of a workflow.
    pub(crate) fn plan(
        &self,
        document: &Document,
        identity: Identity,
        config: &BTreeMap<String, String>,
        top: bool,
    ) -> Result<Planned, Vec<Diagnostic>> {
        let given = resolve::Given {
            values: config.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect(),
            by_person: top,
        };
        let host = Host { now: Timestamp::now() };
        let known = resolve::Identity {
            id: identity.id.as_str().into(),
            group_id: identity.id.as_str().into(),
            name: identity.name.as_str().into(),
            number: i64::try_from(identity.number).unwrap_or(0),
            scheduled_at: host.now.to_string().into(),
            tags: identity.tags.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect(),
            root_id: identity.id.as_str().into(),
            variables: if top {
                self.variables.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
            } else {
                BTreeMap::new()
            },
            ..resolve::Identity::default()
        };
        let request = Request {
            identity: Some(&known),
            host: &[&host],
            ..Request::new(document, &self.read.documents.templates, &given)
        };
        let resolved = resolve::resolve(request).map_err(|failure| failure.diagnostics)?;
        let Resolved { spec, sensitive, findings, .. } = resolved;
        let context = Context {
            workflow: document.name.to_string(),
            execution: identity,
            platform: self.platform.clone(),
            pause: self.pause,
        };
        let plan = Arc::new(plan::build(&spec, &context)?);
        let mut references = self.references.clone();
        references.extend(sensitive.iter().map(|one| (format!("{SENSITIVE}/{}", one.id), one.value.to_string())));
        let given = Given { references, ..Given::default() };
        Ok(Planned { plan, given, findings })
    }
}

/// What `execute` can find.
fn catalog(documents: &Documents) -> Vec<CatalogEntry> {
    let entry = |document: &Document| CatalogEntry {
        name: document.name.to_string(),
        labels: document.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    };
    documents.workflows.iter().map(entry).collect()
}

fn references(secrets: &[Document], config_maps: &[Document]) -> BTreeMap<String, String> {
    let of = |kind: &'static str, documents: &[Document]| -> Vec<(String, String)> {
        documents
            .iter()
            .flat_map(|document| {
                let values = document.values().into_iter();
                values.map(move |(key, value)| (format!("{kind}/{}/{key}", document.name), value.to_string()))
            })
            .collect()
    };
    of("secret", secrets).into_iter().chain(of("configMap", config_maps)).collect()
}

/// Answers what depends on the moment, and `jq`.
struct Host {
    now: Timestamp,
}

impl Scope for Host {
    fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        match name {
            "date" => {
                let layout = args.first().map(Value::string_form);
                Ok(Some(Value::from(expr::date(self.now, layout.as_deref())?).into()))
            }
            "jq" => JqHost::with_program("/proc/self/exe").call(name, args),
            _ => Ok(None),
        }
    }
}

/// A duration given on the command line, in milliseconds.
pub(crate) fn millis(flag: &str, text: &str) -> anyhow::Result<u64> {
    let nanos = duration::parse_spaced(text).map_err(|error| anyhow::anyhow!("{flag} {text}: {error}"))?;
    Ok(u64::try_from(nanos / 1_000_000).unwrap_or(0))
}

/// `testudo plan`.
pub(crate) fn show(args: &PlanArgs) -> anyhow::Result<u8> {
    let planner = Planner::new(&args.inputs, None)?;
    if lint::report_errors(&planner.read.sources, &planner.read.findings) {
        return Ok(exit::USAGE);
    }
    let document = planner.read.workflow(args.inputs.workflow.as_deref())?;
    let identity = Identity {
        id: "plan".to_owned(),
        name: format!("{}-plan", document.name),
        tags: args::map(&args.inputs.tag),
        ..Identity::default()
    };
    match planner.plan(document, identity, &args::map(&args.inputs.config), true) {
        Ok(planned) => {
            reporter::plan::show(&planned.plan, args.output)?;
            Ok(exit::PASSED)
        }
        Err(problems) => {
            lint::report_errors(&planner.read.sources, &problems);
            Ok(exit::USAGE)
        }
    }
}
