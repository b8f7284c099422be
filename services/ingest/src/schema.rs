//! What the database says of a table: columns with their types, and keys.

mod image;
mod kind;

use std::collections::BTreeMap;

use mysql_async::{Conn, prelude::Queryable};
use serde::{Deserialize, Serialize};

pub(crate) use image::TableImage;
pub(crate) use kind::{Charset, Kind};

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    /// As the database writes it, such as `int(10) unsigned`.
    pub declared: String,
    pub nullable: bool,
}

/// A table as it is at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// As the server spells it, here and in the binlog.
    pub name: String,
    pub columns: Vec<Column>,
    /// Unique keys, the primary one first, each with its columns' names in the key's order.
    pub unique: Vec<Vec<String>>,
    /// What foreign keys of this table change by themselves, each as a sentence: on most servers
    /// without a trace in the binlog.
    pub cascades: Vec<String>,
}

impl Table {
    /// Reads the table `name` of the connection's database. `None` where there is none, or where
    /// the user may not see it.
    pub async fn read(conn: &mut Conn, name: &str) -> Result<Option<Self>, mysql_async::Error> {
        let (spelled, columns) = columns(conn, name).await?;
        if columns.is_empty() {
            return Ok(None);
        }
        let (unique, cascades) = (unique(conn, name).await?, cascades(conn, name).await?);
        Ok(Some(Self { name: spelled, columns, unique, cascades }))
    }

    /// The column's place and type. Names are compared as the server does, without regard to case.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        let mut columns = self.columns.iter().enumerate();
        columns.find(|(_, column)| column.name.eq_ignore_ascii_case(name))
    }

    /// The columns that name a row: those of the first unique key without NULL.
    pub fn key(&self) -> Option<&[String]> {
        let complete = |key: &&Vec<String>| {
            let columns = key.iter().map(|name| self.column(name));
            columns.into_iter().all(|column| column.is_some_and(|(_, column)| !column.nullable))
        };
        self.unique.iter().find(complete).map(Vec::as_slice)
    }

    /// Whether no two rows have the same values in all of these columns.
    pub fn is_unique(&self, columns: &[&str]) -> bool {
        let within = |name: &String| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        self.unique.iter().any(|key| key.iter().all(within))
    }
}

type ColumnRow = (String, String, String, String, String, Option<String>, Option<u64>);

/// The table's name as the server spells it, and its columns.
async fn columns(
    conn: &mut Conn,
    table: &str,
) -> Result<(String, Vec<Column>), mysql_async::Error> {
    let rows: Vec<ColumnRow> = conn
        .exec(
            "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, \
             CHARACTER_SET_NAME, CHARACTER_OCTET_LENGTH FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
            (table,),
        )
        .await?;
    let spelled = rows.first().map_or_else(String::new, |row| row.0.clone());
    let column = |(_, name, data_type, declared, nullable, charset, bytes): ColumnRow| {
        let kind = Kind::parse(&data_type, &declared, charset.as_deref(), bytes);
        Column { name, kind, declared, nullable: nullable == "YES" }
    };
    Ok((spelled, rows.into_iter().map(column).collect()))
}

async fn unique(conn: &mut Conn, table: &str) -> Result<Vec<Vec<String>>, mysql_async::Error> {
    let rows: Vec<(String, Option<String>, Option<u64>)> = conn
        .exec(
            "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND NON_UNIQUE = 0 \
             ORDER BY INDEX_NAME, SEQ_IN_INDEX",
            (table,),
        )
        .await?;
    // A key over an expression or over the beginning of a text does not name rows by a column.
    let mut keys: BTreeMap<(bool, String), Option<Vec<String>>> = BTreeMap::new();
    for (index, column, part) in rows {
        let key = keys.entry((index != "PRIMARY", index)).or_insert_with(|| Some(Vec::new()));
        match (column, part) {
            (Some(column), None) => key.iter_mut().for_each(|key| key.push(column.clone())),
            (None, _) | (_, Some(_)) => *key = None,
        }
    }
    Ok(keys.into_values().flatten().collect())
}

async fn cascades(conn: &mut Conn, table: &str) -> Result<Vec<String>, mysql_async::Error> {
    let rows: Vec<(String, String, String, String)> = conn
        .exec(
            "SELECT CONSTRAINT_NAME, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE \
             FROM information_schema.REFERENTIAL_CONSTRAINTS \
             WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = ?",
            (table,),
        )
        .await?;
    let silent = |rule: &str| rule.starts_with("CASCADE") || rule.starts_with("SET");
    let told = |(name, parent, delete, update): (String, String, String, String)| {
        let rules = [("DELETE", delete), ("UPDATE", update)];
        let rules = rules.into_iter().filter(|(_, rule)| silent(rule));
        let rules: Vec<String> = rules.map(|(verb, rule)| format!("ON {verb} {rule}")).collect();
        let rules = rules.join(" ");
        (!rules.is_empty()).then(|| format!("{name} ({rules}, from {parent})"))
    };
    Ok(rows.into_iter().filter_map(told).collect())
}
