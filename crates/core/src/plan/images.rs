//! Our own image's name, and what well-known images run when nobody says a command: a table, for places that have no
//! images.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// testudo's own image: a step's image where nobody names one, and where pods get the agent from. One binary and one
/// image are of one version.
pub const OWN_IMAGE: &str = concat!("docker.io/testudo/testudo:", env!("CARGO_PKG_VERSION"));

/// Commands by image, where the place does not know images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageTable {
    /// Whether images mean nothing here and a command has to come from a table.
    pub needed: bool,
    /// Given by a person; looked at before the well-known ones.
    pub given: BTreeMap<String, Vec<String>>,
}

impl ImageTable {
    /// The command that stands in for an image's entrypoint.
    pub fn command(&self, image: &str) -> Option<Vec<String>> {
        let given = [image, repository(image)].into_iter().find_map(|name| self.given.get(name));
        given
            .cloned()
            .or_else(|| well_known(image).map(|command| command.iter().map(|&word| word.to_owned()).collect()))
    }
}

/// The command that a well-known image runs. Tags, digests and registries do not matter.
pub fn well_known(image: &str) -> Option<&'static [&'static str]> {
    let repository = repository(image);
    let short = repository.strip_prefix("docker.io/").unwrap_or(repository);
    let short = short.strip_prefix("library/").unwrap_or(short);
    WELL_KNOWN.iter().find(|(name, _)| *name == short).map(|(_, command)| *command)
}

/// An image without its tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rfind(':') {
        Some(colon) if !image[colon..].contains('/') => &image[..colon],
        _ => image,
    }
}

const WELL_KNOWN: &[(&str, &[&str])] = &[
    ("alpine/curl", &["curl"]),
    ("alpine/git", &["git"]),
    ("alpine/k8s", &["sh"]),
    ("artilleryio/artillery", &["artillery"]),
    ("bitnami/kubectl", &["kubectl"]),
    ("curlimages/curl", &["curl"]),
    ("cypress/included", &["cypress", "run"]),
    ("ghcr.io/kyverno/chainsaw", &["chainsaw"]),
    ("grafana/k6", &["k6"]),
    ("justb4/jmeter", &["jmeter"]),
    ("alpine/jmeter", &["jmeter"]),
    ("kubeshop/jmeter", &["jmeter"]),
    ("loadimpact/k6", &["k6"]),
    ("locustio/locust", &["locust"]),
    ("marketsquare/robotframework-browser", &["robot"]),
    ("mendhak/http-https-echo", &["node", "./index.js"]),
    ("mongo", &["mongod"]),
    ("nginx", &["nginx", "-g", "daemon off;"]),
    ("ppodgorsek/robot-framework", &["robot"]),
    ("postman/newman", &["newman"]),
    ("redis", &["redis-server"]),
    ("robotframework/rfdocker", &["robot"]),
    ("zaproxy/zap-stable", &["zap.sh"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_digests_and_registry_ports_do_not_matter() {
        assert_eq!(well_known("grafana/k6:0.49.0"), Some(&["k6"][..]));
        assert_eq!(well_known("docker.io/grafana/k6@sha256:abc"), Some(&["k6"][..]));
        assert_eq!(repository("localhost:5000/own/tool"), "localhost:5000/own/tool");
        assert_eq!(well_known("own/tool"), None);
    }

    #[test]
    fn what_a_person_gives_comes_first() {
        let given = BTreeMap::from([("grafana/k6".to_owned(), vec!["/opt/k6".to_owned()])]);
        let table = ImageTable { needed: true, given };
        assert_eq!(table.command("grafana/k6:latest"), Some(vec!["/opt/k6".to_owned()]));
    }
}
