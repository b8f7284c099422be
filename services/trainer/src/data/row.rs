//! Rows with named columns, whatever kind of file they come from, and what becomes of bad ones.

use std::{borrow::Cow, collections::HashMap, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};
use tributary_domain::FieldError;

use super::DataError;

/// The plain names of all columns that some reader of rows asks for.
pub(super) const FIELDS: [&str; 28] = [
    "user_id",
    "item_id",
    "action",
    "timestamp",
    "value",
    "dwell_ms",
    "title",
    "text",
    "creator",
    "tags",
    "genres",
    "year",
    "minimum_age",
    "created",
    "width",
    "height",
    "total_bookmarks",
    "total_views",
    "age",
    "gender",
    "occupation",
    "user_version",
    "request_id",
    "position",
    "context_version",
    "channels",
    "channel_positions",
    "channel_scores",
];

/// Rows that were left out, and the first few of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejections {
    pub rows: usize,
    pub rejected: usize,
    /// `file:line: reason`, the first ten; the line is the row's number in files without lines.
    pub examples: Vec<String>,
}

const EXAMPLES: usize = 10;

impl Rejections {
    /// Fails where more than `share` of the rows were bad.
    pub(super) fn check(&self, share: f64) -> Result<(), DataError> {
        let allowed = crate::number::floor(crate::number::float(self.rows) * share).max(EXAMPLES);
        match self.rejected > allowed {
            true => Err(DataError::TooManyRejected { rejections: self.clone(), allowed }),
            false => Ok(()),
        }
    }

    pub(super) fn note(&mut self, path: &Path, line: usize, reason: &BadRow) {
        self.rejected += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{}:{line}: {reason}", path.display()));
        }
    }
}

/// Why a row was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRow {
    #[error("{0} is missing")]
    Missing(String),
    #[error("{field} {value:?} is not {expected}")]
    Value { field: String, value: String, expected: &'static str },
    /// The mesh would refuse it.
    #[error(transparent)]
    Limit(#[from] FieldError),
}

impl BadRow {
    pub(super) fn value(field: &str, value: &str, expected: &'static str) -> Self {
        Self::Value { field: field.into(), value: value.into(), expected }
    }
}

/// Columns by their plain names.
#[derive(Debug)]
pub(super) struct Columns(HashMap<String, usize>);

impl Columns {
    /// Columns whose names are given, as the readers ask for them.
    pub(super) fn named(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).to_owned()).zip(0..).collect())
    }

    /// Columns whose names are those of a file.
    pub(super) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().map(plain_name).zip(0..).collect())
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.0.contains_key(column)
    }

    /// Fails where one that is `needed` does not exist.
    pub(super) fn check(&self, path: &Path, needed: &[&str]) -> Result<(), DataError> {
        let Some(column) = needed.iter().find(|name| !self.has(name)) else {
            return Ok(());
        };
        let mut found: Vec<&str> = self.0.keys().map(String::as_str).collect();
        found.sort_unstable();
        let found = found.join(", ");
        Err(DataError::Column { path: path.into(), column: (*column).into(), found })
    }
}

/// One row, its fields by column name.
pub(super) struct Row<'a> {
    pub(super) columns: &'a Columns,
    pub(super) fields: &'a [Cow<'a, str>],
}

impl Row<'_> {
    /// The field's text without surrounding space, `None` where it is absent or empty.
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        let field = self.fields.get(*self.columns.0.get(column)?)?.trim();
        (!field.is_empty()).then_some(field)
    }

    /// True where the file has the column, whatever this row holds in it.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.has(column)
    }

    pub(super) fn required(&self, column: &str) -> Result<&str, BadRow> {
        self.text(column).ok_or_else(|| BadRow::Missing(column.into()))
    }

    /// A required number.
    pub(super) fn number<T: FromStr>(&self, column: &str) -> Result<T, BadRow> {
        parse(column, self.required(column)?)
    }

    /// A number that may be absent, but not malformed.
    pub(super) fn optional_number<T: FromStr>(&self, column: &str) -> Result<Option<T>, BadRow> {
        self.text(column).map(|text| parse(column, text)).transpose()
    }

    /// A required id: a whole number above zero.
    pub(super) fn id(&self, column: &str) -> Result<u64, BadRow> {
        let text = self.required(column)?;
        match text.parse() {
            Ok(id) if id != 0 => Ok(id),
            _ => Err(BadRow::value(column, text, "a whole number above 0")),
        }
    }

    /// A list of numbers, parted by `|`.
    pub(super) fn numbers<T: FromStr>(&self, column: &str) -> Result<Vec<T>, BadRow> {
        self.list(column, '|').iter().map(|text| parse(column, text)).collect()
    }

    /// The fields split at `separator`, empty parts left out.
    pub(super) fn list(&self, column: &str, separator: char) -> Vec<String> {
        let text = self.text(column).unwrap_or("");
        let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    }
}

fn parse<T: FromStr>(column: &str, text: &str) -> Result<T, BadRow> {
    text.parse().map_err(|_| BadRow::value(column, text, "a number in range"))
}

/// `userId`, `user_id:token` and ` User_ID` are all `user_id`; a final `_id` of user and item may
/// be absent.
pub(super) fn plain_name(name: &str) -> String {
    let name = name.trim_start_matches('\u{feff}').trim();
    let name = name.split(':').next().unwrap_or(name).to_ascii_lowercase();
    match name.as_str() {
        "user" | "userid" | "user_id" => "user_id".into(),
        "item" | "itemid" | "item_id" | "movieid" | "movie_id" => "item_id".into(),
        "time" | "timestamp" => "timestamp".into(),
        "value" | "rating" => "value".into(),
        _ => name,
    }
}
