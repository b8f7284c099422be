//! The folder through which the steps hand on their results.

use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use crate::error::TrainerError;

/// A work folder: `dataset/`, `evaluated/` (models that saw nothing of the test period, what the
/// evaluation measures), `final/` (models of all the data, what the bundle serves), `rounds/` (each
/// model of each round as it is finished, for a training that goes on) and `evaluation.json`.
#[derive(Debug, Clone)]
pub struct Work(PathBuf);

impl Work {
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    pub fn dataset(&self) -> PathBuf {
        self.0.join("dataset")
    }

    /// Where the models of a round are kept while a training is under way.
    pub(crate) fn round(&self, name: &str) -> PathBuf {
        self.0.join("rounds").join(name)
    }

    pub fn evaluated(&self) -> PathBuf {
        self.0.join("evaluated")
    }

    pub fn final_models(&self) -> PathBuf {
        self.0.join("final")
    }

    pub fn evaluation(&self) -> PathBuf {
        self.0.join("evaluation.json")
    }
}

/// Writes a value as readable JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainerError> {
    let json = serde_json::to_vec_pretty(value)
        .map_err(|source| TrainerError::Damaged { path: path.into(), source })?;
    std::fs::write(path, json).map_err(TrainerError::file("write", path))
}

/// Reads a value that the step `step` writes.
pub(crate) fn read_json<T: DeserializeOwned>(
    path: &Path,
    step: &'static str,
) -> Result<T, TrainerError> {
    if !path.exists() {
        return Err(TrainerError::StepMissing { path: path.into(), step });
    }
    let json = std::fs::read(path).map_err(TrainerError::file("read", path))?;
    serde_json::from_slice(&json)
        .map_err(|source| TrainerError::Damaged { path: path.into(), source })
}
