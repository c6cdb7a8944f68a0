//! Debian packages as a source of files. Nothing is installed and no script of a package runs: apt says what a package
//! needs, and the files are read out of the archives.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::tree::Tree;

/// Said to be there already, and so left out with all that only they need: they install, document and configure, which
/// an image does not.
const ASSUMED: &[&str] = &[
    "adduser",
    "debconf",
    "debianutils",
    "dpkg",
    "liberror-perl",
    "libsasl2-modules-db",
    "openssl",
    "passwd",
    "perl",
    "perl-base",
    "sensible-utils",
    "tar",
];

/// What is not taken out of a package: paths, and what is below them.
const LEFT_OUT: &[&str] = &[
    "etc/bash_completion.d",
    "usr/lib/x86_64-linux-gnu/audit",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/doc-base",
    "usr/share/gitweb",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/perl5",
    // Copied into every clone, and never run.
    "usr/share/git-core/templates/hooks",
    // Servers, and ways to send that nobody has used for years; each has most of git in it.
    "usr/bin/git-shell",
    "usr/bin/scalar",
    "usr/lib/git-core/git-daemon",
    "usr/lib/git-core/git-http-backend",
    "usr/lib/git-core/git-http-fetch",
    "usr/lib/git-core/git-http-push",
    "usr/lib/git-core/git-imap-send",
    "usr/lib/git-core/git-shell",
    "usr/lib/git-core/scalar",
    // Needs to belong to root and to run as root.
    "usr/lib/openssh/ssh-keysign",
];

/// Of documents, the licences: who passes on a package passes them on too.
fn is_kept(path: &str) -> bool {
    if let Some(document) = path.strip_prefix("usr/share/doc/") {
        return document.ends_with("/copyright");
    }
    path != "usr/share/doc"
        && !LEFT_OUT
            .iter()
            .any(|out| path.strip_prefix(out).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Archives of these packages and of all that they need, where there was no package before; fetched unless an earlier
/// call has.
pub(super) fn closure(packages: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let place = tempfile::tempdir()?;
    let status = place.path().join("status");
    let assumed = ASSUMED.iter().map(|name| {
        format!(
            "Package: {name}\nStatus: install ok installed\nVersion: 9999\nArchitecture: amd64\n\
             Multi-Arch: allowed\nMaintainer: nobody\nDescription: assumed\n\n"
        )
    });
    fs::write(&status, assumed.collect::<String>())?;
    let store = store()?;
    let apt = |archives: &Path| {
        let mut apt = Command::new("apt-get");
        apt.args(["install", "--yes", "-qq", "--no-install-recommends"]).args(packages);
        let options = [
            format!("Dir::State::status={}", status.display()),
            format!("Dir::Cache::archives={}", archives.display()),
            // Ours alone, so neither shared nor root's; and nothing else of apt's is written to.
            "Debug::NoLocking=1".to_owned(),
            "APT::Sandbox::User=".to_owned(),
            "Dir::Cache::pkgcache=".to_owned(),
            "Dir::Cache::srcpkgcache=".to_owned(),
        ];
        for option in &options {
            apt.args(["-o", option]);
        }
        apt
    };
    // What is fetched already is not listed, so it is asked as if nothing were.
    let listing = output(apt(place.path()).arg("--print-uris"))
        .context("apt finds no such packages; is there a list of them (apt-get update)?")?;
    let files: Vec<PathBuf> = String::from_utf8_lossy(&listing)
        .lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| Some(store.join(line.split(' ').nth(1)?)))
        .collect();
    if !files.iter().all(|file| file.is_file()) {
        output(apt(&store).arg("--download-only")).context("packages could not be fetched")?;
    }
    let absent = files.iter().find(|file| !file.is_file());
    ensure!(!files.is_empty() && absent.is_none(), "apt has not fetched {packages:?}: {absent:?} is missing");
    Ok(files)
}

/// Outside the tree, so that a clean checkout is quick the second time.
fn store() -> anyhow::Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    let store = cache.join("testudo/packages");
    // apt wants to find this one.
    fs::create_dir_all(store.join("partial")).with_context(|| format!("making {}", store.display()))?;
    Ok(store)
}

/// Takes the files of a package into a tree, and its description to where scanners of images look for it.
pub(super) fn pour(package: &Path, tree: &mut Tree) -> anyhow::Result<()> {
    let bytes = output(Command::new("dpkg-deb").arg("--fsys-tarfile").arg(package))?;
    let mut archive = tar::Archive::new(&*bytes);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = plain(&entry.path()?)?;
        if path.is_empty() || !is_kept(&path) {
            continue;
        }
        let mode = entry.header().mode()?;
        let target = entry.link_name()?.map(|target| target.to_string_lossy().into_owned()).unwrap_or_default();
        match entry.header().entry_type() {
            tar::EntryType::Directory => tree.folder(&path, mode & 0o1777),
            tar::EntryType::Symlink => tree.link(&path, &target),
            tar::EntryType::Link => tree.same(&path, &plain(Path::new(&target))?)?,
            tar::EntryType::Regular => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                if !bytes.starts_with(b"#!/usr/bin/perl") {
                    tree.file(&path, mode & 0o777, bytes);
                }
            }
            kind => bail!("{path} in {} is a {kind:?}", package.display()),
        }
    }
    let control = output(Command::new("dpkg-deb").arg("--field").arg(package))?;
    let name = String::from_utf8_lossy(&control)
        .lines()
        .find_map(|line| line.strip_prefix("Package: ").map(str::to_owned))
        .with_context(|| format!("{} has no name", package.display()))?;
    tree.file(&format!("var/lib/dpkg/status.d/{name}"), 0o644, control);
    Ok(())
}

fn plain(path: &Path) -> anyhow::Result<String> {
    let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(path.trim_start_matches("./").trim_end_matches('/').to_owned())
}

/// The one file that programs look for, of the many that the package brings.
pub(super) fn bundle_certificates(tree: &mut Tree) -> anyhow::Result<()> {
    let mut bundle = Vec::new();
    for (path, certificate) in tree.take("usr/share/ca-certificates") {
        ensure!(certificate.starts_with(b"-----BEGIN"), "{path} is not a certificate");
        bundle.extend_from_slice(&certificate);
    }
    if !bundle.is_empty() {
        tree.file("etc/ssl/certs/ca-certificates.crt", 0o644, bundle);
    }
    Ok(())
}

/// What a program prints, if it succeeds.
pub(super) fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.env("LC_ALL", "C").output().with_context(|| format!("{name} could not be started"))?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_stay_and_other_documents_do_not() {
        assert!(is_kept("usr/share/doc/git/copyright"));
        assert!(!is_kept("usr/share/doc/git/README.md"));
        assert!(!is_kept("usr/share/man/man1/git.1.gz"));
        assert!(is_kept("usr/share/mandatory"));
    }
}
