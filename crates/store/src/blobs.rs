//! Bytes of an execution that are kept: outputs as they came, packs, and the artifacts in them.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use testudo_core::{
    frame::{PackId, hex},
    run::UnitKey,
};
use testudo_engine::{BlobError, Blobs};

use crate::{Folder, artifacts, records};

fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> BlobError {
    let what = format!("{what} {}", path.display());
    move |source| BlobError { what, source: Some(source) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Folder {
    /// Where a unit's output is kept.
    pub fn output_path(&self, unit: &UnitKey) -> PathBuf {
        self.path.join("outputs").join(unit.folder())
    }

    pub(crate) fn pack_path(&self, pack: &PackId) -> Result<PathBuf, BlobError> {
        if pack.0.contains('/') || pack.0.starts_with('.') {
            return Err(BlobError { what: format!("{} is no name of a pack", pack.0), source: None });
        }
        Ok(self.path.join("packs").join(&pack.0))
    }

    /// Keeps a pack that is whole already.
    pub fn adopt_pack(&self, pack: &PackId, from: &Path) -> Result<(), BlobError> {
        let path = self.pack_path(pack)?;
        fs::rename(from, &path).or_else(|_| fs::copy(from, &path).map(drop)).map_err(failed("keeping", &path))
    }
}

/// A file that is added to, and how long it is.
#[derive(Debug)]
pub(crate) struct Growing {
    file: File,
    length: u64,
}

fn opened<'a>(files: &'a mut HashMap<String, Growing>, name: &str, path: &Path) -> Result<&'a mut Growing, BlobError> {
    if !files.contains_key(name) {
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
        let file = open.map_err(failed("opening", path))?;
        let length = file.metadata().map_err(failed("looking at", path))?.len();
        files.insert(name.to_owned(), Growing { file, length });
    }
    Ok(files.get_mut(name).expect("it was just put there"))
}

impl Growing {
    fn append(&mut self, offset: u64, bytes: &[u8], path: &Path) -> Result<(), BlobError> {
        if self.length != offset {
            let what = format!("{} ends at {}, not at {offset}", path.display(), self.length);
            return Err(BlobError { what, source: None });
        }
        self.file.write_all_at(bytes, offset).map_err(failed("writing", path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

#[async_trait]
impl Blobs for Folder {
    async fn output_length(&self, unit: &UnitKey) -> Result<u64, BlobError> {
        let path = self.output_path(unit);
        let mut files = lock(&self.outputs);
        Ok(opened(&mut files, &unit.to_string(), &path)?.length)
    }

    async fn append_output(&self, unit: &UnitKey, offset: u64, bytes: &[u8]) -> Result<(), BlobError> {
        let path = self.output_path(unit);
        let mut files = lock(&self.outputs);
        opened(&mut files, &unit.to_string(), &path)?.append(offset, bytes, &path)
    }

    async fn publish_output(&self, unit: &UnitKey, name: &str) -> Result<(), BlobError> {
        let (from, to) = (self.output_path(unit), self.meta.artifacts.join(name));
        let copied = tokio::task::spawn_blocking(move || {
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent).map_err(failed("making", parent))?;
            }
            records::write_text(&from, &to).map_err(failed("writing", &to))
        });
        copied.await.map_err(|error| BlobError { what: error.to_string(), source: None })?
    }

    async fn pack_length(&self, pack: &PackId) -> Result<u64, BlobError> {
        let path = self.pack_path(pack)?;
        let mut files = lock(&self.packs);
        Ok(opened(&mut files, &pack.0, &path)?.length)
    }

    async fn append_pack(&self, pack: &PackId, offset: u64, bytes: &[u8]) -> Result<(), BlobError> {
        let path = self.pack_path(pack)?;
        let mut files = lock(&self.packs);
        opened(&mut files, &pack.0, &path)?.append(offset, bytes, &path)
    }

    async fn finish_pack(&self, pack: &PackId, digest: &str, prefix: Option<&str>) -> Result<(), BlobError> {
        let path = self.pack_path(pack)?;
        lock(&self.packs).remove(&pack.0);
        let (digest, target) = (digest.to_owned(), prefix.map(|prefix| self.meta.artifacts.join(prefix)));
        let finished = tokio::task::spawn_blocking(move || {
            let found = digest_of(&path).map_err(failed("reading", &path))?;
            if found != digest {
                return Err(BlobError { what: format!("{} is not what was packed", path.display()), source: None });
            }
            if let Some(target) = target {
                artifacts::unpack(&path, &target).map_err(failed("keeping artifacts in", &target))?;
                // The artifacts are what is kept; the bundle that they came in is not.
                fs::write(&path, b"").map_err(failed("emptying", &path))?;
            }
            Ok(())
        });
        finished.await.map_err(|error| BlobError { what: error.to_string(), source: None })?
    }

    async fn read_pack(&self, pack: &PackId, from: u64, length: usize) -> Result<Vec<u8>, BlobError> {
        let path = self.pack_path(pack)?;
        let read = tokio::task::spawn_blocking(move || {
            let mut file = File::open(&path).map_err(failed("opening", &path))?;
            file.seek(SeekFrom::Start(from)).map_err(failed("reading", &path))?;
            let mut bytes = Vec::with_capacity(length);
            file.take(length as u64).read_to_end(&mut bytes).map_err(failed("reading", &path))?;
            Ok(bytes)
        });
        read.await.map_err(|error| BlobError { what: error.to_string(), source: None })?
    }
}

fn digest_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => digest.update(&buffer[..length]),
        }
    }
    Ok(hex(&digest.finalize()))
}
