//! Rows of delimited text with named columns, whatever the separator and the encoding.

use std::{borrow::Cow, collections::HashMap, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};
use tributary_domain::FieldError;

use super::DataError;

/// Rows that were left out, and the first few of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejections {
    pub rows: usize,
    pub rejected: usize,
    /// `file:line: reason`, the first ten.
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

    fn note(&mut self, path: &Path, line: usize, reason: &BadRow) {
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

/// How a file's lines divide into fields.
#[derive(Debug, Clone, Copy)]
pub(super) enum Separator {
    /// One byte, without quoting.
    Byte(u8),
    /// Comma or tab, with double quotes.
    Quoted(u8),
    /// More than one byte, as `::`.
    Text(&'static str),
}

/// A file and how to read it.
pub(super) struct Table<'a> {
    pub(super) path: &'a Path,
    pub(super) separator: Separator,
    /// The columns' names; `None` reads them from the first line.
    pub(super) columns: Option<&'a [&'a str]>,
}

/// One line, its fields by column name.
pub(super) struct Row<'a> {
    columns: &'a HashMap<String, usize>,
    fields: &'a [Cow<'a, str>],
}

impl Row<'_> {
    /// The field's text without surrounding space, `None` where it is absent or empty.
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        let field = self.fields.get(*self.columns.get(column)?)?.trim();
        (!field.is_empty()).then_some(field)
    }

    /// True where the file has the column, whatever this row holds in it.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
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

impl Table<'_> {
    /// Calls `accept` for each row; rows it refuses are counted and named in `rejections`.
    /// Columns in `needed` must exist.
    pub(super) fn read(
        &self,
        needed: &[&str],
        rejections: &mut Rejections,
        mut accept: impl FnMut(&Row<'_>) -> Result<(), BadRow>,
    ) -> Result<(), DataError> {
        let bytes = std::fs::read(self.path)
            .map_err(|source| DataError::Read { path: self.path.into(), source })?;
        let text = decode(&bytes);
        let mut lines = Lines::of(&text, self.separator);
        let columns = self.columns(&mut lines)?;
        self.check_columns(&columns, needed)?;
        while let Some((line, fields)) = lines.next() {
            rejections.rows += 1;
            if let Err(reason) = accept(&Row { columns: &columns, fields: &fields }) {
                rejections.note(self.path, line, &reason);
            }
        }
        Ok(())
    }

    /// True where the file's first line names one of `columns`.
    pub(super) fn has_header(&self, columns: &[&str]) -> Result<bool, DataError> {
        let names = self.first_line()?;
        Ok(names.iter().any(|name| columns.contains(&plain_name(name).as_str())))
    }

    /// How many fields the file's first line has; 0 where there is no line.
    pub(super) fn width(&self) -> Result<usize, DataError> {
        Ok(self.first_line()?.len())
    }

    fn first_line(&self) -> Result<Vec<String>, DataError> {
        let bytes = std::fs::read(self.path)
            .map_err(|source| DataError::Read { path: self.path.into(), source })?;
        let text = decode(&bytes);
        let first = Lines::of(&text, self.separator).next();
        let fields = first.map_or(Vec::new(), |(_, fields)| fields);
        Ok(fields.into_iter().map(Cow::into_owned).collect())
    }

    fn columns(&self, lines: &mut Lines<'_>) -> Result<HashMap<String, usize>, DataError> {
        let names: Vec<String> = match self.columns {
            Some(names) => names.iter().map(|name| (*name).to_owned()).collect(),
            None => {
                let (_, header) = lines.next().ok_or_else(|| DataError::Column {
                    path: self.path.into(),
                    column: "header".into(),
                    found: "no line at all".into(),
                })?;
                header.iter().map(|name| plain_name(name)).collect()
            }
        };
        Ok(names.into_iter().enumerate().map(|(index, name)| (name, index)).collect())
    }

    fn check_columns(
        &self,
        columns: &HashMap<String, usize>,
        needed: &[&str],
    ) -> Result<(), DataError> {
        let Some(column) = needed.iter().find(|name| !columns.contains_key(**name)) else {
            return Ok(());
        };
        let mut found: Vec<&str> = columns.keys().map(String::as_str).collect();
        found.sort_unstable();
        let found = found.join(", ");
        Err(DataError::Column { path: self.path.into(), column: (*column).into(), found })
    }
}

/// `userId`, `user_id:token` and ` User_ID` are all `user_id`; a final `_id` of user and item may
/// be absent.
fn plain_name(name: &str) -> String {
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

/// UTF-8, or Latin-1 where the bytes are not UTF-8.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// Lines as fields, numbered from 1, blank ones left out.
enum Lines<'a> {
    Split { lines: std::iter::Enumerate<std::str::Lines<'a>>, separator: Separator },
    Quoted { rows: Box<csv::StringRecordsIntoIter<&'a [u8]>>, line: usize },
}

impl<'a> Lines<'a> {
    fn of(text: &'a str, separator: Separator) -> Self {
        match separator {
            Separator::Quoted(delimiter) => {
                let mut reader = csv::ReaderBuilder::new();
                reader.has_headers(false).flexible(true).delimiter(delimiter);
                let rows = Box::new(reader.from_reader(text.as_bytes()).into_records());
                Self::Quoted { rows, line: 0 }
            }
            _ => Self::Split { lines: text.lines().enumerate(), separator },
        }
    }

    fn next(&mut self) -> Option<(usize, Vec<Cow<'a, str>>)> {
        match self {
            Self::Split { lines, separator } => {
                let (index, line) = lines.find(|(_, line)| !line.trim().is_empty())?;
                Some((index + 1, split(line, *separator)))
            }
            Self::Quoted { rows, line } => {
                let record = rows.next()?;
                *line += 1;
                // Text that was decoded before cannot be refused; a row that is goes on as empty
                // and is refused by name.
                let Ok(record) = record else { return Some((*line, Vec::new())) };
                let number = record.position().map(csv::Position::line);
                let number = number.and_then(|line| usize::try_from(line).ok()).unwrap_or(*line);
                Some((number, record.iter().map(|field| Cow::Owned(field.to_owned())).collect()))
            }
        }
    }
}

fn split(line: &str, separator: Separator) -> Vec<Cow<'_, str>> {
    match separator {
        Separator::Text(text) => line.split(text).map(Cow::Borrowed).collect(),
        Separator::Byte(byte) | Separator::Quoted(byte) => {
            line.split(char::from(byte)).map(Cow::Borrowed).collect()
        }
    }
}
