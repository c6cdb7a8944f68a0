//! Licences that testudo can be given away with.

use super::{Findings, Metadata};

const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that say nothing cargo understands, and what their files say.
const TOLD_ELSEWHERE: &[(&str, &str)] = &[];

pub(super) fn check(metadata: &Metadata) -> Findings {
    let mut findings = Findings::default();
    for package in &metadata.packages {
        let told = TOLD_ELSEWHERE.iter().find(|(name, _)| *name == package.name).map(|(_, terms)| *terms);
        match told.or(package.license.as_deref()) {
            None => findings.complain(format!("{} {} states no licence", package.name, package.version)),
            Some(terms) if !is_allowed(terms) => {
                findings.complain(format!("{} {} is licensed {terms}", package.name, package.version));
            }
            Some(_) => {}
        }
    }
    findings
}

/// Whether the terms leave a way that is on the list. An exception (`WITH`) only adds permissions.
fn is_allowed(terms: &str) -> bool {
    let spaced = terms.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest) && rest.is_empty()
}

fn either(rest: &mut &[&str]) -> bool {
    let mut allowed = both(rest);
    while next_is(rest, "OR") {
        allowed |= both(rest);
    }
    allowed
}

fn both(rest: &mut &[&str]) -> bool {
    let mut allowed = one(rest);
    while next_is(rest, "AND") {
        allowed &= one(rest);
    }
    allowed
}

fn one(rest: &mut &[&str]) -> bool {
    if next_is(rest, "(") {
        let allowed = either(rest);
        return next_is(rest, ")") && allowed;
    }
    let Some((name, after)) = rest.split_first() else { return false };
    *rest = after;
    if next_is(rest, "WITH") {
        *rest = rest.get(1..).unwrap_or_default();
    }
    ALLOWED.contains(name)
}

fn next_is(rest: &mut &[&str], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_that_is_allowed_is_enough() {
        assert!(is_allowed("MIT"));
        assert!(is_allowed("GPL-3.0-only OR MIT"));
        assert!(is_allowed("MIT/Apache-2.0"));
        assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT"));
    }

    #[test]
    fn all_that_binds_must_be_allowed() {
        assert!(!is_allowed("GPL-3.0-only"));
        assert!(!is_allowed("MIT AND GPL-3.0-only"));
        assert!(!is_allowed("(MIT OR ISC) AND (AGPL-3.0-only)"));
        assert!(!is_allowed(""));
    }
}
