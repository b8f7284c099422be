//! From rows to items, users and events.

mod interaction;
mod item;
mod rules;
mod user;

use tributary_domain::FieldError;
use tributary_proto::entity::v1 as entity;

pub(crate) use interaction::InteractionReader;
pub(crate) use item::ItemReader;
pub(crate) use user::UserReader;

use crate::{
    cell::{Cell, Unreadable},
    layout::Layout,
};

/// The cells of a row, in the order of its layout's columns.
pub(crate) type Row = Vec<Result<Cell, Unreadable>>;

/// How rows of a table are read.
#[derive(Debug, Clone)]
pub enum Reader {
    Items(ItemReader),
    Users(UserReader),
    Interactions(InteractionReader),
}

impl Reader {
    /// What its rows are, as a label of metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Items(_) => "items",
            Self::Users(_) => "users",
            Self::Interactions(_) => "interactions",
        }
    }
}

/// What a row is to the mesh.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    Item(Box<entity::Item>),
    User(entity::UserProfile),
    Event(entity::Event),
    /// Deleted, or passed over.
    Absent,
}

/// Why a row cannot be used: the column, or the field made from it, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{column}: {reason}")]
pub struct BadRow {
    pub column: String,
    pub cause: Cause,
    pub reason: String,
}

/// The class of a bad row's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// NULL where a value is needed.
    Null,
    /// A number or time out of range, or none at all.
    Range,
    /// Broken JSON, or JSON of another shape.
    Json,
    /// A value that the mapping does not know.
    Unmapped,
    /// Not readable as its column's type.
    Type,
    /// Against the contract of `feature`: too long, too many.
    Contract,
}

impl Cause {
    /// As a label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Range => "range",
            Self::Json => "json",
            Self::Unmapped => "unmapped",
            Self::Type => "type",
            Self::Contract => "contract",
        }
    }
}

impl BadRow {
    fn new(column: &str, cause: Cause, reason: impl Into<String>) -> Self {
        Self { column: column.to_owned(), cause, reason: reason.into() }
    }
}

impl From<FieldError> for BadRow {
    fn from(error: FieldError) -> Self {
        Self { column: error.field, cause: Cause::Contract, reason: error.reason }
    }
}

impl Layout {
    /// What the row is.
    pub fn state(&self, row: &Row) -> Result<State, BadRow> {
        let cells = rules::Cells::new(self, row);
        match &self.reader {
            Reader::Items(reader) => reader.read(&cells),
            Reader::Users(reader) => reader.read(&cells),
            Reader::Interactions(reader) => reader.read(&cells),
        }
    }

    /// The id of the item or user that the row is, whatever else is wrong with it.
    pub fn id(&self, row: &Row) -> Option<u64> {
        let cells = rules::Cells::new(self, row);
        match &self.reader {
            Reader::Items(reader) => reader.id(&cells).ok(),
            Reader::Users(reader) => reader.id(&cells).ok(),
            Reader::Interactions(_) => None,
        }
    }

    /// The values of the key, by the columns' names.
    pub fn key_of(&self, row: &Row) -> serde_json::Map<String, serde_json::Value> {
        let names: Vec<&str> = self.columns().map(|column| column.name.as_str()).collect();
        let value = |place: &usize| (names[*place].to_owned(), json(&row[*place]));
        self.key.iter().map(value).collect()
    }

    /// All that was read of the row, by the columns' names.
    pub fn to_json(&self, row: &Row) -> serde_json::Map<String, serde_json::Value> {
        let names = self.columns().map(|column| column.name.clone());
        names.zip(row.iter().map(json)).collect()
    }
}

fn json(cell: &Result<Cell, Unreadable>) -> serde_json::Value {
    match cell {
        Ok(cell) => cell.to_json(),
        Err(error) => serde_json::Value::String(format!("<{error}>")),
    }
}
