//! What an inner level inherits from the levels around it (`workflow-schema.md` 5.3), and the typed form of it.

use super::settle::CARRIED;
use crate::{
    plan::{Credential, EnvFrom, EnvVar, File, Reference, ReferenceKind, Surroundings},
    source::Node,
};

/// What surrounds a step: container settings as a tree, with the files and volumes of its content.
#[derive(Debug, Clone, Default)]
pub(super) struct Around {
    pub(super) container: Option<Node>,
    pub(super) working_dir: Vec<String>,
    pub(super) files: Vec<File>,
    pub(super) volumes: Vec<String>,
}

impl Around {
    /// Goes one level in: `container` is the level's own block, `working_dir` its own field beside it.
    pub(super) fn enter(&self, container: Option<&Node>, working_dir: Option<&str>) -> Around {
        let mut inner = self.clone();
        let own = container.and_then(|node| node.get_str("workingDir")).filter(|text| !text.is_empty());
        if let Some(dir) = own.or(working_dir.filter(|text| !text.is_empty())) {
            inner.working_dir.push(dir.to_owned());
        }
        if let Some(container) = container {
            inner.container = Some(match &self.container {
                None => container.clone(),
                Some(outer) => inherit(outer, container),
            });
        }
        inner
    }

    /// The container as the block of a worker sees it: no mounts, one working directory.
    pub(super) fn for_worker(&self) -> Option<Node> {
        let mut node = self.container.clone().unwrap_or_else(|| Node::map::<&str>([]));
        node.take("volumeMounts");
        node.take("workingDir");
        let joined = self.working_dir.iter().fold(String::new(), |outer, dir| {
            if outer.is_empty() || dir.starts_with('/') || dir.starts_with("{{") {
                dir.clone()
            } else {
                format!("{}/{dir}", outer.trim_end_matches('/'))
            }
        });
        if !joined.is_empty() {
            node.set("workingDir", Node::text(joined));
        }
        (!node.entries().is_empty()).then_some(node)
    }

    /// Variables that services get too.
    pub(super) fn global_env(&self) -> Vec<Node> {
        let env = self.container.as_ref().map_or(&[][..], |node| node.get_items("env"));
        env.iter().filter(|entry| entry.get_bool("global") == Some(true)).cloned().collect()
    }

    /// The typed form.
    pub(super) fn surroundings(&self) -> Surroundings {
        let container = self.container.clone().unwrap_or_else(|| Node::map::<&str>([]));
        let carried: Vec<_> = container
            .entries()
            .iter()
            .filter(|(key, _)| CARRIED.contains(&&**key))
            .map(|(key, node)| (key.text.clone(), node.clone()))
            .collect();
        Surroundings {
            env: container.get_items("env").iter().map(env_var).collect(),
            env_from: container.get_items("envFrom").iter().flat_map(env_from).collect(),
            working_dir: self.working_dir.clone(),
            files: self.files.clone(),
            volumes: self.volumes.clone(),
            image: container.get_str("image").map(str::to_owned),
            container: (!carried.is_empty()).then(|| Node::map(carried)),
        }
    }
}

/// An inner container in an outer one.
fn inherit(outer: &Node, inner: &Node) -> Node {
    let mut result = outer.clone();
    let image = |node: &Node| node.get_str("image").filter(|image| !image.is_empty()).map(str::to_owned);
    if let (Some(new), old) = (image(inner), image(outer))
        && old.as_ref() != Some(&new)
    {
        // A command made for another image means nothing in this one.
        result.take("command");
        result.take("args");
    }
    for (key, value) in inner.entries() {
        match &**key {
            "image" | "imagePullPolicy" | "workingDir" if value.as_str() == Some("") => {}
            "command" => {
                result.take("args");
                result.set("command", value.clone());
            }
            "args" if value.items().is_empty() => {}
            "env" | "envFrom" | "volumeMounts" => {
                let joined = result.get_items(key).iter().chain(value.items()).cloned();
                let joined = Node::list(joined.collect::<Vec<_>>());
                result.set(key, joined);
            }
            "resources" => result.set(key, inherit_resources(outer.get("resources"), value)),
            "securityContext" => result.set(key, inherit_fields(outer.get("securityContext"), value)),
            _ => result.set(key, value.clone()),
        }
    }
    if inner.get("command").is_some()
        && let Some(args) = inner.get("args")
    {
        result.set("args", args.clone());
    }
    result
}

/// `requests` and `limits` replace the outer ones, each as a whole, when they are not empty.
fn inherit_resources(outer: Option<&Node>, inner: &Node) -> Node {
    let mut result = outer.cloned().unwrap_or_else(|| Node::map::<&str>([]));
    for (key, value) in inner.entries() {
        if !value.entries().is_empty() {
            result.set(key, value.clone());
        }
    }
    result
}

/// Field by field; the lists of capabilities are united.
fn inherit_fields(outer: Option<&Node>, inner: &Node) -> Node {
    let mut result = outer.cloned().unwrap_or_else(|| Node::map::<&str>([]));
    for (key, value) in inner.entries() {
        let value = match (&**key, result.get(key)) {
            ("capabilities", Some(old)) => inherit_fields(Some(&old.clone()), value),
            ("add" | "drop", Some(old)) => {
                let mut items = old.items().to_vec();
                items.extend(value.items().iter().filter(|item| !old.items().contains(item)).cloned());
                Node::list(items)
            }
            _ => value.clone(),
        };
        result.set(key, value);
    }
    result
}

fn env_var(node: &Node) -> EnvVar {
    EnvVar {
        name: node.get_str("name").unwrap_or_default().to_owned(),
        value: node.get("value").and_then(Node::scalar_text).map(|text| text.to_string()),
        value_from: node.get("valueFrom").cloned(),
        global: node.get_bool("global") == Some(true),
    }
}

fn env_from(node: &Node) -> Vec<EnvFrom> {
    let prefix = node.get_str("prefix").unwrap_or_default().to_owned();
    [("secretRef", ReferenceKind::Secret), ("configMapRef", ReferenceKind::ConfigMap)]
        .into_iter()
        .filter_map(|(field, kind)| {
            let source = node.get(field)?;
            let name = source.get_str("name")?.to_owned();
            let optional = source.get_bool("optional").unwrap_or(false);
            let reference = Reference { kind, name, key: None, optional };
            Some(EnvFrom { prefix: prefix.clone(), reference })
        })
        .collect()
}

/// The secret or config map key that a value source names. Missing ones are tolerated unless the source says otherwise,
/// except in files.
pub(super) fn reference(source: &Node, optional: bool) -> Option<Reference> {
    [("secretKeyRef", ReferenceKind::Secret), ("configMapKeyRef", ReferenceKind::ConfigMap)].into_iter().find_map(
        |(field, kind)| {
            let node = source.get(field)?;
            Some(Reference {
                kind,
                name: node.get_str("name")?.to_owned(),
                key: Some(node.get_str("key")?.to_owned()),
                optional: node.get_bool("optional").unwrap_or(optional),
            })
        },
    )
}

/// A credential of a repository: `…From` wins.
pub(super) fn credential(git: &Node, field: &str) -> Option<Credential> {
    if let Some(from) = git.get(&format!("{field}From")).and_then(|source| reference(source, true)) {
        return Some(Credential::From(from));
    }
    git.get_str(field).filter(|text| !text.is_empty()).map(|text| Credential::Text(text.to_owned()))
}
