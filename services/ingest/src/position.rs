//! How far the database was read: stored by `feature` together with what was read.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

/// A place in the binlog: before it, everything was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinlogPosition {
    pub file: String,
    pub offset: u64,
}

impl BinlogPosition {
    /// The number at the end of the file's name, which grows from file to file.
    pub fn file_number(&self) -> u64 {
        let digits = self.file.rsplit('.').next();
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }
}

impl PartialOrd for BinlogPosition {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for BinlogPosition {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |position: &Self| (position.file_number(), position.offset);
        place(self).cmp(&place(other)).then_with(|| self.file.cmp(&other.file))
    }
}

impl fmt::Display for BinlogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

/// A value of a key, as the next part of a snapshot is asked for with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyPart {
    Integer(i64),
    Unsigned(u64),
    Text(String),
    /// Written as hexadecimal.
    Bytes(#[serde(with = "hex")] Vec<u8>),
}

/// A snapshot under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotProgress {
    /// Tables still to be read; the first one is being read.
    pub tables: Vec<String>,
    /// The key of the last row read of it.
    pub after: Option<Vec<KeyPart>>,
    /// Rows read of it.
    pub rows: u64,
}

/// The stored position of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// Of this format.
    pub version: u32,
    /// The process that wrote it, so that two that read the same are told apart.
    pub writer: String,
    /// The server whose binlog this is.
    pub server: String,
    /// Of the mapping that rows were read with.
    pub mapping: String,
    /// During a snapshot: where the binlog is read from once it is done.
    pub binlog: BinlogPosition,
    pub snapshot: Option<SnapshotProgress>,
    /// Tables that are not followed any more, because their mapped columns changed.
    #[serde(default)]
    pub stopped: Vec<String>,
}

const VERSION: u32 = 1;

/// A stored position that this version cannot read.
#[derive(Debug, thiserror::Error)]
pub enum BadPosition {
    #[error("the stored position is not one of ingest")]
    Format(#[from] serde_json::Error),
    #[error("the stored position has the format {0}; this version knows {VERSION}")]
    Version(u32),
}

impl Position {
    /// A position before the snapshot of `tables`.
    pub(crate) fn before_snapshot(
        writer: &str,
        server: &str,
        mapping: &str,
        binlog: BinlogPosition,
        tables: Vec<String>,
    ) -> Self {
        Self {
            version: VERSION,
            writer: writer.to_owned(),
            server: server.to_owned(),
            mapping: mapping.to_owned(),
            binlog,
            snapshot: Some(SnapshotProgress { tables, after: None, rows: 0 }),
            stopped: Vec::new(),
        }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, BadPosition> {
        let position: Self = serde_json::from_slice(bytes)?;
        match position.version {
            VERSION => Ok(position),
            other => Err(BadPosition::Version(other)),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a position has text keys only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_by_the_number_of_the_file() {
        let place = |file: &str, offset| BinlogPosition { file: file.into(), offset };
        assert!(place("bin.999999", 900) < place("bin.1000000", 4));
        assert!(place("bin.000002", 4) < place("bin.000002", 5));
    }

    #[test]
    fn positions_round_trip_and_other_bytes_are_refused() {
        let binlog = BinlogPosition { file: "bin.000001".into(), offset: 4 };
        let mut position = Position::before_snapshot("w", "s", "m", binlog, vec!["t".into()]);
        let parts = [KeyPart::Integer(-1), KeyPart::Unsigned(u64::MAX), KeyPart::Bytes(vec![0xff])];
        position.snapshot.as_mut().unwrap().after = Some(parts.into());
        assert_eq!(Position::from_bytes(&position.to_bytes()).unwrap(), position);
        assert!(matches!(Position::from_bytes(b"x"), Err(BadPosition::Format(_))));
        let newer = Position { version: 2, ..position };
        assert!(matches!(Position::from_bytes(&newer.to_bytes()), Err(BadPosition::Version(2))));
    }
}
