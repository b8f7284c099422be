//! Parquet files as the same rows of named fields that text gives.
//!
//! Values become text as a CSV would have them: moments as Unix milliseconds, lists joined by `|`,
//! whole floats without a fraction (other tools turn a whole column into floats for one null), null
//! and NaN as an empty field.

use std::{borrow::Cow, fs::File, path::Path};

use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::DataType,
    errors::ParquetError,
    file::{
        reader::{FileReader, RowGroupReader},
        serialized_reader::SerializedFileReader,
    },
    schema::types::ColumnDescriptor,
};

use super::{
    DataError,
    row::{BadRow, Columns, FIELDS, Rejections, Row, plain_name},
    table::decode,
};

/// Rows decoded at a time.
const ROWS: usize = 4_096;
const DAY_MS: i64 = 86_400_000;

/// A Parquet file, open.
pub(super) struct Columnar<'a> {
    path: &'a Path,
    reader: SerializedFileReader<File>,
    /// Place in the file and name of each column that is read.
    wanted: Vec<(usize, String)>,
}

impl<'a> Columnar<'a> {
    /// Opens the file and finds the columns whose names mean something here.
    pub(super) fn open(path: &'a Path) -> Result<Self, DataError> {
        let file =
            File::open(path).map_err(|source| DataError::Read { path: path.into(), source })?;
        let reader = SerializedFileReader::new(file).map_err(damaged(path))?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let name = |column: &ColumnDescriptor| plain_name(&column.path().parts()[0]);
        let wanted = schema
            .columns()
            .iter()
            .enumerate()
            .map(|(place, column)| (place, name(column)))
            .filter(|(_, name)| FIELDS.contains(&name.as_str()))
            .collect();
        Ok(Self { path, reader, wanted })
    }

    pub(super) fn columns(&self) -> Columns {
        Columns::of(self.wanted.iter().map(|(_, name)| name.as_str()))
    }

    /// Calls `accept` for each row; rows it refuses are counted and named, by their number from 1
    /// on, in `rejections`. Columns in `needed` must exist.
    pub(super) fn read(
        &self,
        needed: &[&str],
        rejections: &mut Rejections,
        mut accept: impl FnMut(&Row<'_>) -> Result<(), BadRow>,
    ) -> Result<(), DataError> {
        let columns = self.columns();
        columns.check(self.path, needed)?;
        let mut number = 0;
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group).map_err(damaged(self.path))?;
            let mut readers = self.readers(group.as_ref())?;
            loop {
                let texts = readers.iter_mut().map(Reader::next);
                let texts: Vec<Vec<String>> =
                    texts.collect::<Result<_, _>>().map_err(damaged(self.path))?;
                let rows = texts.iter().map(Vec::len).min().unwrap_or(0);
                if rows == 0 {
                    break;
                }
                for row in 0..rows {
                    let fields: Vec<Cow<'_, str>> =
                        texts.iter().map(|texts| Cow::Borrowed(texts[row].as_str())).collect();
                    (number, rejections.rows) = (number + 1, rejections.rows + 1);
                    if let Err(reason) = accept(&Row { columns: &columns, fields: &fields }) {
                        rejections.note(self.path, number, &reason);
                    }
                }
            }
        }
        Ok(())
    }

    fn readers(&self, group: &dyn RowGroupReader) -> Result<Vec<Reader>, DataError> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let open = |(place, name): &(usize, String)| {
            let column = schema.column(*place);
            let reader = group.get_column_reader(*place).map_err(damaged(self.path))?;
            let levels = (column.max_def_level(), column.max_rep_level());
            let unread = || DataError::ColumnType {
                path: self.path.into(),
                column: name.clone(),
                found: format!("{:?}", column.self_type()),
            };
            let form = Form::of(&column, &reader).ok_or_else(unread)?;
            Ok(Reader { reader, form, levels })
        };
        self.wanted.iter().map(open).collect()
    }
}

fn damaged(path: &Path) -> impl Fn(ParquetError) -> DataError {
    move |source| DataError::Parquet { path: path.into(), source }
}

/// What a column's physical values stand for.
#[derive(Clone, Copy)]
enum Form {
    /// Number, text or truth value, as it is.
    Plain,
    Unsigned,
    Days,
    /// So many of the unit make a millisecond.
    Moment(i64),
}

impl Form {
    /// `None` for what a field of a row cannot be: decimals, byte arrays of fixed length, times of
    /// the day, lists in lists, and the parts of structures and maps.
    fn of(column: &ColumnDescriptor, reader: &ColumnReader) -> Option<Self> {
        let parts = column.path().parts().len();
        let flat = column.max_rep_level() == 0 && parts == 1;
        let list = column.max_rep_level() == 1 && parts <= 3;
        if !(flat || list) || matches!(reader, ColumnReader::FixedLenByteArrayColumnReader(_)) {
            return None;
        }
        match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Timestamp(stamp)), _) => Some(Self::Moment(match stamp.unit {
                TimeUnit::MILLIS => 1,
                TimeUnit::MICROS => 1_000,
                TimeUnit::NANOS => 1_000_000,
            })),
            (None, ConvertedType::TIMESTAMP_MILLIS) => Some(Self::Moment(1)),
            (None, ConvertedType::TIMESTAMP_MICROS) => Some(Self::Moment(1_000)),
            (_, ConvertedType::DATE) => Some(Self::Days),
            (
                _,
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64,
            ) => Some(Self::Unsigned),
            (
                _,
                ConvertedType::DECIMAL
                | ConvertedType::TIME_MILLIS
                | ConvertedType::TIME_MICROS
                | ConvertedType::INTERVAL,
            )
            | (Some(LogicalType::Time(_)), _) => None,
            _ => Some(Self::Plain),
        }
    }

    fn narrow(self, value: i32) -> String {
        match self {
            Self::Unsigned => value.cast_unsigned().to_string(),
            _ => self.wide(value.into()),
        }
    }

    fn wide(self, value: i64) -> String {
        match self {
            Self::Plain => value.to_string(),
            Self::Unsigned => value.cast_unsigned().to_string(),
            Self::Days => moment(value.saturating_mul(DAY_MS)),
            Self::Moment(units) => moment(value.div_euclid(units)),
        }
    }
}

/// Milliseconds as the readers of text take them: below 10^11 a number would mean seconds.
fn moment(milliseconds: i64) -> String {
    match milliseconds < 100_000_000_000 {
        true => {
            format!("{}.{:03}", milliseconds.div_euclid(1_000), milliseconds.rem_euclid(1_000))
        }
        false => milliseconds.to_string(),
    }
}

fn float(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

/// A column of a row group, read from its start to its end.
struct Reader {
    reader: ColumnReader,
    form: Form,
    /// The greatest definition and repetition level.
    levels: (i16, i16),
}

impl Reader {
    /// The texts of the next rows; none at the end.
    fn next(&mut self) -> Result<Vec<String>, ParquetError> {
        let (form, levels) = (self.form, self.levels);
        match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => texts(reader, levels, bool::to_string),
            ColumnReader::Int32ColumnReader(reader) => {
                texts(reader, levels, |value| form.narrow(*value))
            }
            ColumnReader::Int64ColumnReader(reader) => {
                texts(reader, levels, |value| form.wide(*value))
            }
            ColumnReader::Int96ColumnReader(reader) => {
                texts(reader, levels, |value| moment(value.to_millis()))
            }
            // The shortest text of the f32: 3.4 stays 3.4.
            ColumnReader::FloatColumnReader(reader) => texts(reader, levels, |value| {
                if value.is_nan() { String::new() } else { value.to_string() }
            }),
            ColumnReader::DoubleColumnReader(reader) => {
                texts(reader, levels, |value| float(*value))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                texts(reader, levels, |value| decode(value.data()).into_owned())
            }
            ColumnReader::FixedLenByteArrayColumnReader(_) => Ok(Vec::new()),
        }
    }
}

fn texts<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    (definition, repetition): (i16, i16),
    text: impl Fn(&T::T) -> String,
) -> Result<Vec<String>, ParquetError> {
    let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    let (_, _, levels) =
        reader.read_records(ROWS, Some(&mut defined), Some(&mut repeated), &mut values)?;
    let mut values = values.iter();
    let mut texts: Vec<String> = Vec::with_capacity(ROWS);
    for level in 0..levels {
        if repetition == 0 || repeated[level] == 0 {
            texts.push(String::new());
        }
        if definition > 0 && defined[level] < definition {
            continue;
        }
        if let (Some(row), Some(value)) = (texts.last_mut(), values.next()) {
            if !row.is_empty() {
                row.push('|');
            }
            row.push_str(&text(value));
        }
    }
    Ok(texts)
}
