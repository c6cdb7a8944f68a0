//! One version of each crate, save where somebody else has not moved yet.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Metadata};

/// Crates that are there more than once, and why that is borne.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("base64", "jaq-std 3.0 is a version behind kube-client 5.0"),
    ("block-buffer", "snow 0.10 is on the crypto traits before sha2 0.11's"),
    ("digest", "as block-buffer"),
    ("hashbrown", "kube-runtime 5.0 is a version behind indexmap"),
    (
        "chacha20",
        "chacha20poly1305 0.10 (sealed values) is on the crypto traits before sha2 0.11's; tests' rand is ahead",
    ),
    ("cpufeatures", "as chacha20"),
    ("crypto-common", "as chacha20"),
    ("getrandom", "as chacha20"),
    ("rand_core", "as chacha20"),
    ("syn", "derive macros are moving from 2 to 3, each at its own pace; only builds feel it"),
];

pub(super) fn check(metadata: &Metadata) -> Findings {
    let mut findings = Findings::default();
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in &metadata.packages {
        versions.entry(&package.name).or_default().insert(line(&package.version));
    }
    let twice: BTreeMap<&str, BTreeSet<String>> = versions.into_iter().filter(|(_, lines)| lines.len() > 1).collect();
    for (name, lines) in &twice {
        let lines = lines.iter().map(String::as_str).collect::<Vec<_>>().join(" and ");
        match EXCEPTIONS.iter().find(|(known, _)| known == name) {
            Some((_, why)) => findings.note(format!("{name} {lines}: {why}")),
            None => {
                findings.complain(format!("{name} is there as {lines}: agree on one, or give a reason in versions.rs"));
            }
        }
    }
    for (name, _) in EXCEPTIONS.iter().filter(|(name, _)| !twice.contains_key(name)) {
        findings.complain(format!("{name} is there once: its exception in versions.rs may go"));
    }
    findings
}

/// The part of a version in which a change breaks.
fn line(version: &str) -> String {
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some("0"), Some(minor)) => format!("0.{minor}"),
        (Some(major), _) => major.to_owned(),
        (None, _) => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_one_each_minor_breaks() {
        assert_eq!((line("0.9.1"), line("2.0.119")), ("0.9".to_owned(), "2".to_owned()));
    }
}
