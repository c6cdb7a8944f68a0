//! From what the cluster knows of a unit to what a runner says of it.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{ContainerStateTerminated, ContainerStatus, Event, Pod},
};
use serde_json::Value;
use testudo_core::run::Status;
use testudo_engine::Sighting;

use crate::manifest::LEADER;

/// What is known of a unit's objects.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub pod: Option<Arc<Pod>>,
    pub job: Option<JobView>,
    /// A pod or Job was there and is not any more: what was last known of it.
    pub removed: Option<String>,
    /// What an event said of the pod or Job of this uid.
    pub told: Option<(String, String)>,
}

impl View {
    /// What was told of an object.
    fn told_of(&self, uid: &str) -> Option<String> {
        self.told.as_ref().filter(|(of, _)| of == uid).map(|(_, text)| text.clone())
    }
}

/// An object that does not say itself why nothing comes of it; its events may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Silent {
    /// A Job that lacks a pod: why it could not be made is nowhere else.
    Job(String),
    /// A pod whose node is known and whose containers do not start.
    Pod(String),
}

impl Silent {
    pub(crate) fn uid(&self) -> &str {
        match self {
            Silent::Job(uid) | Silent::Pod(uid) => uid,
        }
    }
}

/// What keeps a unit waiting without a word, if something does.
pub(crate) fn silent(view: &View) -> Option<Silent> {
    if view.removed.is_some() {
        return None;
    }
    match (&view.pod, &view.job) {
        (Some(pod), _) => {
            let quiet = node(pod).is_some() && !leads(pod) && trouble(pod).is_none() && ended(pod).is_none();
            quiet.then(|| pod.metadata.uid.clone().map(Silent::Pod)).flatten()
        }
        (None, Some(job)) if !job.suspended && job.failure.is_none() => Some(Silent::Job(job.uid.clone())),
        (None, _) => None,
    }
}

/// Whether two texts say the same: each attempt of a Job to make a pod gives the pod another name.
pub(crate) fn repeats(one: &str, other: &str) -> bool {
    let around = |text: &str| -> Option<(String, String)> {
        let (before, rest) = text.split_once("pods \"")?;
        let (_, after) = rest.split_once('"')?;
        Some((before.to_owned(), after.to_owned()))
    };
    one == other || around(one).is_some_and(|one| around(other) == Some(one))
}

/// What the newest event about each object says, by the object's uid.
pub(crate) fn told(events: Vec<Event>) -> BTreeMap<String, String> {
    let mut newest = BTreeMap::new();
    for event in events {
        let Some(uid) = event.involved_object.uid else { continue };
        let series = event.series.and_then(|series| series.last_observed_time);
        let at = event.last_timestamp.map(|time| time.0).max(series.or(event.event_time).map(|time| time.0));
        let message = event.message.unwrap_or_default();
        // The event before it says what went wrong.
        if matches!(message.as_str(), "Error: ErrImagePull" | "Error: ImagePullBackOff") {
            continue;
        }
        let reason = event.reason.unwrap_or_default();
        let text = if message.starts_with(&reason) { message } else { worded(&reason, Some(&message)) };
        let known = newest.entry(uid).or_insert_with(|| (at, String::new()));
        // Of those of the same second the later one of the list.
        if known.0 <= at {
            *known = (at, text);
        }
    }
    newest.into_iter().map(|(uid, (_, text))| (uid, text)).collect()
}

/// What matters of a Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    pub uid: String,
    /// Until a queue admits it.
    pub suspended: bool,
    /// Why it will make no pod any more.
    pub failure: Option<String>,
}

impl JobView {
    /// What matters of this one.
    pub fn of(job: &Job) -> Self {
        let uid = job.metadata.uid.clone().unwrap_or_default();
        let suspended = job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true);
        JobView { uid, suspended, failure: failure(job) }
    }
}

/// What a runner says of a unit.
pub fn sighting(view: &View) -> Sighting {
    if let Some(removed) = &view.removed {
        return Sighting::Gone { reason: removed.clone() };
    }
    let Some(pod) = &view.pod else {
        let Some(job) = &view.job else {
            return Sighting::Gone { reason: "nothing of it is there".to_owned() };
        };
        return match &job.failure {
            Some(reason) => Sighting::Gone { reason: reason.clone() },
            None => Sighting::Waiting { reason: waiting_for_pod(view, job), node: None },
        };
    };
    if let Some(status) = last_words(pod) {
        return Sighting::Ended { status };
    }
    if let Some(reason) = ended(pod) {
        return Sighting::Gone { reason };
    }
    // It may run without the kubelet having said so: that comes a second late.
    if let Some(reason) = leaving(pod) {
        return Sighting::Leaving { reason };
    }
    let status = pod.status.as_ref();
    let node = node(pod).map(str::to_owned);
    if leads(pod) {
        // It begins, and comes to a step of that container or not.
        if let Some(trouble) = trouble(pod) {
            return Sighting::Waiting { reason: trouble, node };
        }
        let address = status.and_then(|status| status.pod_ip.clone());
        return Sighting::Present { address, node };
    }
    Sighting::Waiting { reason: held_up(pod, view), node }
}

/// Why a pod that runs is about to be taken away.
fn leaving(pod: &Pod) -> Option<String> {
    pod.metadata.deletion_timestamp.is_some().then(|| removal(pod)).or_else(|| disruption(pod))
}

/// Whether the agent that leads a unit is known to run.
pub(crate) fn leads(pod: &Pod) -> bool {
    let runs = |status: &ContainerStatus| status.state.as_ref().is_some_and(|state| state.running.is_some());
    leader(pod).is_some_and(runs) && leader_end(pod).is_none()
}

/// The container that leads a unit: before the others, where they follow one another.
fn leader(pod: &Pod) -> Option<&ContainerStatus> {
    statuses(pod).chain(init_statuses(pod)).find(|status| status.name == LEADER)
}

/// How the agent that led has ended. Before others it was started again, and what it ran is gone all the same.
fn leader_end(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let status = leader(pod)?;
    [&status.state, &status.last_state].into_iter().find_map(|state| state.as_ref()?.terminated.as_ref())
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten())
}

fn init_statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| status.init_container_statuses.iter().flatten())
}

fn waiting_for_pod(view: &View, job: &JobView) -> String {
    if job.suspended {
        return "its Job is suspended until a queue admits it".to_owned();
    }
    view.told_of(&job.uid).unwrap_or_else(|| "its pod is being made".to_owned())
}

/// Why a Job will make no pod any more.
fn failure(job: &Job) -> Option<String> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let failed = conditions.iter().find(|one| one.type_ == "Failed" && one.status == "True")?;
    Some(worded(failed.reason.as_deref().unwrap_or("Failed"), failed.message.as_deref()))
}

/// How a unit ended, as its agent wrote it down for the kubelet.
fn last_words(pod: &Pod) -> Option<Status> {
    let status = Value::String(leader_end(pod)?.message.as_deref()?.trim().to_owned());
    serde_json::from_value::<Status>(status).ok().filter(|status| status.is_final())
}

/// Why a pod is over, if it is.
fn ended(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let phase = status.phase.as_deref()?;
    let terminated = leader_end(pod);
    if !matches!(phase, "Failed" | "Succeeded") && terminated.is_none() {
        return None;
    }
    if let Some(disruption) = disruption(pod) {
        return Some(disruption);
    }
    if let Some(reason) = &status.reason {
        return Some(worded(reason, status.message.as_deref()));
    }
    // Whatever it did then, it was told to.
    if pod.metadata.deletion_timestamp.is_some() {
        return Some(deleted(pod));
    }
    let failed_init = init_statuses(pod)
        .filter_map(|status| status.state.as_ref()?.terminated.as_ref())
        .find(|terminated| terminated.exit_code != 0);
    Some(match terminated.or(failed_init) {
        Some(end) if end.reason.as_deref() == Some("OOMKilled") => {
            "OOMKilled: its agent's container ran out of memory".to_owned()
        }
        Some(end) if end.exit_code == 0 => "its agent has ended".to_owned(),
        Some(end) => {
            let message = end.message.as_deref().unwrap_or_default().trim();
            let reason = end.reason.as_deref().unwrap_or("Error");
            worded(&format!("{reason}, exit code {}", end.exit_code), Some(message).filter(|text| !text.is_empty()))
        }
        None => format!("its pod has {}", phase.to_lowercase()),
    })
}

/// What took a pod away, where the cluster did.
fn disruption(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let target = conditions.iter().find(|one| one.type_ == "DisruptionTarget" && one.status == "True")?;
    let word = match target.reason.as_deref() {
        Some("PreemptionByScheduler") => "preempted",
        Some("EvictionByEvictionAPI") => "drained",
        Some("DeletionByTaintManager" | "DeletionByPodGC") => "nodeLost",
        Some("TerminationByKubelet") => "evicted",
        _ => "disrupted",
    };
    Some(worded(word, target.message.as_deref()))
}

/// What keeps a container from starting.
fn trouble(pod: &Pod) -> Option<String> {
    let waiting = statuses(pod).chain(init_statuses(pod)).filter_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        Some((waiting.reason.as_deref()?, waiting.message.as_deref()))
    });
    // `PodInitializing` and `ContainerCreating` say only that it is not there yet.
    let mut trouble = waiting.filter(|(reason, _)| !matches!(*reason, "PodInitializing" | "ContainerCreating"));
    trouble.next().map(|(reason, message)| worded(reason, message))
}

/// Why a pod has not started yet.
fn held_up(pod: &Pod, view: &View) -> String {
    if let Some(trouble) = trouble(pod) {
        return trouble;
    }
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    for condition in conditions {
        if condition.type_ == "PodScheduled" && condition.status == "False" {
            return worded(condition.reason.as_deref().unwrap_or("Unscheduled"), condition.message.as_deref());
        }
    }
    match node(pod) {
        Some(node) => {
            let told = pod.metadata.uid.as_deref().and_then(|uid| view.told_of(uid));
            told.unwrap_or_else(|| format!("it is starting on {node}"))
        }
        None => "it waits for the scheduler".to_owned(),
    }
}

/// Whether the agent of a pod that is not known to run may run all the same: the kubelet says so a second later.
pub(crate) fn may_answer(pod: &Pod) -> bool {
    leads(pod) || node(pod).is_some() && trouble(pod).is_none()
}

/// Whether a pod is neither over nor told to go.
pub(crate) fn may_run(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && ended(pod).is_none()
}

/// The node that a pod was put on.
pub fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// What is said of a pod that was removed before its end was known.
pub(crate) fn removal(pod: &Pod) -> String {
    disruption(pod).or_else(|| ended(pod)).unwrap_or_else(|| deleted(pod))
}

fn deleted(pod: &Pod) -> String {
    format!("its pod {} was deleted", pod.metadata.name.as_deref().unwrap_or_default())
}

fn worded(reason: &str, message: Option<&str>) -> String {
    match message {
        Some(message) if !message.is_empty() => format!("{reason}: {message}"),
        _ => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
