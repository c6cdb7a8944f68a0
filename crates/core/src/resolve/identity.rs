//! What a run is known by: names and numbers that exist before it starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::expr::{Map, Value, Vars, escape};
use crate::source::{Kind, Node};
use crate::workflow::Document;

/// The identity of one execution, and the values that came with its request.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    pub id: Arc<str>,
    pub group_id: Arc<str>,
    pub name: Arc<str>,
    pub number: i64,
    /// RFC 3339.
    pub scheduled_at: Arc<str>,
    pub disable_webhooks: bool,
    /// Tags of the request; they win over those of the workflow.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// `actor` and `interface` with their fields; what is unknown is left out.
    pub running_context: Node,
    pub organization_id: Arc<str>,
    pub environment_id: Arc<str>,
    /// Id of the execution that everything here belongs to: the run's own, unless it is part of another.
    pub root_id: Arc<str>,
    /// Prefix of its artifacts.
    pub fs_prefix: Arc<str>,
    /// Variables of the request, appended to `spec.container.env` as literals.
    pub variables: BTreeMap<Arc<str>, Arc<str>>,
}

/// `workflow.*` and `labels.*`.
pub(super) fn workflow_scope(document: &Document) -> Vars {
    let mut vars = Vars::new();
    vars.set("workflow.name", &*document.name);
    let labels: Map = document.labels.iter().map(|(key, value)| (key.clone(), Value::Str(value.clone()))).collect();
    vars.set("workflow.labels", Value::Map(Arc::new(labels)));
    for (key, value) in &document.labels {
        vars.set(format!("workflow.labels.{key}"), Value::Str(value.clone()));
        vars.set(format!("labels.{}", key.replace(['.', '-', '/'], "_")), Value::Str(value.clone()));
    }
    vars
}

/// `execution.*`, `organization.*`, `environment.*` and `resource.*`.
pub(super) fn execution_scope(identity: &Identity, tags: Map) -> Vars {
    let mut vars = Vars::new();
    let text = |text: &Arc<str>| Value::Str(text.clone());
    vars.set("execution.id", text(&identity.id));
    vars.set("execution.groupId", text(&identity.group_id));
    vars.set("execution.name", text(&identity.name));
    vars.set("execution.number", Value::Int(identity.number));
    vars.set("execution.scheduledAt", text(&identity.scheduled_at));
    vars.set("execution.disableWebhooks", Value::Bool(identity.disable_webhooks));
    vars.set("execution.tags", Value::Map(Arc::new(tags)));
    for (name, fields) in [
        ("actor", &["name", "email", "executionId", "executionPath", "executionReference", "type"][..]),
        ("interface", &["name", "type"][..]),
    ] {
        let known = identity.running_context.get(name);
        let map: Map = fields
            .iter()
            .filter_map(|field| Some(((*field).into(), Value::Str(known?.get(field)?.scalar_text()?))))
            .collect();
        vars.set(format!("execution.runningContext.{name}"), Value::Map(Arc::new(map)));
    }
    vars.set("organization.id", text(&identity.organization_id));
    vars.set("environment.id", text(&identity.environment_id));
    vars.set("resource.id", text(&identity.id));
    vars.set("resource.root", text(&identity.root_id));
    vars.set("resource.fsPrefix", text(&identity.fs_prefix));
    vars
}

/// The workflow's tags under those of the request.
pub(super) fn tags(spec: &Node, identity: &Identity) -> Map {
    let own = spec.find("execution.tags").map_or(&[][..], Node::entries);
    let own = own.iter().filter_map(|(key, node)| {
        let text = node.scalar_text()?;
        // What is still unknown of a tag stays text; tags of executions exist before any variable does.
        let known = crate::expr::compile_template(&text).ok();
        let value = known.as_ref().and_then(|expr| expr.value()).map_or(Value::Str(text), Clone::clone);
        Some((key.text.clone(), value))
    });
    let asked = identity.tags.iter().map(|(key, value)| (key.clone(), Value::Str(value.clone())));
    own.chain(asked).collect()
}

/// Puts the variables of the request behind the workflow's own environment.
pub(super) fn append_variables(spec: &mut Node, identity: &Identity) {
    if identity.variables.is_empty() {
        return;
    }
    let mut container = spec.get("container").cloned().unwrap_or_else(|| Node::from(Kind::Map(Vec::new())));
    let mut env = container.get_items("env").to_vec();
    for (name, value) in &identity.variables {
        env.push(Node::map([("name", Node::text(escape(name))), ("value", Node::text(escape(value)))]));
    }
    container.set("env", Node::list(env));
    spec.set("container", container);
}
