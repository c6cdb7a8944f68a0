//! From a unit to the objects that carry it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use testudo_agent::pod;
use testudo_core::plan::{Reference, ReferenceKind, Role, UnitPlan};
use testudo_engine::UnitSpec;

use crate::{
    names::{self, EXECUTION, MANAGED, ROLE, ROOT, UNIT, WORKFLOW},
    runner::Settings,
};

/// The annotation in which a Job says which of its pods one is.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The variable that holds it.
const INDEX_VARIABLE: &str = "TESTUDO_INDEX";
/// The volume that the containers of a unit share, and the one with its key.
const VOLUME: &str = "testudo";
const KEY_VOLUME: &str = "testudo-key";
/// The group that may write to shared volumes, as in our own image.
const GROUP: u32 = 1001;

/// Labels of everything that belongs to a unit.
fn labels(unit: &UnitSpec, settings: &Settings) -> BTreeMap<&'static str, String> {
    let role = match unit.plan.role {
        Role::Main => "main",
        Role::Worker => "worker",
        Role::Service(_) => "service",
    };
    BTreeMap::from([
        (MANAGED.0, MANAGED.1.to_owned()),
        (ROOT, names::label(&settings.root)),
        (EXECUTION, names::label(&unit.execution)),
        (WORKFLOW, names::label(&settings.workflow)),
        (ROLE, role.to_owned()),
        ("testkube.io/root", names::label(&unit.execution)),
        ("testkube.io/resource", names::job(unit)),
        ("testkube.io/workflow-name", names::label(&settings.workflow)),
    ])
}

/// The Secret with the keys of a unit, by its number in its Job.
pub fn secret(unit: &UnitSpec, settings: &Settings) -> Value {
    let key = settings.key.of(&unit.execution, &unit.key.to_string());
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": names::job(unit), "namespace": settings.namespace, "labels": labels(unit, settings)},
        "immutable": true,
        "data": {"0": k8s_openapi::ByteString(key.0.to_vec())},
    })
}

/// The Job that makes a unit's pod.
pub fn job(unit: &UnitSpec, settings: &Settings) -> Value {
    let labels = labels(unit, settings);
    let annotations = json!({UNIT: unit.key.to_string()});
    let mut spec = json!({
        "completions": 1,
        "parallelism": 1,
        "completionMode": "Indexed",
        // Nothing is made anew behind our back: another attempt of a unit is another Job.
        "backoffLimitPerIndex": 0,
        "ttlSecondsAfterFinished": settings.ttl.as_secs(),
        "template": {
            "metadata": {"labels": labels, "annotations": annotations},
            "spec": pod_spec(unit, settings),
        },
    });
    if settings.queue.is_some() {
        spec["suspend"] = json!(true);
    }
    let mut labels = json!(labels);
    if let Some(queue) = &settings.queue {
        labels["kueue.x-k8s.io/queue-name"] = json!(queue);
    }
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names::job(unit),
            "namespace": settings.namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": spec,
    })
}

fn pod_spec(unit: &UnitSpec, settings: &Settings) -> Value {
    let image = image(&unit.plan);
    let own = image.is_none();
    let image = image.unwrap_or_else(|| settings.image.clone());
    let mount = |path: String, sub: &str| json!({"name": VOLUME, "mountPath": path, "subPath": sub});
    let agent = mount(pod::FOLDER.to_owned(), "agent");
    let mut mounts = vec![agent.clone()];
    mounts.extend(pod::SHARED.iter().map(|name| mount(format!("/{name}"), name)));
    let folders = foreign_folders(&unit.plan);
    mounts.extend(folders.iter().enumerate().map(|(number, folder)| mount(folder.clone(), &seed(number))));
    let index = format!("$({INDEX_VARIABLE})");
    mounts.push(json!({"name": KEY_VOLUME, "mountPath": pod::KEY, "subPathExpr": index, "readOnly": true}));
    let (env, env_from) = environment(unit, settings);
    let mut security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    if own {
        security["runAsNonRoot"] = json!(true);
    }
    let container = json!({
        "name": "unit",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [if own { pod::OWN_PROGRAM } else { pod::PROGRAM }, pod::LEAD],
        "env": env,
        "envFrom": env_from,
        "volumeMounts": mounts,
        "securityContext": security,
    });
    let mut spec = json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": settings.grace.as_secs(),
        "securityContext": {"fsGroup": GROUP, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [&container],
        "volumes": [
            {"name": VOLUME, "emptyDir": {}},
            {"name": KEY_VOLUME, "secret": {"secretName": names::job(unit), "defaultMode": 0o444}},
        ],
    });
    let mut first = Vec::new();
    if !own {
        first.push(installer(settings, &agent));
    }
    if !folders.is_empty() {
        let program = if own { pod::OWN_PROGRAM } else { pod::PROGRAM };
        let mut command = vec![program, pod::SEED];
        command.extend(folders.iter().map(String::as_str));
        let mut mounts = vec![agent];
        mounts.extend((0..folders.len()).map(|number| mount(format!("{}/{number}", pod::SEEDS), &seed(number))));
        let mut seeder = container.clone();
        seeder["name"] = json!("files");
        seeder["command"] = json!(command);
        seeder["volumeMounts"] = json!(mounts);
        seeder["env"] = json!([]);
        seeder["envFrom"] = json!([]);
        first.push(seeder);
    }
    if !first.is_empty() {
        spec["initContainers"] = json!(first);
    }
    spec
}

/// Where the copy of a folder lies in the shared volume.
fn seed(number: usize) -> String {
    format!("seeds/{number}")
}

/// Folders of the image that `content.files` are put into. Commands see a copy of each, which may be written to: the
/// image's own belongs to root more often than not. A path that is not final yet is tried as it is.
fn foreign_folders(plan: &UnitPlan) -> Vec<String> {
    let mut folders = BTreeSet::new();
    for around in plan.steps.iter().filter_map(|step| step.surroundings.as_ref()) {
        let base = around.working_dir.iter().fold(PathBuf::from("/data"), |outer, dir| outer.join(dir));
        for file in &around.files {
            let path = base.join(&file.path);
            let shared = pod::SHARED.iter().any(|name| path.starts_with(format!("/{name}")));
            if let Some(folder) = path.parent().and_then(Path::to_str)
                && !shared
                && !folder.contains("{{")
                && folder != "/"
            {
                folders.insert(folder.to_owned());
            }
        }
    }
    folders.into_iter().collect()
}

/// Puts the agent where containers of foreign images find it.
fn installer(settings: &Settings, agent: &Value) -> Value {
    json!({
        "name": "agent",
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [pod::OWN_PROGRAM, pod::INSTALL],
        "volumeMounts": [agent],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
        },
    })
}

/// What the agent is told, and the values that the cluster puts in without our reading them.
fn environment(unit: &UnitSpec, settings: &Settings) -> (Vec<Value>, Vec<Value>) {
    let mut env = vec![
        json!({"name": INDEX_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": format!("metadata.annotations['{INDEX}']")}}}),
        json!({"name": pod::UNIT, "value": unit.key.to_string()}),
        json!({"name": pod::ORPHAN_LIMIT, "value": settings.orphan_limit.as_secs().to_string()}),
    ];
    let mut env_from = Vec::new();
    for (number, reference) in unit.plan.references.iter().enumerate() {
        let Reference { kind, name, key, optional } = reference;
        if settings.provided.contains(&reference.path()) {
            continue;
        }
        let (of_key, of_all) = match kind {
            ReferenceKind::Secret => ("secretKeyRef", "secretRef"),
            ReferenceKind::ConfigMap => ("configMapKeyRef", "configMapRef"),
        };
        if let Some(key) = key {
            let source = json!({of_key: {"name": name, "key": key, "optional": optional}});
            env.push(json!({"name": pod::reference(number), "valueFrom": source}));
        } else {
            let prefix = pod::references(number);
            env_from.push(json!({"prefix": prefix, of_all: {"name": name, "optional": optional}}));
        }
    }
    (env, env_from)
}

/// The image of a unit's steps; ours where they name none.
fn image(plan: &UnitPlan) -> Option<String> {
    plan.steps.iter().filter(|step| step.operation.is_some()).find_map(|step| step.surroundings.as_ref()?.image.clone())
}
