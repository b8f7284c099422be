//! Which tables and columns of a business database become items, users and interactions.

mod check;
mod rules;

use serde::{Deserialize, Serialize};
use tributary_domain::{FieldError, Gender};

pub use rules::{ActionRule, Condition, Effect, LabelFormat, Labels, Moment, TimeFormat, ValueMap};

/// What is read from the database. The default fits the illustration schema of
/// `docs/mysql/illustrations.sql`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub items: Option<ItemTable>,
    pub users: Option<UserTable>,
    /// Any number of tables: bookmarks may lie in one, views in another.
    #[serde(default)]
    pub interactions: Vec<InteractionTable>,
}

/// The table whose rows are items. All but `table` and `id` may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemTable {
    pub table: String,
    /// A column of positive integers, unique.
    pub id: String,
    pub title: Option<String>,
    pub text: Option<String>,
    pub creator: Option<String>,
    pub tags: Option<Labels>,
    pub genres: Option<Labels>,
    pub year: Option<String>,
    pub width: Option<String>,
    pub height: Option<String>,
    pub total_bookmarks: Option<String>,
    pub total_views: Option<String>,
    pub created: Option<Moment>,
    /// Each gives an age in years; the highest one counts.
    #[serde(default)]
    pub minimum_age: Vec<ValueMap<u8>>,
    /// A row for which one of these holds is a hidden item.
    #[serde(default)]
    pub hidden: Vec<Condition>,
    /// A row for which one of these holds is no item any more.
    #[serde(default)]
    pub deleted: Vec<Condition>,
    /// Rows for which one of these does not hold are passed over.
    #[serde(default)]
    pub only: Vec<Condition>,
    /// Columns that may be missing from the table: what is mapped from them is left out then.
    #[serde(default)]
    pub optional: Vec<String>,
}

/// The table whose rows are users. All but `table` and `id` may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserTable {
    pub table: String,
    /// A column of positive integers, unique.
    pub id: String,
    /// Years.
    pub age: Option<String>,
    pub gender: Option<ValueMap<Gender>>,
    pub occupation: Option<String>,
    /// A JSON array of creators' ids.
    pub blocked_creators: Option<String>,
    pub blocked_tags: Option<Labels>,
    #[serde(default)]
    pub deleted: Vec<Condition>,
    #[serde(default)]
    pub only: Vec<Condition>,
    #[serde(default)]
    pub optional: Vec<String>,
}

/// A table whose rows are behaviour of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InteractionTable {
    pub table: String,
    /// The column with the user's id.
    pub user: String,
    /// The column with the item's id.
    pub item: String,
    pub action: ActionRule,
    pub time: Moment,
    /// Milliseconds of looking.
    pub dwell_ms: Option<String>,
    #[serde(default)]
    pub deleted: Vec<Condition>,
    #[serde(default)]
    pub only: Vec<Condition>,
    #[serde(default)]
    pub optional: Vec<String>,
}

impl Mapping {
    /// The names of all tables, in the order in which they are read.
    pub fn tables(&self) -> Vec<&str> {
        let items = self.items.iter().map(|table| table.table.as_str());
        let users = self.users.iter().map(|table| table.table.as_str());
        let interactions = self.interactions.iter().map(|table| table.table.as_str());
        items.chain(users).chain(interactions).collect()
    }

    /// Finds what is well-formed and still makes no sense.
    pub fn check(&self) -> Result<(), FieldError> {
        check::mapping(self)
    }

    /// Equal for equal mappings only, as far as 64 bits can tell; kept with the position.
    pub fn fingerprint(&self) -> String {
        // FNV-1a: the same on every machine and in every version.
        let text = serde_json::to_string(self).expect("a mapping has text keys only");
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}")
    }
}

impl Default for Mapping {
    fn default() -> Self {
        rules::illustrations()
    }
}
