//! Workflows that a run starts: found in the given files and their folder.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use testudo_core::{
    frame::{FamilySource, PackId},
    plan::{ArtifactFetch, Identity},
    run::{ChildRequest, veil},
    source::{Kind, Node},
    workflow::Document,
};
use testudo_engine::{Blobs, Catalog, Given, Parent, Prepared};
use testudo_store::{Folder, Meta, State};

use crate::planning::Planner;

/// How deep executions may start executions.
const DEEPEST: usize = 16;

/// Finds workflows by name and makes their executions.
pub(crate) struct Files {
    pub(crate) planner: Arc<Planner>,
    pub(crate) state: State,
    pub(crate) artifacts: PathBuf,
    /// What the run itself was given: environment and content go to its children too.
    pub(crate) given: Given,
    pub(crate) command: String,
}

#[async_trait]
impl Catalog for Files {
    async fn prepare(&self, request: &ChildRequest, id: &str, parent: &Parent) -> Result<Prepared, String> {
        let (known, parent) = (parent.known(), &parent.identity);
        let path = self.state.folder(id);
        if path.join("plan").exists() {
            let folder = Folder::open(&path).map_err(|error| error.to_string())?;
            return prepared(folder);
        }
        if parent.parents.len() + 1 >= DEEPEST {
            let chain = parent.parents.iter().chain([&parent.name]).cloned().collect::<Vec<_>>().join(" → ");
            return Err(format!("executions start one another more than {DEEPEST} deep: {chain}"));
        }
        let documents = &self.planner.read.documents;
        let Some(document) = documents.workflow(&request.workflow) else {
            let names: Vec<&str> = documents.workflows.iter().map(|document| &*document.name).collect();
            let near = testudo_core::workflow::nearest(&request.workflow, names.iter().copied());
            let near = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            return Err(format!("none of the files has a workflow called \"{}\"{near}", request.workflow));
        };
        let number = self.state.next_number(&document.name).map_err(|error| error.to_string())?;
        let name = request.execution_name.clone().unwrap_or_else(|| format!("{}-{number}", document.name));
        let identity = Identity {
            id: id.to_owned(),
            name: name.clone(),
            number,
            tags: parent.tags.clone(),
            parents: parent.parents.iter().cloned().chain([parent.name.clone()]).collect(),
            ancestors: parent.ancestors.iter().cloned().chain([parent.id.clone()]).collect(),
        };
        let (document, config) = self.with_secrets(document, request, parent)?;
        let planned = self.planner.plan(&document, identity, &config, false).map_err(|problems| {
            problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
        })?;
        let given = Given { references: planned.given.references, known, ..self.given.clone() };
        let meta = Meta {
            id: id.to_owned(),
            name: name.clone(),
            workflow: document.name.to_string(),
            number,
            created: Timestamp::now(),
            artifacts: self.artifacts.join(&name),
            command: self.command.clone(),
            parent: Some(parent.name.clone()),
        };
        let folder = Folder::create(&path, &meta, &planned.plan).map_err(|error| error.to_string())?;
        crate::run::seal(&folder, &given).map_err(|error| error.to_string())?;
        if let Some(content) = &given.content {
            // Children read the same files: a link in the store costs nothing.
            let from = self.state.folder(&parent.id).join("packs").join(&content.0);
            let to = path.join("packs").join(&content.0);
            std::fs::hard_link(&from, &to)
                .or_else(|_| std::fs::copy(&from, &to).map(drop))
                .map_err(|e| e.to_string())?;
        }
        prepared(folder)
    }

    async fn read(
        &self,
        reader: &Identity,
        of: &str,
        what: &FamilySource,
        from: u64,
        length: usize,
    ) -> Result<Vec<u8>, String> {
        let folder = self.relative(reader, of)?;
        match what.clone() {
            FamilySource::Artifact(name) => {
                let read = tokio::task::spawn_blocking(move || folder.read_artifact(&name, from, length));
                read.await.map_err(|error| error.to_string())?
            }
            FamilySource::Pack(pack) => {
                folder.read_pack(&pack, from, length).await.map_err(|_| format!("{of} keeps no such files"))
            }
        }
    }

    async fn fetch(&self, reader: &Identity, of: &str, fetch: &ArtifactFetch, pack: &PackId) -> Result<u64, String> {
        let (own, other) = (self.relative(reader, &reader.id)?, self.relative(reader, of)?);
        let (paths, pack) = (fetch.paths.clone(), pack.clone());
        let packed = tokio::task::spawn_blocking(move || own.pack_artifacts(&other, &paths, &pack));
        packed.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

impl Files {
    /// An execution of the same family.
    fn relative(&self, reader: &Identity, of: &str) -> Result<Folder, String> {
        let folder = self.state.by_id(of).map_err(|error| error.to_string())?;
        if reader.may_read(&folder.plan.execution) {
            Ok(folder)
        } else {
            Err(format!("{of} is neither ancestor nor descendant nor sibling of {}", reader.name))
        }
    }

    /// A child's config with the sensitive words of its parent in it. A parameter that gets one is sensitive in the
    /// child too, whether it says so or not.
    fn with_secrets(
        &self,
        document: &Document,
        request: &ChildRequest,
        parent: &Identity,
    ) -> Result<(Document, BTreeMap<String, String>), String> {
        let (mut document, mut config) = (document.clone(), request.config.clone());
        if !config.values().any(|value| veil::is_veiled(value)) {
            return Ok((document, config));
        }
        let parent = Folder::open(&self.state.folder(&parent.id)).map_err(|error| error.to_string())?;
        let known = crate::run::unseal(&parent).map_err(|error| error.to_string())?;
        let mut schema = document.spec.get("config").cloned().unwrap_or_else(|| Node::map::<&str>([]));
        for (name, value) in &mut config {
            if veil::is_veiled(value) {
                *value = veil::unveil(value, &known.references);
                let mut parameter = schema.get(name).cloned().unwrap_or_else(|| Node::map::<&str>([]));
                parameter.set("sensitive", Node::from(Kind::Bool(true)));
                schema.set(name, parameter);
            }
        }
        document.spec.set("config", schema);
        Ok((document, config))
    }
}

fn prepared(folder: Folder) -> Result<Prepared, String> {
    folder.lock().map_err(|error| error.to_string())?;
    let given = crate::run::unseal(&folder).map_err(|error| error.to_string())?;
    let folder = Arc::new(folder);
    Ok(Prepared { plan: folder.plan.clone(), journal: folder.clone(), blobs: folder, given })
}
