//! Whether a namespace has what testudo needs: asked of the cluster itself.

use futures::future::join_all;
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::{Namespace, Secret},
};
use kube::{
    Api,
    api::PostParams,
    core::{ObjectMeta, Status},
};

use crate::{
    cluster::Cluster,
    names::FIELD_MANAGER,
    rights::{RIGHTS, Right},
};

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub what: String,
    pub found: Found,
}

/// What a look at it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Ok(String),
    /// It is not as it has to be, and how to mend it.
    Missing {
        why: String,
        mend: String,
    },
}

impl Check {
    pub fn ok(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Check { what: what.into(), found: Found::Ok(detail.into()) }
    }

    pub fn missing(what: impl Into<String>, why: impl Into<String>, mend: impl Into<String>) -> Self {
        Check { what: what.into(), found: Found::Missing { why: why.into(), mend: mend.into() } }
    }
}

/// Looks at everything that a run on this cluster relies on. Without a server there is nothing else to ask.
pub async fn examine(cluster: &Cluster) -> Vec<Check> {
    let version = match cluster.client.apiserver_version().await {
        Ok(version) => version.git_version,
        Err(error) => {
            let mend = "look at the cluster and the user of your kubeconfig: `kubectl version`";
            return vec![Check::missing("server", format!("{}: {}", cluster.server, causes(&error)), mend)];
        }
    };
    let mut checks = vec![Check::ok("server", format!("{version} at {}", cluster.server)), namespace(cluster).await];
    checks.extend(join_all(RIGHTS.iter().map(|right| allowed(cluster, right))).await);
    checks
}

/// An error with all that is behind it: the client's own words say only that something went wrong.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text += &format!(": {more}");
        }
        source = cause.source();
    }
    text
}

async fn namespace(cluster: &Cluster) -> Check {
    let name = &cluster.namespace;
    let absent = || {
        let mend = format!("`kubectl create namespace {name}`, or name another with -N");
        Check::missing("namespace", format!("there is no namespace {name}"), mend)
    };
    match Api::<Namespace>::all(cluster.client.clone()).get_metadata(name).await {
        Ok(_) => return Check::ok("namespace", name),
        Err(kube::Error::Api(status)) if status.code == 404 => return absent(),
        // Few may ask so. Whoever may make something in it hears of its absence when they try.
        Err(_) => {}
    }
    let probe = Secret {
        metadata: ObjectMeta { generate_name: Some("testudo-".to_owned()), ..ObjectMeta::default() },
        ..Secret::default()
    };
    let dry = PostParams { dry_run: true, field_manager: Some(FIELD_MANAGER.to_owned()) };
    match Api::<Secret>::namespaced(cluster.client.clone(), name).create(&dry, &probe).await {
        Err(kube::Error::Api(status)) if is_absent(&status, name) => absent(),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            Check::ok("namespace", format!("{name}, or there is none: one may not ask"))
        }
        Ok(_) | Err(_) => Check::ok("namespace", name),
    }
}

fn is_absent(status: &Status, namespace: &str) -> bool {
    let details = status.details.as_ref();
    status.code == 404 && details.is_some_and(|details| details.kind == "namespaces" && details.name == namespace)
}

async fn allowed(cluster: &Cluster, right: &Right) -> Check {
    let answers = join_all(right.verbs.iter().map(|verb| may(cluster, right, verb))).await;
    let mut refused = Vec::new();
    for (verb, answer) in right.verbs.iter().zip(answers) {
        match answer {
            Ok(true) => {}
            Ok(false) => refused.push(*verb),
            Err(error) => {
                let mend = "a cluster has to answer SelfSubjectAccessReviews of everybody who is signed in";
                return Check::missing(right.resource, causes(&error), mend);
            }
        }
    }
    if refused.is_empty() {
        return Check::ok(right.resource, right.verbs.join(", "));
    }
    let mend = format!("`testudo kube rbac -N {} | kubectl apply -f -`", cluster.namespace);
    Check::missing(right.resource, format!("not allowed: {} ({})", refused.join(", "), right.why), mend)
}

async fn may(cluster: &Cluster, right: &Right, verb: &str) -> Result<bool, kube::Error> {
    let (resource, subresource) = match right.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (right.resource, None),
    };
    let attributes = ResourceAttributes {
        group: Some(right.group.to_owned()),
        namespace: Some(cluster.namespace.clone()),
        resource: Some(resource.to_owned()),
        subresource,
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let reviews = Api::<SelfSubjectAccessReview>::all(cluster.client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
