//! Files as a layer has them: paths from the root without a slash before them, all of them root's, none with a time.

use std::collections::{BTreeMap, btree_map::Entry::Occupied};

use anyhow::Context;
use tar::{Builder, EntryType, Header};

/// Folders that are links into `usr`, as in every current distribution.
pub(super) const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

#[derive(Default)]
pub(super) struct Tree(BTreeMap<String, Entry>);

struct Entry {
    mode: u32,
    kind: Kind,
}

enum Kind {
    Folder,
    File(Vec<u8>),
    Link(String),
}

impl Tree {
    /// A folder that is there already keeps its mode.
    pub(super) fn folder(&mut self, path: &str, mode: u32) {
        let path = self.place(path);
        self.0.entry(path).or_insert(Entry { mode, kind: Kind::Folder });
    }

    pub(super) fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        let path = self.place(path);
        self.0.insert(path, Entry { mode, kind: Kind::File(bytes) });
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        let path = if MERGED.contains(&path) { path.to_owned() } else { self.place(path) };
        self.0.insert(path, Entry { mode: 0o777, kind: Kind::Link(target.to_owned()) });
    }

    /// A second name of a file.
    pub(super) fn same(&mut self, path: &str, other: &str) -> anyhow::Result<()> {
        let other = self.place(other);
        let Some(Entry { mode, kind: Kind::File(bytes) }) = self.0.get(&other) else {
            anyhow::bail!("{path} is another name of {other}, which is no file");
        };
        let entry = Entry { mode: *mode, kind: Kind::File(bytes.clone()) };
        let path = self.place(path);
        self.0.insert(path, entry);
        Ok(())
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    pub(super) fn read(&self, path: &str) -> Option<&[u8]> {
        match &self.0.get(path)?.kind {
            Kind::File(bytes) => Some(bytes),
            Kind::Folder | Kind::Link(_) => None,
        }
    }

    /// Takes out every file below a folder, and the folder: their paths and contents, in order.
    pub(super) fn take(&mut self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let below = format!("{folder}/");
        let taken = self.0.extract_if(.., |path, _| path == folder || path.starts_with(&below));
        taken
            .filter_map(|(path, entry)| match entry.kind {
                Kind::File(bytes) => Some((path, bytes)),
                Kind::Folder | Kind::Link(_) => None,
            })
            .collect()
    }

    /// Where a path ends up, with the folders above it.
    fn place(&mut self, path: &str) -> String {
        let first = path.split('/').next().unwrap_or(path);
        let path = if MERGED.contains(&first) { format!("usr/{path}") } else { path.to_owned() };
        for (at, _) in path.match_indices('/') {
            self.0.entry(path[..at].to_owned()).or_insert(Entry { mode: 0o755, kind: Kind::Folder });
        }
        path
    }

    /// The layer, not yet compressed.
    pub(super) fn tar(&self) -> anyhow::Result<Vec<u8>> {
        let mut builder = Builder::new(Vec::new());
        // What is there twice is written once.
        let mut first: BTreeMap<(u32, &[u8]), &str> = BTreeMap::new();
        for (path, entry) in &self.0 {
            let mut header = Header::new_gnu();
            header.set_mode(entry.mode);
            header.set_size(0);
            header.set_mtime(0);
            match &entry.kind {
                Kind::Folder => {
                    header.set_entry_type(EntryType::Directory);
                    builder.append_data(&mut header, format!("{path}/"), &[][..])
                }
                Kind::File(bytes) => match first.entry((entry.mode, bytes)) {
                    Occupied(first) if !bytes.is_empty() => {
                        header.set_entry_type(EntryType::Link);
                        builder.append_link(&mut header, path, first.get())
                    }
                    first => {
                        first.or_insert(path);
                        header.set_entry_type(EntryType::Regular);
                        header.set_size(bytes.len() as u64);
                        builder.append_data(&mut header, path, &**bytes)
                    }
                },
                Kind::Link(target) => {
                    header.set_entry_type(EntryType::Symlink);
                    builder.append_link(&mut header, path, target)
                }
            }
            .with_context(|| format!("packing {path}"))?;
        }
        Ok(builder.into_inner()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tree: &Tree) -> Vec<String> {
        let bytes = tree.tar().unwrap();
        let mut archive = tar::Archive::new(&*bytes);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let target = entry.link_name().unwrap().map(|target| format!(" → {}", target.display()));
            format!("{}{}", entry.path().unwrap().display(), target.unwrap_or_default())
        });
        entries.collect()
    }

    #[test]
    fn folders_of_old_are_folders_below_usr() {
        let mut tree = Tree::default();
        tree.link("lib64", "usr/lib64");
        tree.file("lib64/ld.so", 0o755, vec![1]);
        assert_eq!(listed(&tree), ["lib64 → usr/lib64", "usr/", "usr/lib64/", "usr/lib64/ld.so"]);
    }

    #[test]
    fn what_is_there_twice_is_packed_once() {
        let mut tree = Tree::default();
        tree.file("b", 0o644, vec![1]);
        tree.same("a", "b").unwrap();
        assert_eq!(listed(&tree), ["a", "b → a"]);
    }
}
