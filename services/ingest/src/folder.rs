use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use crate::{dead_letters::at, error::IngestError};

/// The data folder, held by one process at a time.
pub(crate) struct Folder {
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and holds it until dropped.
    pub(crate) fn lock(path: &Path) -> Result<Self, IngestError> {
        fs::create_dir_all(path).map_err(at(path))?;
        let lock = path.join("ingest.lock");
        let file = File::options().create(true).append(true).open(&lock).map_err(at(&lock))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: file }),
            Err(TryLockError::WouldBlock) => Err(IngestError::FolderInUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(at(&lock)(error)),
        }
    }
}
