//! Workflows from text, planned as a person's own would be.

use std::collections::BTreeMap;

use testudo_core::{
    plan::{self, CatalogEntry, Context, Identity, ImageTable, Plan, Platform},
    resolve::{self, Request},
    source::{Diagnostic, SourceFile, Sources},
    workflow::{Documents, Reading, load},
};

/// How long a gate may stay closed here, in milliseconds: longer than all engines are away.
const PAUSE: u64 = 4 * 60 * 60 * 1000;

/// Workflows by name.
#[derive(Debug)]
pub struct Workflows(Documents);

impl Workflows {
    /// Reads YAML documents; says everything that is wrong with them.
    pub fn read(yaml: &str) -> Result<Self, String> {
        let sources = Sources::new([SourceFile::new("simulated.yaml", yaml)]);
        let (documents, found) = load(&sources, Reading { lenient: true, ..Reading::default() });
        let errors: Vec<_> = found.into_iter().filter(Diagnostic::is_error).collect();
        if errors.is_empty() { Ok(Workflows(documents)) } else { Err(listed(&errors)) }
    }

    /// The workflow that stands first.
    pub fn first(&self) -> &str {
        self.0.workflows.first().map_or("", |document| &*document.name)
    }

    /// Plans an execution of a workflow.
    pub fn plan(&self, name: &str, execution: Identity, config: &BTreeMap<String, String>) -> Result<Plan, String> {
        let document = self.0.workflow(name).ok_or_else(|| format!("there is no workflow called \"{name}\""))?;
        let values = config.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
        let given = resolve::Given { values, by_person: false };
        let id = execution.id.as_str();
        let known = resolve::Identity {
            id: id.into(),
            root_id: id.into(),
            group_id: id.into(),
            name: execution.name.as_str().into(),
            ..resolve::Identity::default()
        };
        let request = Request { identity: Some(&known), ..Request::new(document, &self.0.templates, &given) };
        let resolved = resolve::resolve(request).map_err(|failure| listed(&failure.diagnostics))?;
        let context = Context {
            workflow: name.to_owned(),
            pause: Some(PAUSE),
            execution,
            platform: Platform {
                images: ImageTable { needed: true, given: BTreeMap::new() },
                catalog: self.0.workflows.iter().map(|one| entry(&one.name)).collect(),
                ..Platform::default()
            },
        };
        plan::build(&resolved.spec, &context).map_err(|problems| listed(&problems))
    }
}

fn entry(name: &str) -> CatalogEntry {
    CatalogEntry { name: name.to_owned(), ..CatalogEntry::default() }
}

fn listed(problems: &[Diagnostic]) -> String {
    let lines = problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message));
    lines.collect::<Vec<_>>().join("\n")
}
