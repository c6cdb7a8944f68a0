//! Images without a builder of images: files out of Debian packages and from this machine, as an OCI archive.
//!
//! Equal packages and equal files give equal bytes: everything is sorted, belongs to root and was made in 1970.
//! Reading order: `tree` (files, and a layer of them), `debian` (packages, and what of them is kept), `archive` (the
//! layout that registries and container runtimes read).

mod archive;
mod debian;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use testudo_core::plan::OWN_IMAGE;

use archive::{Layer, Settings};
use tree::Tree;

/// What an image is made of.
struct Recipe {
    /// All that it is to be known as, in full.
    names: Vec<String>,
    /// These and whatever they need.
    packages: Vec<String>,
    /// Where each is, and where it belongs. They are a layer of their own, over the packages'.
    files: Vec<(PathBuf, String)>,
    /// Folders that whoever runs here may write to.
    writable: Vec<String>,
    settings: Settings,
}

impl Recipe {
    /// What steps run in when nobody names an image, and what brings the agent to those in other images.
    fn own() -> anyhow::Result<Self> {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Ok(Recipe {
            names: words(&[OWN_IMAGE]),
            packages: words(&["busybox-static", "ca-certificates", "git", "openssh-client"]),
            files: vec![(crate::agent::build()?, "testudo-agent".to_owned())],
            writable: words(&[".testudo", "data", "testkube", USER_HOME]),
            settings: Settings {
                user: Some(format!("{USER}:{USER}")),
                // Also for users that nobody has heard of, who would have none.
                environment: vec![format!("PATH={PATH}"), format!("HOME=/{USER_HOME}")],
                command: words(&["/bin/sh"]),
                ..Settings::default()
            },
        })
    }

    fn foreign(name: &str) -> Self {
        let settings = Settings { environment: vec![format!("PATH={PATH}")], ..Settings::default() };
        Recipe { names: vec![name.to_owned()], packages: Vec::new(), files: Vec::new(), writable: Vec::new(), settings }
    }
}

/// The user that our image runs as.
const USER: u32 = 1001;
const USER_HOME: &str = "home/testudo";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(crate) const USAGE: &str = "cargo xtask image [--out FILE] [--name NAME… [--packages NAME,NAME…] [--file FROM=TO]…\n\
    \x20                       [--entrypoint WORD]… [--user USER]]";

/// Writes an archive and prints where it is.
pub(crate) fn main(arguments: &[&str]) -> anyhow::Result<()> {
    let mut out = None;
    let mut recipe: Option<Recipe> = None;
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = *rest.next().with_context(|| format!("{option} needs a value\n{USAGE}"))?;
        match (*option, &mut recipe) {
            ("--out", _) => out = Some(PathBuf::from(value)),
            ("--name", None) => recipe = Some(Recipe::foreign(value)),
            ("--name", Some(recipe)) => recipe.names.push(value.to_owned()),
            ("--packages", Some(recipe)) => recipe.packages.extend(value.split(',').map(str::to_owned)),
            ("--file", Some(recipe)) => {
                let (from, to) = value.split_once('=').with_context(|| format!("{value} is not FROM=TO"))?;
                recipe.files.push((from.into(), to.trim_start_matches('/').to_owned()));
            }
            ("--entrypoint", Some(recipe)) => recipe.settings.entrypoint.push(value.to_owned()),
            ("--user", Some(recipe)) => recipe.settings.user = Some(value.to_owned()),
            _ => bail!("{option} is not understood here\n{USAGE}"),
        }
    }
    let recipe = recipe.map_or_else(Recipe::own, Ok)?;
    let out = out.unwrap_or_else(|| default_place(&recipe.names[0]));
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut trees = vec![base(&recipe)?];
    if !recipe.files.is_empty() {
        trees.push(files(&recipe)?);
    }
    let layers = trees.iter().map(Layer::new).collect::<anyhow::Result<Vec<_>>>()?;
    for layer in &layers {
        eprintln!("layer {}: {} KiB, {} KiB compressed", layer.digest(), layer.size() / 1024, layer.packed() / 1024);
    }
    archive::write(&out, &recipe.names, &recipe.settings, &layers)?;
    println!("{}", out.display());
    Ok(())
}

fn default_place(name: &str) -> PathBuf {
    let file: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect();
    crate::target().join("image").join(format!("{file}.tar"))
}

/// What every image has, and its packages.
fn base(recipe: &Recipe) -> anyhow::Result<Tree> {
    let mut tree = Tree::default();
    for folder in tree::MERGED {
        tree.folder(&format!("usr/{folder}"), 0o755);
        tree.link(folder, &format!("usr/{folder}"));
    }
    for folder in ["dev", "proc", "sys", "run", "etc", "usr/local/bin"] {
        tree.folder(folder, 0o755);
    }
    tree.folder("root", 0o700);
    tree.folder("tmp", 0o1777);
    tree.folder("var/tmp", 0o1777);
    for folder in &recipe.writable {
        tree.folder(folder, 0o777);
    }
    let passwd =
        format!("root:x:0:0:root:/root:/bin/sh\ntestudo:x:{USER}:{USER}:testudo:/{USER_HOME}:/bin/sh\n{NOBODY}");
    tree.file("etc/passwd", 0o644, passwd.into_bytes());
    tree.file("etc/group", 0o644, format!("root:x:0:\ntestudo:x:{USER}:\nnogroup:x:65534:\n").into_bytes());
    tree.file("etc/nsswitch.conf", 0o644, b"passwd: files\ngroup: files\nhosts: files dns\n".to_vec());
    if !recipe.packages.is_empty() {
        for package in debian::closure(&recipe.packages)? {
            debian::pour(&package, &mut tree)?;
        }
        debian::bundle_certificates(&mut tree)?;
        link_applets(&mut tree)?;
    }
    Ok(tree)
}

const NOBODY: &str = "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n";

fn files(recipe: &Recipe) -> anyhow::Result<Tree> {
    let mut tree = Tree::default();
    for (from, to) in &recipe.files {
        let bytes = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        tree.file(to, 0o755, bytes);
    }
    Ok(tree)
}

/// A link for each tool that busybox is and no package brings.
fn link_applets(tree: &mut Tree) -> anyhow::Result<()> {
    let Some(busybox) = tree.read("usr/bin/busybox") else { return Ok(()) };
    let place = tempfile::tempdir()?;
    let program = place.path().join("busybox");
    fs::write(&program, busybox)?;
    executable(&program)?;
    let list = debian::output(std::process::Command::new(&program).arg("--list"))?;
    for applet in String::from_utf8_lossy(&list).lines().filter(|applet| *applet != "busybox") {
        let path = format!("usr/bin/{applet}");
        if !tree.has(&path) && !tree.has(&format!("usr/sbin/{applet}")) {
            tree.link(&path, "busybox");
        }
    }
    Ok(())
}

fn executable(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}
