//! Which units can be pods of one Job: those whose pods are made from the same things.

use serde::Serialize;

use super::{ContainerPlan, Layout, Reference, Role, UnitPlan, containers::containers, names::digest};
use crate::source::Node;

/// All that a pod is made from. What its commands do comes with `begin`, and may differ.
#[derive(Serialize)]
struct Made<'a> {
    service: bool,
    containers: &'a [ContainerPlan],
    references: &'a [Reference],
    sources: &'a [Node],
    pod: Option<&'a Node>,
    job: Option<&'a Node>,
    pvcs: Option<&'a Node>,
    layout: Layout,
}

/// Equal for units whose pods are equal but for their names: a digest of everything that a pod is made from.
pub fn shape(unit: &UnitPlan) -> String {
    let UnitPlan { role, steps: _, references, sources, global_env: _, pod, job, pvcs, layout } = unit;
    let made = Made {
        service: matches!(role, Role::Service(_)),
        containers: &containers(unit).list,
        references,
        sources,
        pod: pod.as_ref(),
        job: job.as_ref(),
        pvcs: pvcs.as_ref(),
        layout: *layout,
    };
    // Trees have texts for keys, so there is nothing that JSON could not say.
    let text = serde_json::to_vec(&made).unwrap_or_default();
    format!("{:016x}", digest(&text))
}
