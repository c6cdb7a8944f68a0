//! The agent in a container of a pod: no namespaces of its own to make, a port instead of a socket.
//!
//! It needs nothing of the image that it runs in. What it is told beforehand stands in its environment; the key stands
//! in a file; the slice of the plan comes with `begin`.

use std::{
    collections::BTreeMap,
    env, fs, io,
    net::{Ipv4Addr, SocketAddrV4},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use testudo_core::plan::Layout;

use crate::{Settings, door::Door, habitat::Habitat, jq, lend, sealed::Key, sys, unit};

pub use crate::habitat::{reference, references};

/// The port that a unit is spoken to at.
pub const PORT: u16 = 7357;
/// The folder that all containers of a unit share.
pub const FOLDER: &str = "/.testudo";
/// Where the agent is put for containers whose image has none.
pub const PROGRAM: &str = "/.testudo/agent";
/// Where the agent is in our own image.
pub const OWN_PROGRAM: &str = "/testudo-agent";
/// The file with the unit's [`credentials`], or the folder where the only ones of its Job are called `0`.
pub const KEY: &str = "/.testudo-key";
/// Directories that the containers of a unit share, beside [`FOLDER`].
pub const SHARED: &[&str] = &["data", "tmp", "testkube"];
/// Seconds without a word from anybody after which the unit is stopped.
pub const ORPHAN_LIMIT: &str = "TESTUDO_ORPHAN_LIMIT";
/// Where the kubelet looks for the last message of a container.
const EPITAPH: &str = "/dev/termination-log";

/// Copies the agent to where containers without one find it.
pub const INSTALL: &str = "install";
/// Copies folders of the image to where they can be written to: the n-th argument to the n-th folder below [`SEEDS`].
pub const SEED: &str = "seed";
/// Where copies of folders go.
pub const SEEDS: &str = "/.testudo-seeds";
/// Lends its container, the argument's, to the one that leads.
pub const LEND: &str = "lend";
/// Carries out the unit.
pub const LEAD: &str = "lead";
/// Behind either of them, where the containers of the unit follow one another.
pub const IN_TURN: &str = "in-turn";

/// The small binary's main; the exit code of the process.
pub fn main() -> i32 {
    let mut args = env::args().skip(1);
    let done = match args.next().as_deref() {
        Some(INSTALL) => install(),
        Some(SEED) => args.enumerate().try_for_each(|(number, folder)| seed(number, Path::new(&folder))),
        Some(LEND) => lend(args.next().as_deref(), layout(args.next().as_deref())),
        Some(LEAD) => lead(layout(args.next().as_deref())),
        Some(jq::HELPER_ARGUMENT) => jq::helper_main(),
        _ => Err(io::Error::other("this is the agent of testudo: it is started in pods, not by hand")),
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("testudo agent: {error}");
            // The pod's end is often all that can be seen of it.
            let _ = fs::write(EPITAPH, format!("error: {error}"));
            1
        }
    }
}

/// What a unit in a pod is given to show who it is: its key in hexadecimal digits, then its name.
pub fn credentials(key: &Key, unit: &str) -> String {
    let mut text: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push(' ');
    text.push_str(unit);
    text
}

fn parse(credentials: &str) -> Option<(Key, String)> {
    let (digits, unit) = credentials.split_once(' ')?;
    let mut key = Key([0; _]);
    if digits.len() != 2 * key.0.len() {
        return None;
    }
    for (at, byte) in key.0.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some((key, unit.to_owned()))
}

/// The unit's key and name.
fn identity() -> io::Result<(Key, String)> {
    let path = Path::new(KEY);
    let credentials = fs::read_to_string(if path.is_dir() { path.join("0") } else { path.to_owned() })?;
    parse(&credentials).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn install() -> io::Result<()> {
    let aside = format!("{PROGRAM}.new");
    fs::copy("/proc/self/exe", &aside)?;
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o755))?;
    fs::rename(aside, PROGRAM)
}

/// Copies what can be read of a folder, which need not be there.
fn seed(number: usize, folder: &Path) -> io::Result<()> {
    let target = Path::new(SEEDS).join(number.to_string());
    for entry in walkdir::WalkDir::new(folder).min_depth(1).into_iter().flatten() {
        let Ok(below) = entry.path().strip_prefix(folder) else { continue };
        let to = target.join(below);
        let kind = entry.file_type();
        let copied = if kind.is_dir() {
            fs::create_dir_all(&to)
        } else if kind.is_symlink() {
            fs::read_link(entry.path()).and_then(|link| std::os::unix::fs::symlink(link, &to))
        } else if kind.is_file() {
            fs::copy(entry.path(), &to).map(drop)
        } else {
            continue;
        };
        match copied {
            // What this user may not read, the commands may not read either.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            other => other.map_err(|error| io::Error::other(format!("{}: {error}", entry.path().display())))?,
        }
    }
    Ok(())
}

fn layout(word: Option<&str>) -> Layout {
    if word == Some(IN_TURN) { Layout::Sequential } else { Layout::Together }
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}

/// What this container's image offers to commands.
fn place() -> (BTreeMap<String, String>, PathBuf) {
    let vars = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    (vars.collect(), env::current_dir().unwrap_or_else(|_| "/".into()))
}

fn lend(container: Option<&str>, layout: Layout) -> io::Result<()> {
    sys::hide_from_others()?;
    let container = container.and_then(|text| text.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let patience = Duration::from_secs(variable(ORPHAN_LIMIT)?.parse().map_err(io::Error::other)?);
    let (vars, dir) = place();
    let habitat = Habitat::container(vars.into_iter(), dir, Path::new(EPITAPH), layout);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let place = (*habitat.place).clone();
    tokio::task::LocalSet::new().block_on(&runtime, lend::lend(container, place, patience, layout))
}

fn lead(layout: Layout) -> io::Result<()> {
    let said = |what: &'static str| move |error: io::Error| io::Error::other(format!("{what}: {error}"));
    // Commands may run under the same uid: they are not to read what stands in here.
    sys::hide_from_others().map_err(said("hiding its memory"))?;
    let (key, unit) = identity().map_err(said("the unit's key"))?;
    let folder = Path::new(FOLDER).join("unit");
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder.join("packs")).map_err(said("the unit's folder"))?;
    let outputs = Path::new("/testkube/outputs");
    fs::create_dir_all(outputs).map_err(said("/testkube/outputs"))?;
    // Steps in other containers may be other users.
    fs::set_permissions(outputs, fs::Permissions::from_mode(0o777)).map_err(said("/testkube/outputs"))?;
    // What the agent makes is for all containers of the unit; they are of one group.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o002));
    let settings = Settings {
        unit,
        folder: folder.clone(),
        hidden: folder.clone(),
        orphan_limit: variable(ORPHAN_LIMIT)?.parse().map_err(io::Error::other)?,
    };
    let (vars, dir) = place();
    let habitat = Habitat::container(vars.into_iter(), dir, Path::new(EPITAPH), layout);
    let folder = fs::File::open(&folder)?.into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT);
        let listener = tokio::net::TcpListener::bind(address).await.map_err(said("its port"))?;
        unit::Agent::new(settings, habitat, folder)?.run(Door::Port(listener, key)).await
    })
}
