//! The data set as JSON lines, one domain value a line: the form in which the steps hand it on and
//! in which it is loaded into a running mesh.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{DataSet, Rejections};
use crate::error::TrainerError;

const ITEMS: &str = "items.jsonl";
const USERS: &str = "users.jsonl";
const EVENTS: &str = "events.jsonl";
const TAGGINGS: &str = "taggings.jsonl";
const BASE_ITEMS: &str = "base_items.jsonl";
const SUMMARY: &str = "dataset.json";

/// What the lists do not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    pub name: String,
    pub timed: bool,
    pub rejections: Rejections,
    /// sha256 of items, users and events as written, hexadecimal.
    pub fingerprint: String,
}

impl DataSet {
    /// Writes the data set to a folder. `items.jsonl` has every tag; `base_items.jsonl` and
    /// `taggings.jsonl` let a reader build the catalogue of any moment.
    pub fn write(&self, folder: &Path) -> Result<Summary, TrainerError> {
        std::fs::create_dir_all(folder).map_err(TrainerError::file("create", folder))?;
        write_lines(&folder.join(ITEMS), &self.catalogue(None))?;
        write_lines(&folder.join(USERS), &self.users)?;
        write_lines(&folder.join(EVENTS), &self.events)?;
        write_lines(&folder.join(BASE_ITEMS), &self.items)?;
        write_lines(&folder.join(TAGGINGS), &self.taggings)?;
        let summary = Summary {
            name: self.name.clone(),
            timed: self.timed,
            rejections: self.rejections.clone(),
            fingerprint: fingerprint(folder)?,
        };
        crate::work::write_json(&folder.join(SUMMARY), &summary)?;
        Ok(summary)
    }

    /// Reads what `write` wrote.
    pub fn open(folder: &Path) -> Result<(Self, Summary), TrainerError> {
        let summary = summary(folder)?;
        let data = Self {
            name: summary.name.clone(),
            items: read_lines(&folder.join(BASE_ITEMS))?,
            users: read_lines(&folder.join(USERS))?,
            events: read_lines(&folder.join(EVENTS))?,
            taggings: read_lines(&folder.join(TAGGINGS))?,
            timed: summary.timed,
            rejections: summary.rejections.clone(),
        };
        Ok((data, summary))
    }
}

fn fingerprint(folder: &Path) -> Result<String, TrainerError> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for name in [ITEMS, USERS, EVENTS] {
        let path = folder.join(name);
        hash.update(std::fs::read(&path).map_err(TrainerError::file("read", &path))?);
    }
    Ok(hex::encode(hash.finalize()))
}

/// The summary of a folder that `write` wrote.
pub(crate) fn summary(folder: &Path) -> Result<Summary, TrainerError> {
    crate::work::read_json(&folder.join(SUMMARY), "prepare")
}

/// One JSON value a line.
pub(crate) fn to_lines<T: Serialize>(values: &[T]) -> Vec<u8> {
    let mut lines = Vec::new();
    for value in values {
        serde_json::to_writer(&mut lines, value)
            .expect("domain values have no keys that JSON lacks, and memory takes every write");
        lines.push(b'\n');
    }
    lines
}

fn write_lines<T: Serialize>(path: &Path, values: &[T]) -> Result<(), TrainerError> {
    std::fs::write(path, to_lines(values)).map_err(TrainerError::file("write", path))
}

fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, TrainerError> {
    let file = File::open(path).map_err(TrainerError::file("read", path))?;
    let mut values = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(TrainerError::file("read", path))?;
        let value = serde_json::from_str(&line)
            .map_err(|source| TrainerError::Damaged { path: path.into(), source })?;
        values.push(value);
    }
    Ok(values)
}
