//! What testudo takes from its environment: the only place that asks.
//!
//! | variable | meaning |
//! |---|---|
//! | `TESTUDO_STATE` | the state folder, else `$XDG_STATE_HOME/testudo`, else `~/.local/state/testudo` |
//! | `CI` | fold groups, draw nothing live |
//! | `GITHUB_ACTIONS`, `GITLAB_CI`, `TF_BUILD` | whose markers fold them |
//! | `TERM` | `dumb`: draw nothing live |
//! | `LC_ALL`, `LC_CTYPE`, `LANG` | whether marks may be other than ASCII |
//! | `NO_COLOR` | no colours |

use std::{collections::BTreeMap, env, path::PathBuf};

use anyhow::Context;
use testudo_store::State;

use crate::reporter::{fold::Fold, style::Marks};

/// Variables of the caller that commands get.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
];

/// The environment that commands start from.
pub(crate) fn passed_on(added: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut passed: BTreeMap<String, String> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| PASSED_ON.contains(&name.as_str()) || name.starts_with("LC_"))
        .collect();
    passed.extend(self::added(added)?);
    Ok(passed)
}

/// Variables that a person names for commands: with a value, or with the one it has here.
pub(crate) fn added(added: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut passed = BTreeMap::new();
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

/// By which markers output folds.
pub(crate) fn fold() -> Fold {
    let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false");
    match is_ci() {
        true if set("GITHUB_ACTIONS") => Fold::GitHub,
        true if set("GITLAB_CI") => Fold::GitLab,
        true if set("TF_BUILD") => Fold::Azure,
        _ => Fold::None,
    }
}

/// Whether the terminal cannot move its cursor.
pub(crate) fn is_dumb() -> bool {
    env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// The characters that can be shown: the first of these that is set decides.
pub(crate) fn marks() -> Marks {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| {
        let value = env::var(name).ok()?;
        (!value.is_empty()).then_some(value)
    });
    // Where nothing is set, as in most containers, whoever shows the text reads UTF-8 all the same.
    let Some(locale) = locale.map(|locale| locale.to_ascii_lowercase()) else { return Marks::Unicode };
    if locale.contains("utf-8") || locale.contains("utf8") { Marks::Unicode } else { Marks::Ascii }
}
