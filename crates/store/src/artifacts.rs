//! Artifacts: files out of a pack, into a folder of the user's, and nowhere else.

use std::{
    fs::{self, File},
    io,
    path::{Component, Path},
};

/// Unpacks regular files below `target`; a later one of the same name wins.
pub(crate) fn unpack(pack: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    let root = fs::canonicalize(target)?;
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 20, File::open(pack)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path()?.into_owned();
        if !name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(io::Error::other(format!("{} leaves the folder", name.display())));
        }
        let path = root.join(&name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
            // A link that somebody put there must not lead the file elsewhere.
            if !fs::canonicalize(parent)?.starts_with(&root) {
                return Err(io::Error::other(format!("{} leaves the folder", name.display())));
            }
        }
        let _ = fs::remove_file(&path);
        let mut file = File::create(&path)?;
        io::copy(&mut entry, &mut file)?;
    }
    Ok(())
}
