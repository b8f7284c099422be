//! The data set as JSON lines, one domain value a line: the form in which the steps hand it on and
//! in which it is loaded into a running mesh.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{DataSet, GivenSplit, Rejections};
use crate::error::TrainerError;

const ITEMS: &str = "items.jsonl";
const USERS: &str = "users.jsonl";
const EVENTS: &str = "events.jsonl";
const VALIDATION: &str = "validation.jsonl";
const TEST: &str = "test.jsonl";
const TAGGINGS: &str = "taggings.jsonl";
const BASE_ITEMS: &str = "base_items.jsonl";
const SERVED: &str = "served.jsonl";
const SUMMARY: &str = "dataset.json";

/// What the lists do not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    pub name: String,
    pub timed: bool,
    pub rejections: Rejections,
    /// Where the files were divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<GivenSummary>,
    /// sha256 of items, users, events and served answers as written, hexadecimal; of those of all parts where the
    /// files were divided.
    pub fingerprint: String,
}

/// How many events the parts beside the training part have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenSummary {
    pub validation: usize,
    pub test: usize,
    /// Left out, because an earlier part has the same user and item.
    pub repeated: usize,
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
        write_lines(&folder.join(SERVED), &self.served)?;
        if let Some(given) = &self.given {
            write_lines(&folder.join(VALIDATION), &given.validation)?;
            write_lines(&folder.join(TEST), &given.test)?;
        }
        let given = self.given.as_ref().map(|given| GivenSummary {
            validation: given.validation.len(),
            test: given.test.len(),
            repeated: self.repeated,
        });
        let summary = Summary {
            name: self.name.clone(),
            timed: self.timed,
            rejections: self.rejections.clone(),
            fingerprint: fingerprint(folder, given.is_some())?,
            given,
        };
        crate::work::write_json(&folder.join(SUMMARY), &summary)?;
        Ok(summary)
    }

    /// Reads what `write` wrote.
    pub fn open(folder: &Path) -> Result<(Self, Summary), TrainerError> {
        let summary = summary(folder)?;
        let read_given = |_| {
            Ok::<_, TrainerError>(GivenSplit {
                validation: read_lines(&folder.join(VALIDATION))?,
                test: read_lines(&folder.join(TEST))?,
            })
        };
        let data = Self {
            name: summary.name.clone(),
            items: read_lines(&folder.join(BASE_ITEMS))?,
            users: read_lines(&folder.join(USERS))?,
            events: read_lines(&folder.join(EVENTS))?,
            taggings: read_lines(&folder.join(TAGGINGS))?,
            timed: summary.timed,
            rejections: summary.rejections.clone(),
            given: summary.given.map(read_given).transpose()?,
            repeated: summary.given.map_or(0, |given| given.repeated),
            served: read_lines(&folder.join(SERVED))?,
        };
        Ok((data, summary))
    }
}

fn fingerprint(folder: &Path, given: bool) -> Result<String, TrainerError> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    let parts: &[&str] = if given { &[VALIDATION, TEST] } else { &[] };
    for name in [ITEMS, USERS, EVENTS, SERVED].iter().chain(parts) {
        let path = folder.join(name);
        let mut file = File::open(&path).map_err(TrainerError::file("read", &path))?;
        std::io::copy(&mut file, &mut hash).map_err(TrainerError::file("read", &path))?;
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
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        for value in values {
            serde_json::to_writer(&mut file, value)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    };
    write().map_err(TrainerError::file("write", path))
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
