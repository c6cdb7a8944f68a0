//! What is written in manifests and source files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Findings, Metadata};

/// Where our own sources are, and what below them is other people's text.
const OURS: &[&str] = &["crates", "xtask", "tests", "scripts", "examples", ".ci"];
const NOT_OURS: &[&str] = &["tests/corpus", "tests/conformance", "target", "artifacts", "node_modules"];

/// From here on a file has more than one idea, most likely.
const LONG: usize = 700;

/// Cut in two, so that this file does not find itself.
const DEBTS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

pub(super) fn check_sources(root: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let mut files = Vec::new();
    for folder in OURS.iter().map(|folder| root.join(folder)).filter(|folder| folder.is_dir()) {
        walk(root, &folder, &mut files)?;
    }
    files.sort();
    for path in files {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        // What is not text is not looked at.
        let Ok(text) = String::from_utf8(fs::read(&path).with_context(|| format!("reading {name}"))?) else { continue };
        read(&name, &text, &mut findings);
    }
    Ok(findings)
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        let is_ours = !NOT_OURS.iter().any(|other| path.starts_with(root.join(other)) || path.ends_with(other));
        let kind = path.symlink_metadata()?.file_type();
        if kind.is_dir() && is_ours {
            walk(root, &path, files)?;
        } else if kind.is_file() && is_code(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_code(path: &Path) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) => matches!(extension, "rs" | "py" | "sh" | "toml" | "yaml"),
        None => true,
    }
}

fn read(name: &str, text: &str, findings: &mut Findings) {
    let lines = text.lines().count();
    let is_rust = Path::new(name).extension().is_some_and(|extension| extension == "rs");
    if is_rust && lines > LONG {
        findings.note(format!("{name} has {lines} lines"));
    }
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        if DEBTS.iter().any(|debt| has_word(line, debt)) {
            findings.complain(format!("{place}: write what is owed and its cure as a sentence, or file an issue"));
        }
        let silences = ["#[allow(", "#![allow("].iter().any(|start| line.trim_start().starts_with(start));
        if is_rust && silences && !attribute(text, number).contains("reason") {
            findings
                .complain(format!("{place}: #[expect(…, reason = \"…\")] says why, and when it is no longer needed"));
        }
    }
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let (before, after) = (at.checked_sub(1), at + word.len());
        !is_letter(before.and_then(|before| line.as_bytes().get(before))) && !is_letter(line.as_bytes().get(after))
    })
}

/// An attribute from its line to its end.
fn attribute(text: &str, line: usize) -> String {
    let mut lines = Vec::new();
    for line in text.lines().skip(line) {
        lines.push(line);
        if line.contains(")]") {
            break;
        }
    }
    lines.join("\n")
}

pub(super) fn check_manifests(metadata: &Metadata) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    for member in metadata.members() {
        let text = fs::read_to_string(&member.manifest_path)
            .with_context(|| format!("reading {}", member.manifest_path.display()))?;
        read_manifest(&member.name, &text, &mut findings);
    }
    Ok(findings)
}

fn read_manifest(name: &str, text: &str, findings: &mut Findings) {
    let mut section = "";
    let mut keeps_lints = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if section == "lints" && line == "workspace = true" {
            keeps_lints = true;
        } else if section.ends_with("dependencies") && line.contains('=') {
            // A crate's own features, for its own tests, have no version.
            let from_workspace = line.contains("workspace = true") || line.contains("path = \".\"");
            if !from_workspace {
                findings.complain(format!("{name}: versions live once, in [workspace.dependencies]: {line}"));
            }
        }
    }
    if !keeps_lints {
        findings.complain(format!("{name}: [lints] workspace = true is missing"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        read("a.rs", text, &mut findings);
        findings.complaints
    }

    #[test]
    fn a_silence_without_a_reason_is_named() {
        assert_eq!(found("#[allow(dead_code)]\nfn f() {}").len(), 1);
        assert_eq!(
            found("    #[allow(\n    dead_code,\n    reason = \"used by the other half\"\n)]\nfn f() {}").len(),
            0
        );
    }

    #[test]
    fn a_debt_is_a_word_of_its_own() {
        assert_eq!(found(&format!("// {}: later", DEBTS[0])).len(), 1);
        assert_eq!(found(&format!("let {}S = 1;", DEBTS[0])).len(), 0);
    }

    #[test]
    fn a_version_beside_the_table_is_named() {
        let mut findings = Findings::default();
        read_manifest(
            "a",
            "[dependencies]\nserde = \"1\"\nlibc.workspace = true\n[lints]\nworkspace = true\n",
            &mut findings,
        );
        assert_eq!(findings.complaints, ["a: versions live once, in [workspace.dependencies]: serde = \"1\""]);
    }
}
