//! What a data set is called, and the label by which made-up data is known as such for good.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::DataError;

const FILE: &str = "synthetic.json";

/// Lies beside data that was made up; the name goes wherever the data goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Label {
    /// Begins with "synthetic".
    pub(crate) name: String,
    pub(crate) users: usize,
    pub(crate) items: usize,
    pub(crate) events: usize,
    pub(crate) seed: u64,
}

impl Label {
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::write(folder.join(FILE), serde_json::to_vec_pretty(self)?)
    }
}

/// The name of a data set: its label's, or else that of the folder or file.
pub(super) fn name(path: &Path) -> Result<String, DataError> {
    let full = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let folder = if full.is_dir() { Some(full.as_path()) } else { full.parent() };
    let label = folder.map(|folder| folder.join(FILE)).filter(|file| file.exists());
    let Some(file) = label else {
        let stem = full.file_stem();
        return Ok(stem.map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned()));
    };
    let failed = |source| DataError::Read { path: file.clone(), source };
    let label: Label = serde_json::from_slice(&std::fs::read(&file).map_err(failed)?)
        .map_err(|error| failed(error.into()))?;
    Ok(label.name)
}
