//! `--content DIR`: a working tree as it is, packed once; what git ignores stays out.

use std::{fs::File, io, path::Path};

use ignore::WalkBuilder;

/// Packs a working tree, uncommitted changes included.
pub(crate) fn pack(tree: &Path, target: &Path) -> io::Result<()> {
    let mut archive = tar::Builder::new(io::BufWriter::with_capacity(1 << 20, File::create(target)?));
    archive.follow_symlinks(false);
    let walk = WalkBuilder::new(tree).hidden(false).require_git(false).sort_by_file_name(Ord::cmp).build();
    for entry in walk {
        let entry = entry.map_err(io::Error::other)?;
        let Ok(name) = entry.path().strip_prefix(tree) else { continue };
        let kind = entry.file_type();
        if name.as_os_str().is_empty() || !kind.is_some_and(|kind| kind.is_file() || kind.is_symlink()) {
            continue;
        }
        if name.components().next().is_some_and(|first| first.as_os_str() == ".git") {
            continue;
        }
        archive.append_path_with_name(entry.path(), name)?;
    }
    archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()
}
