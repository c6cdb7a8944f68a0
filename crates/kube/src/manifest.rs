//! From a unit to the objects that carry it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use k8s_openapi::ByteString;
use serde_json::{Value, json};
use testudo_agent::pod;
use testudo_core::{
    plan::{ContainerPlan, Containers, Layout, Reference, ReferenceKind, Role, containers, shortened, source_name},
    run::UnitKey,
};
use testudo_engine::UnitSpec;

use crate::{
    names::{self, EXECUTION, FOREIGN, MANAGED, PLACE, ROLE, ROOT, WORKFLOW},
    runner::Settings,
};

/// The annotation in which a Job says which of its pods one is.
pub(crate) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The variable that holds it.
const INDEX_VARIABLE: &str = "TESTUDO_INDEX";
/// The volume with a unit's key.
const KEY_VOLUME: &str = "testudo-key";
/// What the names of empty volumes start with that the containers of a unit share. Each folder has a volume to itself:
/// for a part of one the kubelet starts two processes at the start, and two at the end.
const EMPTY: &str = "testudo-empty-";
/// The container whose agent leads.
pub(crate) const LEADER: &str = "unit";
/// The group that may write to shared volumes, as in our own image.
const GROUP: u32 = 1001;

/// Labels of everything that belongs to a unit.
fn labels(unit: &UnitSpec, settings: &Settings) -> BTreeMap<String, String> {
    let role = match unit.plan.role {
        Role::Main => "main",
        Role::Worker => "worker",
        Role::Service(_) => "service",
    };
    let (execution, workflow) = (names::label(&unit.execution), names::label(&settings.workflow));
    let own = [
        (MANAGED.0, MANAGED.1.to_owned()),
        (ROOT, names::label(&settings.root)),
        (EXECUTION, execution.clone()),
        (WORKFLOW, workflow.clone()),
        (ROLE, role.to_owned()),
    ];
    let mut labels: BTreeMap<String, String> = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for prefix in FOREIGN {
        labels.insert(format!("{prefix}/root"), execution.clone());
        labels.insert(format!("{prefix}/resource"), names::job(unit));
        labels.insert(format!("{prefix}/workflow-name"), workflow.clone());
    }
    labels
}

fn metadata(name: &str, unit: &UnitSpec, settings: &Settings) -> Value {
    json!({"name": name, "namespace": names::namespace(unit, settings), "labels": labels(unit, settings)})
}

/// The Secret of a Job: for each of its pods what that unit is called, and its key.
pub fn secret(unit: &UnitSpec, settings: &Settings) -> Value {
    let units = unit.block.as_ref().map_or_else(|| vec![&unit.key], |block| block.units.iter().collect());
    let units = units.into_iter().map(UnitKey::to_string).enumerate();
    let data: BTreeMap<String, ByteString> = units
        .map(|(index, name)| {
            let key = settings.key.of(&unit.execution, &name);
            (index.to_string(), ByteString(pod::credentials(&key, &name).into_bytes()))
        })
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(&names::job(unit), unit, settings),
        "immutable": true,
        "data": data,
    })
}

/// The Job that makes a unit's pod.
pub fn job(unit: &UnitSpec, settings: &Settings) -> Value {
    let labels = labels(unit, settings);
    let annotations = json!({PLACE: names::place(unit).0});
    let (size, parallelism) = unit.block.as_ref().map_or((1, 1), |block| (block.units.len(), block.parallelism));
    let chosen = json!(unit.plan.job);
    let pod = json!(unit.plan.pod);
    let labels = json!(labels);
    let pod_labels = over(&pod["labels"], &labels);
    // What takes nodes away for good should look for others: a run that is moved is a run that is lost.
    let mut pod_annotations =
        json!({"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"});
    overlay(&mut pod_annotations, &over(&pod["annotations"], &annotations));
    let mut spec = json!({
        "completions": size,
        // A pod ends when it hears that it may, so this many units are under way at a time.
        "parallelism": parallelism,
        "completionMode": "Indexed",
        // Nothing is made anew behind our back: another attempt of a unit is another Job.
        "backoffLimitPerIndex": 0,
        "ttlSecondsAfterFinished": settings.ttl.as_secs(),
        "template": {
            "metadata": {"labels": pod_labels, "annotations": pod_annotations},
            "spec": pod_spec(unit, settings, &pod, deadline(&chosen, &pod, settings)),
        },
    });
    if settings.queue.is_some() {
        spec["suspend"] = json!(true);
    }
    let mut labels = over(&chosen["labels"], &labels);
    if let Some(queue) = &settings.queue {
        labels["kueue.x-k8s.io/queue-name"] = json!(queue);
    }
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names::job(unit),
            "namespace": names::namespace(unit, settings),
            "labels": labels,
            "annotations": over(&chosen["annotations"], &annotations),
        },
        "spec": spec,
    })
}

/// What somebody chose, with what has to be as it is.
fn over(chosen: &Value, own: &Value) -> Value {
    let mut all = chosen.clone();
    overlay(&mut all, own);
    all
}

/// A limit that only counts where ours does not: the agent's comes first, with time to end in order. It is the pod's
/// also where the Job has it: the pods of one Job are units, each with all of the time.
fn deadline(job: &Value, pod: &Value, settings: &Settings) -> Option<u64> {
    let limit = [job, pod].into_iter().filter_map(|one| one["activeDeadlineSeconds"].as_u64()).min()?;
    Some(limit + settings.grace.as_secs() + 30)
}

/// Settings of a pod that are not simply fields of its spec.
const APART: &[&str] = &["labels", "annotations", "volumes", "activeDeadlineSeconds", "disableFsGroupDefaulting"];

fn pod_spec(unit: &UnitSpec, settings: &Settings, chosen: &Value, deadline: Option<u64>) -> Value {
    let Containers { layout, list, of_step: _ } = containers(&unit.plan);
    let mut first = Vec::new();
    if list.iter().any(|one| one.image.is_some()) {
        first.push(installer(settings));
    }
    let (mut all, mut empty) = (Vec::new(), BTreeSet::new());
    for (number, one) in list.iter().enumerate() {
        let folders = foreign_folders(one);
        let mounts = if list.len() == 1 && has_all(one, &folders) { Vec::new() } else { shared(one, number, &folders) };
        empty.extend(mounts.iter().filter_map(|mount| mount["name"].as_str().map(str::to_owned)));
        let mut made = container(unit, settings, number, one, mounts);
        if !folders.is_empty() {
            first.push(seeder(&made, number, &folders));
        }
        if layout == Layout::Sequential {
            in_turn(&mut made, number);
            // The last one is what the pod is there for, as Kubernetes sees it.
            if number + 1 < list.len() {
                first.push(made);
                continue;
            }
        }
        all.push(made);
    }
    let mut volumes: Vec<Value> = empty.iter().map(|name| json!({"name": name, "emptyDir": {}})).collect();
    volumes.push(json!({"name": KEY_VOLUME, "secret": {"secretName": names::job(unit), "defaultMode": 0o444}}));
    let mut spec = json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": settings.grace.as_secs(),
        "securityContext": {"fsGroup": GROUP, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": all,
        "volumes": volumes,
    });
    if !first.is_empty() {
        spec["initContainers"] = json!(first);
    }
    if chosen["disableFsGroupDefaulting"] == json!(true)
        && let Some(security) = spec["securityContext"].as_object_mut()
    {
        security.remove("fsGroup");
    }
    if let (Some(volumes), Some(more)) = (spec["volumes"].as_array_mut(), chosen["volumes"].as_array()) {
        volumes.extend(more.iter().cloned());
    }
    for (field, value) in chosen.as_object().into_iter().flatten() {
        if !APART.contains(&field.as_str()) {
            overlay(&mut spec[field.as_str()], value);
        }
    }
    if chosen.get("serviceAccountName").is_some() && chosen.get("automountServiceAccountToken").is_none() {
        spec["automountServiceAccountToken"] = json!(true);
    }
    if let Some(limit) = deadline {
        spec["activeDeadlineSeconds"] = json!(limit);
    }
    spec
}

/// The volume claims that are made for a unit and go with it.
pub fn claims(unit: &UnitSpec, settings: &Settings) -> Vec<(String, Value)> {
    let chosen = json!(unit.plan.pvcs);
    let claims = chosen.as_object().into_iter().flatten();
    claims
        .map(|(name, spec)| {
            let claim = json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata(name, unit, settings),
                "spec": spec,
            });
            (name.clone(), claim)
        })
        .collect()
}

/// One of a unit's containers; the first leads, the others lend themselves.
fn container(
    unit: &UnitSpec,
    settings: &Settings,
    number: usize,
    plan: &ContainerPlan,
    mut mounts: Vec<Value>,
) -> Value {
    let mut command = vec![program(plan).to_owned()];
    let (mut env, mut env_from) = (told(settings), Vec::new());
    if number == 0 {
        command.push(pod::LEAD.to_owned());
        let mut key = json!({"name": KEY_VOLUME, "mountPath": pod::KEY, "readOnly": true});
        if unit.block.is_some() {
            // No other way gives each of a Job's pods a value of its own and none of the others'.
            let annotation = json!({"fieldPath": format!("metadata.annotations['{INDEX}']")});
            env.push(json!({"name": INDEX_VARIABLE, "valueFrom": {"fieldRef": annotation}}));
            key["subPathExpr"] = json!(format!("$({INDEX_VARIABLE})"));
        }
        // Not a variable: under load the kubelet does not have a Secret in time, and waits ten seconds before it asks
        // again for a variable, and half a second for a volume.
        mounts.push(key);
        references(unit, settings, &mut env, &mut env_from);
        sources(unit, &mut env);
    } else {
        command.extend([pod::LEND.to_owned(), number.to_string()]);
    }
    let mut security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let chosen = json!(plan.settings);
    if plan.image.is_none() && chosen["securityContext"]["runAsUser"] != json!(0) {
        security["runAsNonRoot"] = json!(true);
    }
    overlay(&mut security, &chosen["securityContext"]);
    mounts.extend(chosen["volumeMounts"].as_array().into_iter().flatten().cloned());
    let mut made = json!({
        "name": container_name(number),
        "image": plan.image.as_ref().unwrap_or(&settings.image),
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": env,
        "envFrom": env_from,
        "volumeMounts": mounts,
        "securityContext": security,
    });
    for field in ["imagePullPolicy", "resources"] {
        if let Some(value) = chosen.get(field) {
            made[field] = value.clone();
        }
    }
    made
}

/// Makes a container one of those that follow one another. The one that leads is there all the time.
fn in_turn(container: &mut Value, number: usize) {
    if let Some(command) = container["command"].as_array_mut() {
        command.push(json!(pod::IN_TURN));
    }
    if number == 0 {
        container["restartPolicy"] = json!("Always");
        container["resources"] = json!({"requests": {"cpu": "10m", "memory": "32Mi"}});
    }
}

fn program(plan: &ContainerPlan) -> &'static str {
    if plan.image.is_none() { pod::OWN_PROGRAM } else { pod::PROGRAM }
}

/// Whether a container has in its image all folders that others get as volumes, and can write there.
fn has_all(plan: &ContainerPlan, folders: &[String]) -> bool {
    let read_only = json!(plan.settings)["securityContext"]["readOnlyRootFilesystem"] == json!(true);
    plan.image.is_none() && plan.volumes.is_empty() && folders.is_empty() && !read_only
}

/// The folders that a container shares with others, or that its image may not have or not let be written to.
fn shared(plan: &ContainerPlan, number: usize, folders: &[String]) -> Vec<Value> {
    let mut mounts = vec![mount(pod::FOLDER, AGENT)];
    mounts.extend(pod::SHARED.iter().map(|name| mount(&format!("/{name}"), name)));
    mounts.extend(plan.volumes.iter().map(|path| mount(path, &shortened(&format!("volume{path}"), 40))));
    mounts.extend(folders.iter().enumerate().map(|(at, folder)| mount(folder, &seed(number, at))));
    let own: Vec<&str> =
        plan.settings.get_items("volumeMounts").iter().filter_map(|one| one.get_str("mountPath")).collect();
    mounts.retain(|mount| !mount["mountPath"].as_str().is_some_and(|path| own.contains(&path)));
    mounts
}

/// The volume that the agent is brought in.
const AGENT: &str = "agent";

fn mount(path: &str, volume: &str) -> Value {
    json!({"name": format!("{EMPTY}{volume}"), "mountPath": path})
}

/// Fields of `over` win; maps are joined.
fn overlay(under: &mut Value, over: &Value) {
    match (under, over) {
        (_, Value::Null) => {}
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                overlay(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// Copies what a container's image has in the folders that files are put into.
fn seeder(container: &Value, number: usize, folders: &[String]) -> Value {
    let mut command = vec![container["command"][0].clone(), json!(pod::SEED)];
    command.extend(folders.iter().map(|folder| json!(folder)));
    let mut mounts = vec![mount(pod::FOLDER, AGENT)];
    mounts.extend((0..folders.len()).map(|at| mount(&format!("{}/{at}", pod::SEEDS), &seed(number, at))));
    let mut made = container.clone();
    made["name"] = json!(format!("files-{}", number + 1));
    made["command"] = json!(command);
    made["volumeMounts"] = json!(mounts);
    made["env"] = json!([]);
    made["envFrom"] = json!([]);
    made
}

/// The volume with the copy of a folder.
fn seed(container: usize, folder: usize) -> String {
    format!("seed-{container}-{folder}")
}

/// Folders of a container's image that `content.files` are put into. Commands see a copy of each, which may be written
/// to: the image's own belongs to root more often than not. A path that is not final yet is tried as it is.
fn foreign_folders(container: &ContainerPlan) -> Vec<String> {
    let is_shared = |path: &Path| pod::SHARED.iter().any(|name| path.starts_with(format!("/{name}")));
    let mounted = container.settings.get_items("volumeMounts").iter().filter_map(|mount| mount.get_str("mountPath"));
    let mounted: Vec<&str> = mounted.chain(container.volumes.iter().map(String::as_str)).collect();
    let mut folders = BTreeSet::new();
    for file in &container.files {
        let path = Path::new("/data").join(file);
        if let Some(folder) = path.parent().and_then(Path::to_str)
            && !is_shared(&path)
            && !mounted.iter().any(|mount| path.starts_with(mount))
            && !folder.contains("{{")
            && folder != "/"
        {
            folders.insert(folder.to_owned());
        }
    }
    folders.into_iter().collect()
}

/// Puts the agent where containers of foreign images find it.
fn installer(settings: &Settings) -> Value {
    json!({
        "name": "agent",
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [pod::OWN_PROGRAM, pod::INSTALL],
        "volumeMounts": [mount(pod::FOLDER, AGENT)],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
        },
    })
}

/// What an agent is told beforehand.
fn told(settings: &Settings) -> Vec<Value> {
    vec![json!({"name": pod::ORPHAN_LIMIT, "value": settings.orphan_limit.as_secs().to_string()})]
}

/// Values that the cluster puts in without our reading them.
fn references(unit: &UnitSpec, settings: &Settings, env: &mut Vec<Value>, env_from: &mut Vec<Value>) {
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
}

/// Values that only the cluster can tell, about each of a unit's containers: the one that leads has all of them.
fn sources(unit: &UnitSpec, env: &mut Vec<Value>) {
    for (container, plan) in containers(&unit.plan).list.iter().enumerate() {
        for source in &plan.sources {
            let mut from = json!(unit.plan.sources[*source]);
            if let Some(resource) = from.get_mut("resourceFieldRef")
                && resource.get("containerName").is_none()
            {
                resource["containerName"] = json!(container_name(container));
            }
            env.push(json!({"name": source_name(container, *source), "valueFrom": from}));
        }
    }
}

fn container_name(number: usize) -> String {
    if number == 0 { LEADER.to_owned() } else { format!("unit-{}", number + 1) }
}

#[cfg(test)]
mod tests;
