//! What there is of testudo in a namespace, whoever made it: looked at, and cleared away where nobody needs it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, PropagationPolicy},
};
use testudo_engine::Sighting;

use crate::{
    Cluster, KubeError, MANAGED,
    manifest::INDEX,
    names::{PLACE, ROOT, WORKFLOW, label},
    observe::{self, JobView, View},
};

/// All of it, as one list of each kind found it.
pub struct Left {
    jobs: Vec<Job>,
    pods: Vec<Arc<Pod>>,
}

/// A unit, or a Job that has no pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The run that it belongs to, by its id.
    pub run: String,
    pub workflow: String,
    pub unit: String,
    pub node: Option<String>,
    /// `waiting`, `running`, `leaving` or `ended`.
    pub phase: &'static str,
    pub reason: String,
    pub age: Duration,
}

/// What is known of a run whose objects are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Somebody drives it.
    Driven,
    /// It has ended, so nothing of it is needed.
    Ended,
    /// Nobody drives it, and somebody may come back to it: to recover it, or to look at what it was told to leave.
    Kept,
    /// It is not one of ours: from another machine, or another user's.
    Unknown,
}

/// An object that may go, with all that it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surplus {
    pub kind: &'static str,
    pub name: String,
    pub run: String,
}

impl Left {
    /// What there is, of all runs or of one.
    pub async fn find(cluster: &Cluster, run: Option<&str>) -> Result<Self, KubeError> {
        let of_run = run.map(|run| format!(",{ROOT}={}", label(run))).unwrap_or_default();
        let params = ListParams::default().labels(&format!("{}={}{of_run}", MANAGED.0, MANAGED.1));
        let jobs = Api::<Job>::namespaced(cluster.client.clone(), &cluster.namespace);
        let pods = Api::<Pod>::namespaced(cluster.client.clone(), &cluster.namespace);
        let (jobs, pods) = futures::try_join!(jobs.list(&params), pods.list(&params))?;
        Ok(Left { jobs: jobs.items, pods: pods.items.into_iter().map(Arc::new).collect() })
    }

    /// The Jobs alone, at the cost of one list.
    pub async fn jobs(cluster: &Cluster) -> Result<Self, KubeError> {
        let params = ListParams::default().labels(&format!("{}={}", MANAGED.0, MANAGED.1));
        let jobs = Api::<Job>::namespaced(cluster.client.clone(), &cluster.namespace).list(&params).await?;
        Ok(Left { jobs: jobs.items, pods: Vec::new() })
    }

    /// Units in order: run by run, and by their place in each.
    pub fn rows(&self, now: Timestamp) -> Vec<Row> {
        let mut rows = Vec::new();
        for job in &self.jobs {
            let view = JobView::of(job);
            let mut bare = true;
            for pod in self.pods.iter().filter(|pod| is_of(pod, job)) {
                bare = false;
                rows.push(of_pod(pod, Some(view.clone()), now));
            }
            if bare {
                let seen = observe::sighting(&View { job: Some(view), ..View::default() });
                rows.push(row(job, place(job), None, seen, now));
            }
        }
        rows.extend(self.orphans().map(|pod| of_pod(pod, None, now)));
        rows.sort_by(|a, b| (&a.run, b.age, &a.unit).cmp(&(&b.run, a.age, &b.unit)));
        rows
    }

    /// Pods whose Job is gone.
    fn orphans(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.iter().filter(|pod| !self.jobs.iter().any(|job| is_of(pod, job)))
    }

    /// What nobody needs. What somebody may come back to stays for `older`; what another machine may be driving stays
    /// until it has ended by itself, too.
    pub fn surplus(&self, now: Timestamp, older: Duration, fate: impl Fn(&str) -> Fate) -> Vec<Surplus> {
        let may_go = |run: &str, is_old: bool, is_over: bool| match fate(run) {
            Fate::Driven => false,
            Fate::Ended => true,
            Fate::Kept => is_old,
            Fate::Unknown => is_old && is_over,
        };
        let jobs = self.jobs.iter().filter(|job| may_go(&run(*job), age(*job, now) >= older, is_over(job)));
        let pods = self.orphans().filter(|pod| {
            let over =
                matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"));
            may_go(&run(pod.as_ref()), age(pod.as_ref(), now) >= older, over)
        });
        let jobs = jobs.map(|job| Surplus { kind: "job", name: job.name_any(), run: run(job) });
        jobs.chain(pods.map(|pod| Surplus { kind: "pod", name: pod.name_any(), run: run(pod.as_ref()) })).collect()
    }
}

impl Surplus {
    /// Removes it; that it is gone already is as good.
    pub async fn remove(&self, cluster: &Cluster) -> Result<(), KubeError> {
        let background = Some(PropagationPolicy::Background);
        let how = DeleteParams { propagation_policy: background, ..DeleteParams::default() };
        let (client, namespace) = (cluster.client.clone(), &cluster.namespace);
        let removed = if self.kind == "job" {
            Api::<Job>::namespaced(client, namespace).delete(&self.name, &how).await.map(drop)
        } else {
            Api::<Pod>::namespaced(client, namespace).delete(&self.name, &how).await.map(drop)
        };
        match removed {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => Ok(other?),
        }
    }
}

fn is_of(pod: &Pod, job: &Job) -> bool {
    let owner = pod.owner_references().iter().find(|owner| owner.kind == "Job");
    owner.is_some_and(|owner| job.metadata.uid.as_deref() == Some(owner.uid.as_str()))
}

fn is_over(job: &Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|one| matches!(one.type_.as_str(), "Complete" | "Failed") && one.status == "True")
}

fn of_pod(pod: &Arc<Pod>, job: Option<JobView>, now: Timestamp) -> Row {
    let seen = observe::sighting(&View { pod: Some(pod.clone()), job, ..View::default() });
    let place = place(pod.as_ref());
    // The execution's own unit has a Job to itself.
    let unit = match pod.annotations().get(INDEX) {
        Some(index) if place != "main" => format!("{place} {index}"),
        Some(_) | None => place,
    };
    row(pod.as_ref(), unit, observe::node(pod).map(str::to_owned), seen, now)
}

fn row<K: ResourceExt + Resource>(
    object: &K,
    unit: String,
    node: Option<String>,
    seen: Sighting,
    now: Timestamp,
) -> Row {
    let (phase, reason) = match seen {
        Sighting::Present { .. } => ("running", String::new()),
        Sighting::Waiting { reason, .. } => ("waiting", reason),
        Sighting::Leaving { reason } => ("leaving", reason),
        Sighting::Gone { reason } => ("ended", reason),
        Sighting::Ended { status } => ("ended", status.to_string()),
    };
    let workflow = object.labels().get(WORKFLOW).cloned().unwrap_or_default();
    Row { run: run(object), workflow, unit, node, phase, reason, age: age(object, now) }
}

fn run<K: ResourceExt>(object: &K) -> String {
    object.labels().get(ROOT).cloned().unwrap_or_default()
}

fn place<K: ResourceExt>(object: &K) -> String {
    object.annotations().get(PLACE).cloned().unwrap_or_default()
}

fn age<K: ResourceExt>(object: &K, now: Timestamp) -> Duration {
    let made = object.creation_timestamp().map_or(now, |time| time.0);
    Duration::try_from(now.duration_since(made)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(run: &str, minute: u32, status: &Value) -> Job {
        let object = json!({
            "metadata": {
                "name": format!("{run}-main"),
                "uid": run,
                "labels": {ROOT: run, WORKFLOW: "w"},
                "annotations": {PLACE: "main"},
                "creationTimestamp": format!("2026-11-25T14:{minute:02}:00Z"),
            },
            "status": status,
        });
        serde_json::from_value(object).expect("it is a Job")
    }

    fn names(left: &Left, fate: Fate) -> Vec<String> {
        let now = "2026-11-25T14:59:00Z".parse().expect("it is a time");
        let surplus = left.surplus(now, Duration::from_mins(30), |_| fate);
        surplus.into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn what_may_be_needed_stays() {
        let over = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        let (none, all) = (Vec::<&str>::new(), ["new-main", "old-main", "over-main"]);
        let left = Left {
            jobs: vec![job("new", 58, &json!({})), job("old", 1, &json!({})), job("over", 1, &over)],
            pods: Vec::new(),
        };
        assert_eq!(names(&left, Fate::Driven), none);
        assert_eq!(names(&left, Fate::Ended), all);
        assert_eq!(names(&left, Fate::Kept), all[1..]);
        assert_eq!(names(&left, Fate::Unknown), all[2..]);
    }

    #[test]
    fn a_job_without_a_pod_is_a_unit_that_waits() {
        let left = Left { jobs: vec![job("one", 57, &json!({}))], pods: Vec::new() };
        let rows = left.rows("2026-11-25T14:59:00Z".parse().expect("it is a time"));
        let expected = Row {
            run: "one".to_owned(),
            workflow: "w".to_owned(),
            unit: "main".to_owned(),
            node: None,
            phase: "waiting",
            reason: "its pod is being made".to_owned(),
            age: Duration::from_mins(2),
        };
        assert_eq!(rows, [expected]);
    }
}
