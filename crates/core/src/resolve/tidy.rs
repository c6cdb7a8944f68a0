//! The shape of a result: wrappers that inclusion left and nobody asked for.

use crate::source::{Kind, Node};

/// In each list of steps of a spec, a step that is nothing but nested steps is replaced by them, once: what comes
/// out is not looked at again.
pub(super) fn unwrap_lists(spec: &mut Node) {
    for name in ["setup", "steps", "after"] {
        let Some(list) = spec.get_mut(name) else { continue };
        let Some(items) = list.as_list_mut() else { continue };
        let mut unwrapped = Vec::with_capacity(items.len());
        for step in std::mem::take(items) {
            if step.as_map().is_some() && says_nothing(&step) {
                for nested in ["setup", "steps"] {
                    unwrapped.extend_from_slice(step.get_items(nested));
                }
            } else {
                unwrapped.push(step);
            }
        }
        *items = unwrapped;
        if items.is_empty() {
            spec.take(name);
        }
    }
}

fn says_nothing(step: &Node) -> bool {
    step.entries().iter().all(|(key, node)| match (&*key.text, &node.kind) {
        ("setup" | "steps", _) | (_, Kind::Null) => true,
        // Said explicitly, this is a decision.
        ("pure", _) => false,
        ("services", Kind::Map(map)) => map.is_empty(),
        ("use", Kind::List(items)) => items.is_empty(),
        (_, Kind::Bool(value)) => !value,
        (_, Kind::Str(text)) => text.is_empty(),
        _ => false,
    })
}
