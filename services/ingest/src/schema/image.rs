use mysql_async::{
    binlog::events::{OptionalMetadataField, TableMapEvent},
    consts::ColumnType,
};

use super::{Kind, Table};

/// What the binlog says of a table where rows of it follow: types always, names only where the
/// server writes them (`binlog_row_metadata=FULL`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableImage {
    columns: Vec<(ColumnType, Vec<u8>)>,
    names: Option<Vec<String>>,
}

impl TableImage {
    /// `None` where the event has a type that is not known.
    pub(crate) fn of(event: &TableMapEvent<'_>) -> Option<Self> {
        let count = usize::try_from(event.columns_count()).ok()?;
        let column = |index| {
            let kind = event.get_column_type(index).ok().flatten()?;
            Some((kind, event.get_column_metadata(index).unwrap_or_default().to_vec()))
        };
        let columns = (0..count).map(column).collect::<Option<Vec<_>>>()?;
        Some(Self { columns, names: names(event).filter(|names| names.len() == count) })
    }

    /// Whether rows of this image can be rows of `table`: as many columns, of the same types, and
    /// of the same names where these are told.
    pub(crate) fn fits(&self, table: &Table) -> bool {
        let same_types = || {
            let pairs = self.columns.iter().zip(&table.columns);
            pairs.into_iter().all(|((kind, details), column)| fits(*kind, details, &column.kind))
        };
        let same_names = || {
            self.names.as_ref().is_none_or(|names| {
                names.iter().zip(&table.columns).all(|(name, column)| *name == column.name)
            })
        };
        self.columns.len() == table.columns.len() && same_types() && same_names()
    }

    /// The table of this image, put together from columns of `tables` that have the names told and
    /// fit. `None` where no names are told, or a column is nowhere.
    pub(crate) fn named<'a>(
        &self,
        tables: impl Iterator<Item = &'a Table> + Clone,
    ) -> Option<Table> {
        let column = |((kind, details), name): (&(ColumnType, Vec<u8>), &String)| {
            let mut found = tables.clone().filter_map(|table| Some(table.column(name)?.1));
            found.find(|column| fits(*kind, details, &column.kind)).cloned()
        };
        let columns = self.columns.iter().zip(self.names.as_ref()?).map(column);
        let columns = columns.collect::<Option<Vec<_>>>()?;
        Some(Table { columns, ..tables.clone().next()?.clone() })
    }

    /// How many columns a row has.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }
}

fn names(event: &TableMapEvent<'_>) -> Option<Vec<String>> {
    for field in event.iter_optional_meta() {
        if let Ok(OptionalMetadataField::ColumnName(names)) = field {
            let names = names.iter_names().map(|name| Some(name.ok()?.name().into_owned()));
            return names.collect();
        }
    }
    None
}

fn fits(kind: ColumnType, details: &[u8], declared: &Kind) -> bool {
    use ColumnType as T;
    let detail = |index: usize| details.get(index).copied();
    let length = || u64::from(detail(0).unwrap_or(0)) | (u64::from(detail(1).unwrap_or(0)) << 8);
    match declared {
        Kind::Integer { bytes, .. } => {
            kind == match bytes {
                1 => T::MYSQL_TYPE_TINY,
                2 => T::MYSQL_TYPE_SHORT,
                3 => T::MYSQL_TYPE_INT24,
                4 => T::MYSQL_TYPE_LONG,
                _ => T::MYSQL_TYPE_LONGLONG,
            }
        }
        Kind::Decimal { precision, scale } => {
            kind == T::MYSQL_TYPE_NEWDECIMAL
                && (detail(0), detail(1)) == (Some(*precision), Some(*scale))
        }
        Kind::Float => kind == T::MYSQL_TYPE_FLOAT,
        Kind::Double => kind == T::MYSQL_TYPE_DOUBLE,
        Kind::Fixed(_) => kind == T::MYSQL_TYPE_STRING,
        Kind::Varying(_, bytes) => {
            matches!(kind, T::MYSQL_TYPE_VARCHAR | T::MYSQL_TYPE_VAR_STRING) && length() == *bytes
        }
        Kind::Text(_, bytes) => kind == T::MYSQL_TYPE_BLOB && detail(0) == Some(*bytes),
        Kind::Json => kind == T::MYSQL_TYPE_JSON,
        Kind::Enum(members) => {
            let bytes = if members.len() < 256 { 1 } else { 2 };
            kind == T::MYSQL_TYPE_ENUM && detail(1) == Some(bytes)
        }
        Kind::Set(_) => kind == T::MYSQL_TYPE_SET,
        Kind::Date => kind == T::MYSQL_TYPE_NEWDATE,
        Kind::Datetime(digits) => match kind {
            T::MYSQL_TYPE_DATETIME2 => detail(0) == Some(*digits),
            other => other == T::MYSQL_TYPE_DATETIME,
        },
        Kind::Timestamp(digits) => match kind {
            T::MYSQL_TYPE_TIMESTAMP2 => detail(0) == Some(*digits),
            other => other == T::MYSQL_TYPE_TIMESTAMP,
        },
        Kind::Year => kind == T::MYSQL_TYPE_YEAR,
        Kind::Bit => kind == T::MYSQL_TYPE_BIT,
        Kind::Other => true,
    }
}
