//! Containers that follow one another, so that what they ask for is the most that one of them does and not the sum.
//!
//! A container that has had its turn does not come back, and nothing asks for it: groups are not repeated, and an
//! operation is repeated before the next one begins.

use super::{Carrier, ContainerPlan, Containers, carrier, chosen, identity, leaves, push, unlimited};
use crate::{
    plan::{Layout, UnitPlan},
    source::Node,
};

/// An agent that leads in our own image, and after it a container for each run of steps that can share one. What the
/// leader can do in their stead it does. None where fewer than two would follow it.
pub(super) fn containers(unit: &UnitPlan) -> Option<Containers> {
    let mut list = Vec::new();
    push(&mut list, None, leader(unit));
    let mut of_step = vec![None; unit.steps.len()];
    for (at, step, operation) in leaves(unit) {
        let (image, settings) = chosen(step);
        let (image, settings) = match carrier(operation) {
            Carrier::Chosen => (image, settings),
            Carrier::Tools => (None, unlimited(&settings)),
            Carrier::Leader { .. } => continue,
        };
        let fits = |one: &ContainerPlan| one.image == image && one.settings == settings;
        of_step[at] = Some(if fits(&list[0]) {
            0
        } else if list.last().is_some_and(fits) {
            list.len() - 1
        } else {
            push(&mut list, image, settings)
        });
    }
    (list.len() > 2).then_some(Containers { layout: Layout::Sequential, list, of_step })
}

/// What the leader is made with: as the first step that needs our tools wants it, else to write as the first command.
fn leader(unit: &UnitPlan) -> Node {
    let mut first = None;
    for (_, step, operation) in leaves(unit) {
        match carrier(operation) {
            Carrier::Tools => return unlimited(&chosen(step).1),
            Carrier::Chosen => first = first.or_else(|| Some(identity(&chosen(step).1))),
            Carrier::Leader { .. } => {}
        }
    }
    first.unwrap_or_else(|| Node::map::<&str>([]))
}
