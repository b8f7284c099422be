//! Durable writes and hashing.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::BundleError;

/// Writes a new file and waits until it is on disk.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    let write = || -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(BundleError::io("write", path))
}

/// Replaces a file's content: readers see the old or the new content, whatever happens.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    let folder = path.parent().expect("a file of the store lies in the store's folder");
    let fresh = tempfile::NamedTempFile::new_in(folder)
        .map_err(BundleError::io("create a temporary file in", folder))?;
    write_durably(fresh.path(), bytes)?;
    fresh.persist(path).map_err(|error| BundleError::Io {
        action: "replace",
        path: path.to_owned(),
        source: error.error,
    })?;
    sync_folder(folder)
}

/// Makes renames inside a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), BundleError> {
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(BundleError::io("sync folder", folder))
}

/// The sha256 in lower-case hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The sha256 of a file, read in pieces.
pub(crate) fn digest_file(path: &Path) -> Result<String, BundleError> {
    let hash = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut piece = vec![0; 256 * 1024];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hex::encode(hasher.finalize())),
                length => hasher.update(&piece[..length]),
            }
        }
    };
    hash().map_err(BundleError::io("read", path))
}

/// A file's text, `None` where there is no such file.
pub(crate) fn read_if_present(path: &Path) -> Result<Option<String>, BundleError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BundleError::io("read", path)(error)),
    }
}
