//! Values that must not stand in plan or log: encrypted with the execution's own key, which goes with the execution.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::Aead};

use crate::StoreError;

/// A key for one execution.
pub(crate) fn make_key(path: &Path) -> Result<(), StoreError> {
    let mut key = [0u8; 32];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut key))
        .map_err(StoreError::at("reading", Path::new("/dev/urandom")))?;
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(&key))
        .map_err(StoreError::at("writing", path))
}

/// The key of an execution.
pub(crate) fn key(folder: &Path) -> Result<[u8; 32], StoreError> {
    let path = folder.join("key");
    let key = fs::read(&path).map_err(StoreError::at("reading", &path))?;
    key.try_into().map_err(|_| StoreError::Unreadable { path: path.display().to_string(), why: "not a key".to_owned() })
}

fn cipher(folder: &Path) -> Result<ChaCha20Poly1305, StoreError> {
    Ok(ChaCha20Poly1305::new(&key(folder)?.into()))
}

/// Seals values; once for each execution, so that a fixed nonce serves.
pub(crate) fn write(folder: &Path, values: &[u8]) -> Result<(), StoreError> {
    let path = folder.join("sealed");
    let sealed = cipher(folder)?
        .encrypt(&[0; 12].into(), values)
        .map_err(|_| StoreError::at("sealing", &path)(io::Error::other("the values are too long")))?;
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(&sealed))
        .map_err(StoreError::at("writing", &path))
}

/// What was sealed, if anything was.
pub(crate) fn read(folder: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let path = folder.join("sealed");
    let sealed = match fs::read(&path) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::at("reading", &path)(error)),
    };
    let values = cipher(folder)?.decrypt(&[0; 12].into(), sealed.as_slice());
    values.map(Some).map_err(|_| StoreError::Unreadable {
        path: path.display().to_string(),
        why: "sealed with another key".to_owned(),
    })
}
