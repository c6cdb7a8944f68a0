//! What the cluster says of objects from which nothing comes: it stands in events and nowhere else.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::Event;
use kube::{Api, Client, api::ListParams};
use tokio::time::{Instant, sleep};

use crate::{
    observe::{self, Silent},
    watch::Known,
};

/// How long nothing comes of an object before its events are asked for: of a Job without a pod, and of a pod that does
/// not start. What takes its ordinary time costs no request.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));
/// Between two looks, for as long as there is something to look for.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(8);

const OF_JOBS: &str = "involvedObject.kind=Job,reason=FailedCreate";
/// Whatever else is said of a pod says why it is not further.
const OF_PODS: &str = concat!(
    "involvedObject.kind=Pod,reason!=Scheduled,reason!=Pulled,reason!=Created,reason!=Started,",
    "reason!=MissingClusterDNS",
);

/// Looks for what is told of silent objects, with one list for all of them, until it is dropped.
pub(crate) async fn listen(client: Client, namespace: String, known: Known) {
    let events = Api::<Event>::namespaced(client, &namespace);
    let mut since: BTreeMap<Silent, Instant> = BTreeMap::new();
    let mut pause = SHORTEST;
    let mut next = Instant::now();
    loop {
        sleep(SHORTEST).await;
        let now = Instant::now();
        let silent = known.silent();
        since.retain(|one, _| silent.contains(one));
        for one in silent {
            since.entry(one).or_insert(now);
        }
        if since.is_empty() {
            (pause, next) = (SHORTEST, now);
        }
        if now < next {
            continue;
        }
        let (of_jobs, of_pods) = due(&since, now);
        let mut found = Vec::new();
        for (due, fields) in [(of_jobs, OF_JOBS), (of_pods, OF_PODS)] {
            if due {
                // Whoever may not ask, or cannot just now, is told less.
                let list = events.list(&ListParams::default().fields(fields)).await;
                found.extend(list.into_iter().flatten());
            }
        }
        if of_jobs || of_pods {
            known.tell(&observe::told(found));
            next = now + pause;
            pause = (pause * 2).min(LONGEST);
        }
    }
}

/// Whether there are Jobs, and pods, of which nothing has come for long enough.
fn due(since: &BTreeMap<Silent, Instant>, now: Instant) -> (bool, bool) {
    let over = |patience, of_job| {
        since.iter().any(|(one, since)| matches!(one, Silent::Job(_)) == of_job && now - *since >= patience)
    };
    (over(PATIENCE.0, true), over(PATIENCE.1, false))
}
