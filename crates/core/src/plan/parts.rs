//! Parts of a workflow in their typed form.

use std::collections::BTreeMap;

use super::{Artifacts, Git, container::credential};
use crate::source::Node;

/// Where the repository is when nothing says so.
pub(super) const REPOSITORY: &str = "/data/repo";

pub(super) fn git_of(git: &Node) -> Git {
    let text = |field: &str| git.get_str(field).filter(|text| !text.is_empty()).map(str::to_owned);
    let retry = git.get("retry");
    Git {
        uri: text("uri").unwrap_or_default(),
        revision: text("revision"),
        mount_path: text("mountPath").unwrap_or_else(|| REPOSITORY.to_owned()),
        paths: texts(git, "paths"),
        cone: git.get_bool("cone") == Some(true),
        username: credential(git, "username"),
        token: credential(git, "token"),
        ssh_key: credential(git, "sshKey"),
        auth_type: text("authType"),
        verbosity: text("verbosity"),
        attempts: retry.and_then(|retry| retry.get_int("count")).and_then(|n| u32::try_from(n).ok()),
        retry_delay: retry.and_then(|retry| retry.get_str("delay")).map(str::to_owned),
        replaced: false,
    }
}

pub(super) fn artifacts_of(node: &Node) -> Artifacts {
    Artifacts {
        paths: texts(node, "paths"),
        working_dir: node.get_str("workingDir").filter(|dir| !dir.is_empty()).map(str::to_owned),
        compress: node.get("compress").and_then(|compress| compress.get_str("name")).map(str::to_owned),
    }
}

/// A list of texts.
pub(super) fn texts(node: &Node, field: &str) -> Vec<String> {
    node.get_items(field).iter().filter_map(Node::scalar_text).map(|text| text.to_string()).collect()
}

/// Whether labels satisfy a label selector.
pub(super) fn selects(selector: &Node, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector
        .get_entries("matchLabels")
        .iter()
        .all(|(key, value)| value.scalar_text().is_some_and(|value| labels.get(&**key).is_some_and(|l| **l == *value)));
    let expressions = selector.get_items("matchExpressions").iter().all(|expression| {
        let key = expression.get_str("key").unwrap_or_default();
        let values = texts(expression, "values");
        let has = labels.get(key);
        match expression.get_str("operator") {
            Some("In") => has.is_some_and(|value| values.contains(value)),
            Some("NotIn") => has.is_none_or(|value| !values.contains(value)),
            Some("Exists") => has.is_some(),
            Some("DoesNotExist") => has.is_none(),
            _ => false,
        }
    });
    equal && expressions
}
