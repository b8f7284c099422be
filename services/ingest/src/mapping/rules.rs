//! How one column, or a few, are read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tributary_domain::Action;

use super::{InteractionTable, ItemTable, Mapping, UserTable};

/// Values of a column, as text, and what they stand for. Numbers are written without leading
/// zeros, members of an ENUM by their name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueMap<T> {
    pub column: String,
    pub values: BTreeMap<String, T>,
    /// What all other values stand for, NULL included. Without it, a row with another value is a
    /// bad row.
    pub otherwise: Option<T>,
}

/// What a row must be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub column: String,
    /// It is one of these. NULL is none of them.
    #[serde(default)]
    pub values: Vec<String>,
    /// It is NULL (`true`), or is not (`false`).
    pub null: Option<bool>,
}

/// A column with several texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    pub column: String,
    pub format: LabelFormat,
    /// In `json-objects`: the field with the text.
    #[serde(default = "name")]
    pub name: String,
    /// In `json-objects`: a field with the same text in another language, which becomes a label of
    /// its own where it is not empty.
    pub translation: Option<String>,
    /// In `separated`: what stands between two texts.
    #[serde(default = "comma")]
    pub separator: String,
}

fn name() -> String {
    "name".to_owned()
}

fn comma() -> String {
    ",".to_owned()
}

/// How several texts lie in one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelFormat {
    /// `[{"name": "cat", "translatedName": "猫"}, …]`
    JsonObjects,
    /// `["cat", "dog"]`
    JsonTexts,
    /// `cat, dog`
    Separated,
}

/// A column with a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    pub column: String,
    #[serde(default)]
    pub format: TimeFormat,
    /// The zone of a DATETIME or DATE column: `UTC`, `Asia/Tokyo`, `+09:00`. A TIMESTAMP column
    /// needs none.
    #[serde(default = "utc")]
    pub zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What a time is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeFormat {
    /// TIMESTAMP, DATETIME or DATE.
    #[default]
    Datetime,
    /// A number of seconds since 1970, fractions allowed.
    Seconds,
    /// A number of milliseconds since 1970.
    Milliseconds,
}

/// What the user did: always the same, or told by a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionRule {
    pub always: Option<Action>,
    pub column: Option<String>,
    #[serde(default)]
    pub values: BTreeMap<String, Effect>,
}

/// What a value of the action's column stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Impression,
    Click,
    View,
    Bookmark,
    Share,
    Hide,
    /// The row is passed over.
    Ignore,
}

impl Effect {
    /// `None` where the row is passed over.
    pub fn action(self) -> Option<Action> {
        Some(match self {
            Self::Impression => Action::Impression,
            Self::Click => Action::Click,
            Self::View => Action::View,
            Self::Bookmark => Action::Bookmark,
            Self::Share => Action::Share,
            Self::Hide => Action::Hide,
            Self::Ignore => return None,
        })
    }
}

fn ages<const N: usize>(column: &str, values: [(&str, u8); N]) -> ValueMap<u8> {
    let values = values.map(|(value, age)| (value.to_owned(), age)).into();
    ValueMap { column: column.to_owned(), values, otherwise: None }
}

fn moment(column: &str) -> Moment {
    Moment { column: column.to_owned(), format: TimeFormat::Datetime, zone: utc() }
}

/// The mapping of `deploy/config/ingest.toml`.
pub(super) fn illustrations() -> Mapping {
    let column = |name: &str| Some(name.to_owned());
    let tags = Labels {
        column: "tags".to_owned(),
        format: LabelFormat::JsonObjects,
        name: name(),
        translation: column("translatedName"),
        separator: comma(),
    };
    let hidden = Condition {
        column: "restrict".to_owned(),
        values: vec!["1".to_owned(), "2".to_owned()],
        null: None,
    };
    let items = ItemTable {
        table: "illust".to_owned(),
        id: "illust_id".to_owned(),
        title: column("title"),
        text: None,
        creator: column("artist_id"),
        tags: Some(tags),
        genres: None,
        year: None,
        width: column("width"),
        height: column("height"),
        total_bookmarks: column("total_bookmarks"),
        total_views: column("total_view"),
        created: Some(moment("create_time")),
        minimum_age: vec![
            ages("sanity_level", [("0", 0), ("2", 0), ("4", 15), ("6", 18)]),
            ages("x_restrict", [("0", 0), ("1", 18), ("2", 18)]),
        ],
        hidden: vec![hidden],
        deleted: Vec::new(),
        only: Vec::new(),
        optional: vec!["title".to_owned(), "create_time".to_owned()],
    };
    let users = UserTable {
        table: "user".to_owned(),
        id: "user_id".to_owned(),
        age: None,
        gender: None,
        occupation: None,
        blocked_creators: None,
        blocked_tags: None,
        deleted: Vec::new(),
        only: Vec::new(),
        optional: Vec::new(),
    };
    let labels = [("0", Effect::View), ("1", Effect::Bookmark)];
    let interactions = InteractionTable {
        table: "interaction".to_owned(),
        user: "user_id".to_owned(),
        item: "illust_id".to_owned(),
        action: ActionRule {
            always: None,
            column: column("label"),
            values: labels.map(|(value, effect)| (value.to_owned(), effect)).into(),
        },
        time: moment("create_time"),
        dwell_ms: None,
        deleted: Vec::new(),
        only: Vec::new(),
        optional: Vec::new(),
    };
    Mapping { items: Some(items), users: Some(users), interactions: vec![interactions] }
}
