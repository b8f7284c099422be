//! Delimited text as rows, whatever the separator and the encoding.

use std::{
    borrow::Cow,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use super::{
    DataError,
    row::{BadRow, Columns, Rejections, Row},
};

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
        columns.check(self.path, needed)?;
        while let Some((line, fields)) = lines.next() {
            rejections.rows += 1;
            if let Err(reason) = accept(&Row { columns: &columns, fields: &fields }) {
                rejections.note(self.path, line, &reason);
            }
        }
        Ok(())
    }

    /// The fields of the first line that is not blank; none where there is no such line.
    pub(super) fn first_line(&self) -> Result<Vec<String>, DataError> {
        let text = first_line(self.path)?;
        let first = Lines::of(&text, self.separator).next();
        let fields = first.map_or(Vec::new(), |(_, fields)| fields);
        Ok(fields.into_iter().map(Cow::into_owned).collect())
    }

    fn columns(&self, lines: &mut Lines<'_>) -> Result<Columns, DataError> {
        if let Some(names) = self.columns {
            return Ok(Columns::named(names));
        }
        let (_, header) = lines.next().ok_or_else(|| DataError::Column {
            path: self.path.into(),
            column: "header".into(),
            found: "no line at all".into(),
        })?;
        Ok(Columns::of(header.iter().map(AsRef::as_ref)))
    }
}

/// The first line of a file that is not blank, or nothing.
pub(super) fn first_line(path: &Path) -> Result<String, DataError> {
    let failed = |source| DataError::Read { path: path.into(), source };
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let mut bytes = Vec::new();
    while lines.read_until(b'\n', &mut bytes).map_err(failed)? > 0 {
        if !bytes.trim_ascii().is_empty() {
            break;
        }
        bytes.clear();
    }
    Ok(decode(&bytes).into_owned())
}

/// UTF-8, or Latin-1 where the bytes are not UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
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
