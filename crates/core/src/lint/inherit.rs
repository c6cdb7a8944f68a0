//! A command belongs to its image: where an inner level brings another image, the outer command stops.

use super::{Look, key_of};
use crate::source::{Node, Path};

#[derive(Clone, Default)]
struct Outer {
    image: Option<String>,
    command: bool,
}

pub(super) fn check(look: &mut Look) {
    let mut said = Vec::new();
    level(look.spec(), &Outer::default(), &mut Path::new("spec"), &mut said);
    for (path, at) in said {
        let message = "the command further out is not inherited: the image differs";
        look.warn("command-not-inherited", message, at, &path).help =
            Some("write `command` and `args` here as well, if they are meant".to_owned());
    }
}

type Said = Vec<(String, crate::source::Span)>;

/// A spec, a step or a block: what it sets, for what is in it.
fn level(node: &Node, outer: &Outer, path: &mut Path, said: &mut Said) {
    let mut here = outer.clone();
    if let Some(container) = node.get("container") {
        let mark = path.key("container");
        here = enter(container, outer, path, said);
        path.leave(mark);
    }
    if let Some(run) = node.get("run") {
        let mark = path.key("run");
        if run.get("shell").is_none() {
            enter(run, &here, path, said);
        }
        path.leave(mark);
    }
    if let Some(block) = node.get("parallel") {
        let mark = path.key("parallel");
        level(block, &here, path, said);
        path.leave(mark);
    }
    for name in ["setup", "steps", "after"] {
        let mark = path.key(name);
        for (index, step) in node.get_items(name).iter().enumerate() {
            let inner = path.index(index);
            level(step, &here, path, said);
            path.leave(inner);
        }
        path.leave(mark);
    }
}

fn enter(container: &Node, outer: &Outer, path: &Path, said: &mut Said) -> Outer {
    let command = container.get("command").is_some() || !container.get_items("args").is_empty();
    let image = container.get_str("image").filter(|image| !image.is_empty());
    match image {
        Some(image) if outer.image.as_deref() != Some(image) => {
            let unclear = image.contains("{{") || outer.image.as_deref().is_some_and(|image| image.contains("{{"));
            if outer.command && !command && !unclear {
                said.push((format!("{path}.image"), key_of(container, "image")));
            }
            Outer { image: Some(image.to_owned()), command }
        }
        _ => Outer { image: outer.image.clone(), command: outer.command || command },
    }
}
