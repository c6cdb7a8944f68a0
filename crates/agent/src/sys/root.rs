//! The root that a unit's commands see: the machine as it is, with `/data`, `/tmp` and `/testkube` of the unit's own.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

/// The unit's own directories, on the machine's disk.
#[derive(Debug, Clone)]
pub struct Room {
    /// An empty folder where the root is put together.
    pub root: PathBuf,
    /// What stands behind `/data`, `/tmp` and `/testkube`.
    pub shared: PathBuf,
    /// A folder to be hidden: other units and the log are nobody's business.
    pub hidden: PathBuf,
}

/// What could not be put into the root.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {source}")]
pub struct RootError {
    what: &'static str,
    path: String,
    source: io::Error,
}

/// Directories that each unit has to itself.
pub(super) const OWN: &[&str] = &["data", "tmp", "testkube"];

impl Room {
    /// Puts the root together and moves into it. Runs in the unit's own mount namespace.
    pub fn enter(&self) -> Result<(), RootError> {
        let propagation = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        at("separating mounts of", Path::new("/"), rustix::mount::mount_change("/", propagation))?;
        at(
            "mounting a root at",
            &self.root,
            rustix::mount::mount("tmpfs", &self.root, "tmpfs", MountFlags::empty(), Some(c"mode=0755")),
        )?;
        let entries = at("reading", Path::new("/"), fs::read_dir("/"))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            if OWN.iter().any(|own| name == *own) || name == "proc" {
                continue;
            }
            take_over(&entry.path(), &self.root.join(&name))?;
        }
        for own in OWN {
            let (inside, outside) = (self.root.join(own), self.shared.join(own));
            at("making", &inside, fs::create_dir(&inside))?;
            at("making", &outside, fs::create_dir_all(&outside))?;
            let mode = if *own == "tmp" { 0o1777 } else { 0o775 };
            at("making", &outside, fs::set_permissions(&outside, fs::Permissions::from_mode(mode)))?;
            at("binding", &inside, rustix::mount::mount_bind(&outside, &inside))?;
        }
        let outputs = self.root.join("testkube/outputs");
        at("making", &outputs, fs::create_dir_all(&outputs))?;
        self.mount_proc()?;
        self.hide()?;
        self.pivot()
    }

    /// The unit's own processes; where the kernel does not allow that, the machine's.
    fn mount_proc(&self) -> Result<(), RootError> {
        let inside = self.root.join("proc");
        at("making", &inside, fs::create_dir(&inside))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        if rustix::mount::mount("proc", &inside, "proc", flags, None).is_ok() {
            return Ok(());
        }
        at("binding", Path::new("/proc"), rustix::mount::mount_bind_recursive("/proc", &inside))
    }

    fn hide(&self) -> Result<(), RootError> {
        let inside = self.root.join(self.hidden.strip_prefix("/").unwrap_or(&self.hidden));
        if !inside.is_dir() {
            return Ok(());
        }
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        at("hiding", &inside, rustix::mount::mount("tmpfs", &inside, "tmpfs", flags, Some(c"mode=0700,size=4k")))
    }

    fn pivot(&self) -> Result<(), RootError> {
        at("entering", &self.root, std::env::set_current_dir(&self.root))?;
        at("turning to", &self.root, rustix::process::pivot_root(".", "."))?;
        at("leaving", Path::new("/"), rustix::mount::unmount(".", UnmountFlags::DETACH))?;
        at("entering", Path::new("/"), std::env::set_current_dir("/"))
    }
}

/// Makes a top-level entry of the machine visible at the same place.
fn take_over(from: &Path, to: &Path) -> Result<(), RootError> {
    let meta = at("looking at", from, fs::symlink_metadata(from))?;
    let kind = meta.file_type();
    if kind.is_symlink() {
        let target = at("reading", from, fs::read_link(from))?;
        return at("linking", to, symlink(target, to));
    }
    if kind.is_socket() || kind.is_fifo() {
        return Ok(());
    }
    if kind.is_dir() {
        at("making", to, fs::create_dir(to))?;
    } else {
        at("making", to, fs::File::create(to))?;
    }
    match rustix::mount::mount_bind_recursive(from, to) {
        // A folder that nobody may look into is as good as empty.
        Err(rustix::io::Errno::ACCESS) => Ok(()),
        result => at("binding", from, result),
    }
}

fn at<T, E: Into<io::Error>>(what: &'static str, path: &Path, result: Result<T, E>) -> Result<T, RootError> {
    result.map_err(|error| RootError { what, path: path.display().to_string(), source: error.into() })
}
