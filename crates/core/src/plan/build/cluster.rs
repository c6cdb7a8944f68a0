//! What a plan says for a cluster beside what the agent does: settings of containers, pods, Jobs and claims.

use std::borrow::Cow;

use super::{Builder, Form, with_content};
use crate::{
    plan::{Layout, Place, container::Around, names::claim_name, settle},
    resolve::{Pass, apply, merge_pod},
    source::{Diagnostic, Node},
    workflow::table,
};

impl Builder<'_> {
    /// Container settings of a level, settled where there are containers.
    pub(super) fn container(&mut self, level: &Node, field: &str) -> Option<Node> {
        let container = level.get(field)?;
        if self.platform.place == Place::Process {
            return Some(container.clone());
        }
        let mark = self.path.as_str().len();
        if self.form != Form::Run {
            self.path.key(field);
        }
        let settled = settle::container(container, self.making.certainty, self.path.as_str());
        self.path.leave(mark);
        Some(settled.unwrap_or_else(|found| {
            self.report(found);
            container.clone()
        }))
    }

    /// Says what is wrong, once: a block's text is looked at where it stands and where it is used.
    pub(super) fn report(&mut self, found: Vec<Diagnostic>) {
        for one in found {
            if !self.problems.iter().any(|known| known.message == one.message && known.at == one.at) {
                self.problems.push(one);
            }
        }
    }

    /// A level's surroundings with the files and volumes of its content.
    pub(super) fn with_content(&mut self, around: &Around, level: &Node) -> Around {
        let files = level.get("content").map_or(&[][..], |content| content.get_items("files"));
        for (index, file) in files.iter().enumerate() {
            if let Some(source) = file.get("contentFrom").and_then(|source| source.get("fileKeyRef")) {
                let message = "the content of a file comes from a secret, a config map, a field or a resource";
                let mark = self.path.key("content");
                self.path.key("files");
                self.path.index(index);
                let found = Diagnostic::error("file-source", message).at(source.span).path(self.path.as_str());
                self.path.leave(mark);
                self.report(vec![found]);
            }
        }
        if let Some(content) = level.get("content").filter(|_| self.platform.place == Place::Kube) {
            let mark = self.path.key("content");
            if let Err(found) = settle::content(content, self.making.certainty, self.path.as_str()) {
                self.report(found);
            }
            self.path.leave(mark);
        }
        with_content(around, level)
    }

    /// Volume claims by their real names, and the text of the unit with these names in it.
    pub(super) fn claims<'n>(&mut self, spec: &'n Node) -> (Cow<'n, Node>, Option<Node>) {
        let Some(pvcs) = self.part(spec, "pvcs") else { return (Cow::Borrowed(spec), None) };
        let name = |key: &str| claim_name(self.making.owner, key);
        let named = Node::map(pvcs.entries().iter().map(|(key, claim)| (name(key), claim.clone())));
        let claims = settle::Claims { pvcs: &pvcs, name: &name };
        let pass = Pass { path: self.path.as_str(), ..Pass::default() };
        match apply(spec, &table::SPEC, &[&claims], pass) {
            Ok(spec) => (Cow::Owned(spec), Some(named)),
            Err(found) => {
                self.report(found);
                (Cow::Borrowed(spec), Some(named))
            }
        }
    }

    /// Settings that are only carried to a cluster, where there is one.
    pub(super) fn part(&mut self, spec: &Node, field: &str) -> Option<Node> {
        let part = spec.get(field).filter(|part| self.platform.place == Place::Kube && !part.entries().is_empty())?;
        match settle::part(part, field, self.making.certainty, self.path.as_str()) {
            Ok(part) => Some(part),
            Err(found) => {
                self.report(found);
                None
            }
        }
    }

    /// How the containers of a unit follow one another, where there are any.
    pub(super) fn layout_of(&self, spec: &Node) -> Layout {
        let layout = spec.get("system").and_then(|system| system.get_str("layout"));
        match (self.platform.place, layout) {
            (Place::Kube, Some("sequential")) => Layout::Sequential,
            (Place::Kube | Place::Process, _) => Layout::Together,
        }
    }

    /// What instances of a block take over from the pod and the Job around them: a worker everything, a service what
    /// gets it its image; and all of them live where their execution lives.
    pub(super) fn hand_down(&self, block: &mut Node, is_service: bool) {
        if self.platform.place == Place::Process {
            return;
        }
        let outer = match (&self.pod, is_service) {
            (Some(pod), true) => {
                pod.get("imagePullSecrets").map(|names| Node::map([("imagePullSecrets", names.clone())]))
            }
            (pod, _) => pod.clone(),
        };
        if let Some(outer) = outer {
            let merged = match block.get("pod") {
                Some(own) => merge_pod(&outer, own),
                None => outer,
            };
            block.set("pod", merged);
        }
        if self.layout == Layout::Sequential && !is_service {
            let mut system = block.get("system").cloned().unwrap_or_default();
            if system.get("layout").is_none() {
                system.set("layout", Node::text("sequential"));
                block.set("system", system);
            }
        }
        if let Some(namespace) = &self.namespace {
            let mut job = block.get("job").cloned().unwrap_or_default();
            if job.get("namespace").is_none() {
                job.set("namespace", namespace.clone());
                block.set("job", job);
            }
        }
    }
}
