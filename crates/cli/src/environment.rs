//! What testudo takes from its environment: the only place that asks.
//!
//! | variable | meaning |
//! |---|---|
//! | `TESTUDO_STATE` | the state folder, else `$XDG_STATE_HOME/testudo`, else `~/.local/state/testudo` |
//! | `CI` | fold groups, draw nothing live |
//! | `NO_COLOR` | no colours |

use std::{collections::BTreeMap, env, path::PathBuf};

use anyhow::Context;
use testudo_store::State;

/// Variables of the caller that commands get.
const PASSED_ON: &[&str] = &[
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TERM", "http_proxy", "https_proxy", "no_proxy",
    "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT",
];

/// The environment that commands start from.
pub(crate) fn passed_on(added: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut passed: BTreeMap<String, String> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| PASSED_ON.contains(&name.as_str()) || name.starts_with("LC_"))
        .collect();
    for one in added {
        let (name, value) = match one.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (one.as_str(), env::var(one).with_context(|| format!("--env {one}: it has no value here"))?),
        };
        passed.insert(name.to_owned(), value);
    }
    Ok(passed)
}

/// The user's state folder.
pub(crate) fn state() -> anyhow::Result<State> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set("TESTUDO_STATE")
        .or_else(|| set("XDG_STATE_HOME").map(|state| state.join("testudo")))
        .or_else(|| set("HOME").map(|home| home.join(".local/state/testudo")))
        .context("there is no home folder: say where to keep runs with TESTUDO_STATE")?;
    let root = std::path::absolute(&root).with_context(|| format!("cannot use {}", root.display()))?;
    State::open(&root).with_context(|| format!("runs cannot be kept in {}", root.display()))
}

/// Whether somebody other than a person watches.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
