//! Parquet files written row by row, in bounded memory.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    basic::{Compression, Type},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, FloatType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::parser::parse_message_type,
};

use tributary_domain::Timestamp;

use crate::DatasetError;

/// Rows held before they are written.
const GROUP: usize = 65_536;

/// A file in the making. A row's values are put in the order of the schema's columns, then the row
/// is ended. The file appears under its name when it is finished.
pub(super) struct Sheet {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    columns: Vec<Column>,
    next: usize,
    held: usize,
    rows: usize,
}

impl Sheet {
    /// Starts a file with a schema in Parquet's text form. Columns are required, optional, or lists
    /// of required elements; their types are those that the methods name.
    pub(super) fn create(path: &Path, schema: &str) -> Result<Self, DatasetError> {
        let failed = DatasetError::parquet(path);
        let schema = Arc::new(parse_message_type(schema).map_err(&failed)?);
        let part = part(path);
        let file = File::create(&part).map_err(DatasetError::file(&part))?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer =
            SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(&failed)?;
        let columns = writer.schema_descr().columns().iter();
        let columns = columns.map(|column| Column::of(column.physical_type())).collect();
        Ok(Self { path: path.into(), writer, columns, next: 0, held: 0, rows: 0 })
    }

    /// `UINT_64`.
    pub(super) fn wide(&mut self, value: Option<u64>) {
        self.column().value(value.map(|value| Value::Wide(value.cast_signed())));
    }

    /// `TIMESTAMP(MILLIS, true)`.
    pub(super) fn moment(&mut self, value: Option<Timestamp>) {
        self.column().value(value.map(|time| Value::Wide(time.0)));
    }

    /// `UINT_32`.
    pub(super) fn narrow(&mut self, value: Option<u32>) {
        self.column().value(value.map(|value| Value::Narrow(value.cast_signed())));
    }

    pub(super) fn float(&mut self, value: Option<f32>) {
        self.column().value(value.map(Value::Float));
    }

    pub(super) fn flag(&mut self, value: Option<bool>) {
        self.column().value(value.map(Value::Flag));
    }

    pub(super) fn text(&mut self, value: Option<&str>) {
        self.column().value(value.map(Value::text));
    }

    pub(super) fn texts<'t>(&mut self, values: impl IntoIterator<Item = &'t str>) {
        self.column().list(values.into_iter().map(Value::text));
    }

    pub(super) fn narrows(&mut self, values: impl IntoIterator<Item = u32>) {
        self.column().list(values.into_iter().map(|value| Value::Narrow(value.cast_signed())));
    }

    pub(super) fn floats(&mut self, values: impl IntoIterator<Item = f32>) {
        self.column().list(values.into_iter().map(Value::Float));
    }

    /// Ends a row whose columns were all put.
    pub(super) fn end_row(&mut self) -> Result<(), DatasetError> {
        debug_assert_eq!(self.next, self.columns.len(), "a row has every column");
        self.next = 0;
        self.held += 1;
        self.rows += 1;
        if self.held < GROUP { Ok(()) } else { self.flush() }
    }

    /// Writes what is held and gives the file its name. Gives the number of rows.
    pub(super) fn finish(mut self) -> Result<usize, DatasetError> {
        self.flush()?;
        let Self { path, writer, rows, .. } = self;
        writer.close().map_err(DatasetError::parquet(&path))?;
        std::fs::rename(part(&path), &path).map_err(DatasetError::file(&path))?;
        Ok(rows)
    }

    fn column(&mut self) -> &mut Column {
        self.next += 1;
        &mut self.columns[self.next - 1]
    }

    fn flush(&mut self) -> Result<(), DatasetError> {
        if std::mem::take(&mut self.held) == 0 {
            return Ok(());
        }
        let failed = DatasetError::parquet(&self.path);
        let mut group = self.writer.next_row_group().map_err(&failed)?;
        for column in &mut self.columns {
            let next = group.next_column().map_err(&failed)?;
            let mut writer = next.expect("the columns are those of the schema");
            column.write(&mut writer).map_err(&failed)?;
            writer.close().map_err(&failed)?;
        }
        group.close().map_err(&failed)?;
        Ok(())
    }
}

fn part(path: &Path) -> PathBuf {
    path.with_extension("parquet.part")
}

enum Value {
    Wide(i64),
    Narrow(i32),
    Float(f32),
    Flag(bool),
    Text(ByteArray),
}

impl Value {
    fn text(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// Values of one column with the levels that say where one is absent or where a list begins.
struct Column {
    values: Values,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

enum Values {
    Wide(Vec<i64>),
    Narrow(Vec<i32>),
    Float(Vec<f32>),
    Flag(Vec<bool>),
    Text(Vec<ByteArray>),
}

impl Column {
    fn of(kind: Type) -> Self {
        let values = match kind {
            Type::INT64 => Values::Wide(Vec::new()),
            Type::INT32 => Values::Narrow(Vec::new()),
            Type::FLOAT => Values::Float(Vec::new()),
            Type::BOOLEAN => Values::Flag(Vec::new()),
            _ => Values::Text(Vec::new()),
        };
        Self { values, definition: Vec::new(), repetition: Vec::new() }
    }

    fn value(&mut self, value: Option<Value>) {
        self.definition.push(i16::from(value.is_some()));
        self.repetition.push(0);
        value.into_iter().for_each(|value| self.values.push(value));
    }

    fn list(&mut self, values: impl Iterator<Item = Value>) {
        let mut repetition = 0;
        for value in values {
            self.values.push(value);
            self.definition.push(1);
            self.repetition.push(repetition);
            repetition = 1;
        }
        if repetition == 0 {
            self.definition.push(0);
            self.repetition.push(0);
        }
    }

    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = (&self.definition[..], &self.repetition[..]);
        match &mut self.values {
            Values::Wide(values) => batch::<Int64Type>(writer, values, levels),
            Values::Narrow(values) => batch::<Int32Type>(writer, values, levels),
            Values::Float(values) => batch::<FloatType>(writer, values, levels),
            Values::Flag(values) => batch::<BoolType>(writer, values, levels),
            Values::Text(values) => batch::<ByteArrayType>(writer, values, levels),
        }?;
        self.definition.clear();
        self.repetition.clear();
        Ok(())
    }
}

impl Values {
    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Wide(values), Value::Wide(value)) => values.push(value),
            (Self::Narrow(values), Value::Narrow(value)) => values.push(value),
            (Self::Float(values), Value::Float(value)) => values.push(value),
            (Self::Flag(values), Value::Flag(value)) => values.push(value),
            (Self::Text(values), Value::Text(value)) => values.push(value),
            _ => unreachable!("values are put in the order of the schema that is beside them"),
        }
    }
}

/// Writes and forgets the values. Levels that a column does not have are left out.
fn batch<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    (definition, repetition): (&[i16], &[i16]),
) -> Result<(), ParquetError> {
    let typed = writer.typed::<T>();
    let descriptor = typed.get_descriptor();
    let definition = (descriptor.max_def_level() > 0).then_some(definition);
    let repetition = (descriptor.max_rep_level() > 0).then_some(repetition);
    typed.write_batch(values, definition, repetition)?;
    values.clear();
    Ok(())
}
