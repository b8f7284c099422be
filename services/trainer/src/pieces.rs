//! What a training has finished, and how far the rest has come, so that an interrupted one goes on
//! where it was.

use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};
use tributary_domain::Event;

use crate::{artifacts::Artifacts, error::TrainerError};

const KEY: &str = "key";
const FILES: &str = "files";
const CHECKPOINT: &str = "checkpoint.safetensors";

/// One model of one round: a folder with the trained files, or with a checkpoint of the training.
///
/// The key names everything that the model depends on: this build of the trainer, the settings and
/// the events. What lies there under another key is not used.
#[derive(Debug)]
pub(crate) struct Piece {
    folder: PathBuf,
    key: String,
}

impl Piece {
    /// The piece in a folder, with all that its result depends on.
    pub(crate) fn new(
        folder: PathBuf,
        events: &[Event],
        settings: &impl Serialize,
    ) -> Result<Self, TrainerError> {
        let mut hash = Sha256::new();
        hash.update(build()?);
        for Event { user, behaviour } in events {
            hash.update(user.0.to_le_bytes());
            hash.update(behaviour.item.0.to_le_bytes());
            hash.update(behaviour.time.0.to_le_bytes());
            hash.update(format!("{:?}", behaviour.action));
        }
        let settings = serde_json::to_vec(settings)
            .map_err(|source| TrainerError::Damaged { path: folder.clone(), source })?;
        hash.update(settings);
        Ok(Self { folder, key: hex::encode(hash.finalize()) })
    }

    /// The trained files, from the folder where they are there, else from `train`, which gets the
    /// checkpoint of an interrupted training where there is one.
    pub(crate) fn files(
        &self,
        train: impl FnOnce(Option<&[u8]>) -> Result<Artifacts, TrainerError>,
    ) -> Result<Artifacts, TrainerError> {
        let known = self.is_known();
        let files = self.folder.join(FILES);
        if known && files.exists() {
            return Artifacts::read(&files);
        }
        if !known {
            self.begin()?;
        }
        let checkpoint = read_if_present(&self.folder.join(CHECKPOINT))?;
        let trained = train(checkpoint.as_deref())?;
        let draft = self.folder.join("draft");
        trained.write(&draft)?;
        std::fs::rename(&draft, &files).map_err(TrainerError::file("write", &files))?;
        remove(&self.folder.join(CHECKPOINT))?;
        Ok(trained)
    }

    /// Keeps the state of a training that is under way.
    pub(crate) fn keep(&self, checkpoint: &[u8]) -> Result<(), TrainerError> {
        let draft = self.folder.join("checkpoint.draft");
        std::fs::write(&draft, checkpoint).map_err(TrainerError::file("write", &draft))?;
        let place = self.folder.join(CHECKPOINT);
        std::fs::rename(&draft, &place).map_err(TrainerError::file("write", &place))
    }

    fn is_known(&self) -> bool {
        std::fs::read_to_string(self.folder.join(KEY)).is_ok_and(|key| key == self.key)
    }

    /// Empties the folder and takes it for this key.
    fn begin(&self) -> Result<(), TrainerError> {
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder)
                .map_err(TrainerError::file("empty", &self.folder))?;
        }
        std::fs::create_dir_all(&self.folder)
            .map_err(TrainerError::file("create", &self.folder))?;
        let key = self.folder.join(KEY);
        std::fs::write(&key, &self.key).map_err(TrainerError::file("write", &key))
    }
}

/// What identifies this build: the program's size and time of making.
fn build() -> Result<String, TrainerError> {
    let program = std::env::current_exe().map_err(TrainerError::file("find", "the program"))?;
    let facts = std::fs::metadata(&program).map_err(TrainerError::file("read", &program))?;
    let made = facts.modified().map_err(TrainerError::file("read", &program))?;
    Ok(format!("{} {made:?}", facts.len()))
}

fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, TrainerError> {
    match path.exists() {
        true => std::fs::read(path).map(Some).map_err(TrainerError::file("read", path)),
        false => Ok(None),
    }
}

fn remove(path: &Path) -> Result<(), TrainerError> {
    match path.exists() {
        true => std::fs::remove_file(path).map_err(TrainerError::file("remove", path)),
        false => Ok(()),
    }
}
