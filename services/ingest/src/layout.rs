//! A mapped table as it is now: the mapping's names turned into places of columns.

mod resolve;

use std::fmt;

pub(crate) use resolve::Resolver;

use crate::{
    mapping::{InteractionTable, ItemTable, Mapping, UserTable},
    reader::{InteractionReader, ItemReader, Reader, UserReader},
    schema::{Column, Table},
};

/// A mapped column that the table does not have, or not in a type that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    pub table: String,
    /// `None` where it is the whole table.
    pub column: Option<String>,
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "table {}, column {column}: {}", self.table, self.reason),
            None => write!(f, "table {}: {}", self.table, self.reason),
        }
    }
}

/// All that is wrong with a database, seen from a mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("; "))
    }
}

/// One mapped table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped<'a> {
    Items(&'a ItemTable),
    Users(&'a UserTable),
    Interactions(&'a InteractionTable),
}

impl<'a> Mapped<'a> {
    /// The tables of a mapping, in the order in which they are read.
    pub fn all(mapping: &'a Mapping) -> Vec<Self> {
        let items = mapping.items.iter().map(Self::Items);
        let users = mapping.users.iter().map(Self::Users);
        items.chain(users).chain(mapping.interactions.iter().map(Self::Interactions)).collect()
    }

    pub fn of(mapping: &'a Mapping, table: &str) -> Option<Self> {
        Self::all(mapping).into_iter().find(|mapped| mapped.table() == table)
    }

    pub fn table(&self) -> &'a str {
        match self {
            Self::Items(table) => &table.table,
            Self::Users(table) => &table.table,
            Self::Interactions(table) => &table.table,
        }
    }
}

/// How rows of one table are read.
#[derive(Debug, Clone)]
pub struct Layout {
    pub table: Table,
    /// Places of the columns that are read, in the table.
    pub needed: Vec<usize>,
    /// Places of the key's columns, in `needed`.
    pub key: Vec<usize>,
    pub reader: Reader,
}

impl Layout {
    /// Finds the mapping's columns in the table.
    pub fn resolve(mapped: &Mapped<'_>, table: Table) -> Result<Self, Faults> {
        let mut resolver = Resolver::new(&table, mapped);
        let reader = match mapped {
            Mapped::Items(rules) => Reader::Items(ItemReader::resolve(rules, &mut resolver)),
            Mapped::Users(rules) => Reader::Users(UserReader::resolve(rules, &mut resolver)),
            Mapped::Interactions(rules) => {
                Reader::Interactions(InteractionReader::resolve(rules, &mut resolver))
            }
        };
        let (needed, key) = resolver.finish()?;
        Ok(Self { table, needed, key, reader })
    }

    /// The columns that are read, in the order of a row's cells.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.needed.iter().map(|place| &self.table.columns[*place])
    }
}
