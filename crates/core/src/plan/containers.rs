//! The containers of a unit's pod, and which of them carries each step.

use super::{Operation, Step, UnitPlan};
use crate::source::Node;

/// The distinct containers of a unit; the first leads.
#[derive(Debug, Clone, PartialEq)]
pub struct Containers {
    pub list: Vec<ContainerPlan>,
    /// By the number of the step; groups, and steps that the leader carries out itself, are in none.
    pub of_step: Vec<Option<usize>>,
}

/// One container.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerPlan {
    /// None: testudo's own.
    pub image: Option<String>,
    /// Pull policy, resources, security and mounts, as the author wrote them.
    pub settings: Node,
}

/// Steps with one image and equal settings share a container. What needs tools of ours (a clone, a download) is carried
/// out by the leader, in our own image: limits that are meant for a step do not apply to it.
pub fn containers(unit: &UnitPlan) -> Containers {
    let own = ContainerPlan { image: None, settings: Node::map::<&str>([]) };
    let mut list: Vec<ContainerPlan> = Vec::new();
    if unit.steps.iter().any(needs_tools) {
        list.push(own.clone());
    }
    let of_step = unit
        .steps
        .iter()
        .map(|step| {
            if needs_tools(step) {
                return Some(0);
            }
            let wanted = wanted(step)?;
            Some(list.iter().position(|known| *known == wanted).unwrap_or_else(|| {
                list.push(wanted);
                list.len() - 1
            }))
        })
        .collect();
    if list.is_empty() {
        list.push(own);
    }
    Containers { list, of_step }
}

fn needs_tools(step: &Step) -> bool {
    matches!(step.operation, Some(Operation::Git(_) | Operation::Tarball { .. }))
}

/// The container that a step's command asks for.
fn wanted(step: &Step) -> Option<ContainerPlan> {
    let Some(Operation::Run { .. } | Operation::Shell { .. }) = step.operation else { return None };
    let around = step.surroundings.as_deref();
    let image = around.and_then(|around| around.image.clone());
    let settings = around.and_then(|around| around.container.clone()).unwrap_or_else(|| Node::map::<&str>([]));
    Some(ContainerPlan { image, settings })
}
