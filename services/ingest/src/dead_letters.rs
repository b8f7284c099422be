//! The rows that could not be used, kept on disk until somebody has dealt with them.
//!
//! A file of JSON lines, appended and synced before the position moves past the rows in it. The
//! process appends and the command line removes, each under a lock of the file beside it.

pub mod command;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tributary_domain::Timestamp;

use crate::{
    error::IngestError,
    layout::Layout,
    metrics,
    reader::{BadRow, Row},
};

/// A row that could not be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    pub table: String,
    /// The columns of the key with their values.
    pub key: Map<String, Value>,
    /// The column that was in the way, or the field made from it.
    pub column: String,
    pub reason: String,
    /// The columns that were read.
    pub row: Map<String, Value>,
    /// Where the row was read: a place in the binlog, or `snapshot`.
    pub position: String,
    /// When it was read, in Unix milliseconds.
    pub time_ms: i64,
}

impl DeadLetter {
    pub fn new(layout: &Layout, row: &Row, bad: &BadRow, position: String) -> Self {
        Self {
            table: layout.table.name.clone(),
            key: layout.key_of(row),
            column: bad.column.clone(),
            reason: bad.reason.clone(),
            row: layout.to_json(row),
            position,
            time_ms: Timestamp::now().0,
        }
    }

    /// Tells it in the log.
    pub fn log(&self) {
        let Self { table, key, column, reason, position, .. } = self;
        let key = Value::Object(key.clone());
        tracing::warn!(table, %key, column, reason, position, "bad row");
    }

    /// Names the row: a later letter of the same row replaces an earlier one.
    fn identity(&self) -> (String, String) {
        (self.table.clone(), Value::Object(self.key.clone()).to_string())
    }
}

/// The list in a folder.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    folder: PathBuf,
    most: usize,
}

impl DeadLetters {
    /// The list of that folder, which is made where it is missing.
    pub fn open(folder: &Path, most: usize) -> Result<Self, IngestError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        Ok(Self { folder: folder.to_owned(), most })
    }

    /// Adds letters; they are on the disk when this returns. Those beyond the bound are counted
    /// and logged only.
    pub fn append(&self, letters: &[DeadLetter]) -> Result<(), IngestError> {
        let lock = self.lock()?;
        let path = self.path();
        let mut held = lines(&path).map_err(at(&path))?;
        if held + letters.len() > self.most {
            self.write(&self.read()?)?;
            held = lines(&path).map_err(at(&path))?;
        }
        let room = self.most.saturating_sub(held).min(letters.len());
        let mut text = String::new();
        for letter in &letters[..room] {
            text.push_str(&serde_json::to_string(letter).expect("a letter has text keys only"));
            text.push('\n');
        }
        for letter in &letters[room..] {
            metrics::dead_letter_lost();
            let (table, key) = letter.identity();
            tracing::error!(table, key, "the list of dead letters is full: this row is not kept");
        }
        append(&path, text.as_bytes()).map_err(at(&path))?;
        drop(lock);
        Ok(())
    }

    /// The letters, one a row, oldest first. A line cut off by a crash is passed over: its row is
    /// read again, because the position has not moved past it.
    pub fn list(&self) -> Result<Vec<DeadLetter>, IngestError> {
        let lock = self.lock()?;
        let letters = self.read();
        drop(lock);
        letters
    }

    /// Takes out the letters for which `keep` gives none, and replaces the others by what it gives.
    /// A row of which a newer letter came meanwhile keeps that one.
    pub fn settle(&self, settled: &[(DeadLetter, Option<DeadLetter>)]) -> Result<(), IngestError> {
        let lock = self.lock()?;
        let mut letters = self.read()?;
        for (old, new) in settled {
            let Some(place) = letters.iter().position(|letter| letter == old) else { continue };
            match new {
                Some(new) => letters[place] = new.clone(),
                None => drop(letters.remove(place)),
            }
        }
        let written = self.write(&letters);
        drop(lock);
        written
    }

    fn path(&self) -> PathBuf {
        self.folder.join("dead-letters.jsonl")
    }

    fn lock(&self) -> Result<File, IngestError> {
        let path = self.folder.join("dead-letters.lock");
        let file = File::options().create(true).append(true).open(&path).map_err(at(&path))?;
        file.lock().map_err(at(&path))?;
        Ok(file)
    }

    fn read(&self) -> Result<Vec<DeadLetter>, IngestError> {
        let path = self.path();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text.map_err(at(&path))?,
        };
        let mut letters: BTreeMap<(String, String), (usize, DeadLetter)> = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            match serde_json::from_str::<DeadLetter>(line) {
                Ok(letter) => drop(letters.insert(letter.identity(), (index, letter))),
                Err(error) => {
                    tracing::warn!(line = index + 1, %error, "a dead letter cannot be read");
                }
            }
        }
        let mut letters: Vec<(usize, DeadLetter)> = letters.into_values().collect();
        letters.sort_by_key(|(index, _)| *index);
        Ok(letters.into_iter().map(|(_, letter)| letter).collect())
    }

    /// Replaces the file whole.
    fn write(&self, letters: &[DeadLetter]) -> Result<(), IngestError> {
        let (path, draft) = (self.path(), self.folder.join("dead-letters.draft"));
        let mut text = String::new();
        for letter in letters {
            text.push_str(&serde_json::to_string(letter).expect("a letter has text keys only"));
            text.push('\n');
        }
        replace(&path, &draft, text.as_bytes()).map_err(at(&path))
    }
}

fn lines(path: &Path) -> io::Result<usize> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        bytes => Ok(bytes?.iter().filter(|byte| **byte == b'\n').count()),
    }
}

/// Appends whole lines: a line that a crash cut off is ended first.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let is_cut = fs::read(path)?.last().is_some_and(|byte| *byte != b'\n');
    if is_cut {
        file.write_all(b"\n")?;
    }
    file.write_all(lines)?;
    file.sync_all()
}

/// Writes a file so that a crash leaves the old or the new one.
pub(crate) fn replace(path: &Path, draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Maps an error of a file.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> IngestError {
    let path = path.to_owned();
    move |source| IngestError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(table: &str, key: u64, reason: &str) -> DeadLetter {
        DeadLetter {
            table: table.into(),
            key: [("id".to_owned(), key.into())].into_iter().collect(),
            column: "tags".into(),
            reason: reason.into(),
            row: Map::new(),
            position: "bin.000001:4".into(),
            time_ms: 1,
        }
    }

    fn opened(most: usize) -> (tempfile::TempDir, DeadLetters) {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetters::open(folder.path(), most).unwrap();
        (folder, letters)
    }

    #[test]
    fn the_latest_letter_of_a_row_counts() {
        let (_folder, letters) = opened(10);
        letters.append(&[letter("a", 1, "old"), letter("a", 2, "x")]).unwrap();
        letters.append(&[letter("a", 1, "new"), letter("b", 1, "y")]).unwrap();
        let listed = letters.list().unwrap();
        assert_eq!(listed, [letter("a", 2, "x"), letter("a", 1, "new"), letter("b", 1, "y")]);
    }

    #[test]
    fn settled_letters_go_and_newer_ones_stay() {
        let (_folder, letters) = opened(10);
        letters.append(&[letter("a", 1, "old"), letter("a", 2, "x"), letter("a", 3, "z")]).unwrap();
        let listed = letters.list().unwrap();
        letters.append(&[letter("a", 1, "new")]).unwrap();
        let settled = [
            (listed[0].clone(), None),
            (listed[1].clone(), None),
            (listed[2].clone(), Some(letter("a", 3, "still"))),
        ];
        letters.settle(&settled).unwrap();
        assert_eq!(letters.list().unwrap(), [letter("a", 3, "still"), letter("a", 1, "new")]);
    }

    #[test]
    fn the_list_is_bounded_by_rows() {
        let (_folder, letters) = opened(2);
        for round in ["a", "b", "c"] {
            letters.append(&[letter("a", 1, round)]).unwrap();
        }
        letters.append(&[letter("a", 2, "x"), letter("a", 3, "lost")]).unwrap();
        assert_eq!(letters.list().unwrap(), [letter("a", 1, "c"), letter("a", 2, "x")]);
    }

    #[test]
    fn a_line_that_a_crash_cut_off_spoils_no_other() {
        let (folder, letters) = opened(10);
        letters.append(&[letter("a", 1, "x")]).unwrap();
        let path = folder.path().join("dead-letters.jsonl");
        let mut text = fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"table\":\"a");
        fs::write(&path, text).unwrap();
        letters.append(&[letter("a", 2, "y")]).unwrap();
        assert_eq!(letters.list().unwrap(), [letter("a", 1, "x"), letter("a", 2, "y")]);
    }
}
