//! The data set: what every reader produces and every later step starts from.
//!
//! A reader turns its files into items, users, events and taggings; nothing after this module
//! knows where they came from.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use tributary_domain::{Event, Item, ItemId, Timestamp, UserId, UserProfile};

mod atomic;
mod columnar;
mod delimited;
mod detect;
mod fields;
mod given;
pub(crate) mod label;
mod limits;
mod movielens_100k;
mod movielens_1m;
mod movielens_latest;
mod normalised;
mod rating;
mod row;
mod served;
mod table;
mod untimed;
mod user_items;

pub use detect::{Files, Format, Parts, Source, read};
pub use normalised::{GivenSummary, Summary};
pub(crate) use normalised::{summary, to_lines};
pub use row::{BadRow, Rejections};
pub use served::{ServedChannel, ServedItem, ServedList};

/// Why a data set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error(
        "no known data set in {}: give --data a folder with *.inter, u.data, ratings.csv, \
         ratings.dat or events.csv, or one CSV, TSV or Parquet file", .0.display()
    )]
    Unknown(PathBuf),
    #[error("cannot read {}: check that the file exists and may be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} has no column {column:?}: it has {found}", path.display())]
    Column { path: PathBuf, column: String, found: String },
    #[error("{} is not a readable Parquet file", path.display())]
    Parquet { path: PathBuf, source: parquet::errors::ParquetError },
    #[error(
        "column {column:?} of {} is of a type that is not read: write it as a whole number, a \
         float, a text, a timestamp or a list of those ({found})", path.display()
    )]
    ColumnType { path: PathBuf, column: String, found: String },
    #[error(
        "one of {} and {} has times and the other has none: give times to all parts or to none",
        train.display(), other.display()
    )]
    Times { train: PathBuf, other: PathBuf },
    #[error("{} has no usable event: give --test a file that asks for something", .0.display())]
    EmptyTest(PathBuf),
    #[error(
        "the ids of {} count from 0 and are shifted by one, so that no file of items or users \
         fits them: leave --data out", .0.display()
    )]
    ShiftedIds(PathBuf),
    #[error(
        "{} of {} rows are bad, more than the {allowed} allowed: correct them or raise \
         data.rejected_share; the first are {}", rejections.rejected, rejections.rows,
        rejections.examples.join("; ")
    )]
    TooManyRejected { rejections: Rejections, allowed: usize },
    #[error("{events} usable events of {users} users are too few to train on: give more data")]
    TooSmall { events: usize, users: usize },
}

/// A tag that some user put on an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagging {
    pub item: ItemId,
    pub tag: String,
    pub time: Timestamp,
}

/// A split that came with the files. No part has a user's item that an earlier one has, unless it
/// was only shown there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenSplit {
    /// Ordered as [`DataSet::events`].
    pub validation: Vec<Event>,
    /// Ordered as [`DataSet::events`].
    pub test: Vec<Event>,
}

impl GivenSplit {
    fn events(&self) -> impl Iterator<Item = &Event> {
        self.validation.iter().chain(&self.test)
    }
}

/// Items, users and events in one shape, whatever the files were.
#[derive(Debug, Clone, Default)]
pub struct DataSet {
    pub name: String,
    /// Ascending ids; every item that an event names is here.
    pub items: Vec<Item>,
    /// Ascending ids; every user of an event is here.
    pub users: Vec<UserProfile>,
    /// Ascending (time, user, item, action), the order in which the feature service keeps a
    /// user's behaviours.
    pub events: Vec<Event>,
    /// What users tagged; the items carry none of these themselves.
    pub taggings: Vec<Tagging>,
    /// False where the files had no times: the events stand in random order, those of a given
    /// split in an order that keeps each user's order of the file.
    pub timed: bool,
    pub rejections: Rejections,
    /// The other parts, where the files were divided; `events` is then the training part.
    pub given: Option<GivenSplit>,
    /// Events of those parts that were left out: an earlier part has the same user and item.
    pub repeated: usize,
    /// Answers as they were served, in order of time, where the data is the export of a log.
    pub served: Vec<ServedList>,
}

const TAGS_PER_ITEM: usize = 20;

impl DataSet {
    /// The items as of a moment, with the tags given before it (with all tags for `None`), the
    /// most frequent ones first.
    pub fn catalogue(&self, before: Option<Timestamp>) -> Vec<Item> {
        let mut counts: HashMap<ItemId, BTreeMap<&str, usize>> = HashMap::new();
        for tagging in &self.taggings {
            if before.is_none_or(|before| tagging.time < before) {
                *counts.entry(tagging.item).or_default().entry(&tagging.tag).or_default() += 1;
            }
        }
        let mut items = self.items.clone();
        for item in &mut items {
            if let Some(counts) = counts.get(&item.id) {
                item.tags.extend(most_frequent(counts));
            }
        }
        items
    }

    /// The profile of a user, if there is one.
    pub fn profile(&self, user: UserId) -> Option<&UserProfile> {
        let index = self.users.binary_search_by_key(&user, |profile| profile.id).ok()?;
        Some(&self.users[index])
    }

    /// Brings a reader's raw lists into the promised shape: sorted, one entry an id, nothing
    /// missing, no event twice.
    fn normalise(mut self) -> Result<Self, DataError> {
        order(&mut self.events);
        if let Some(given) = &mut self.given {
            order(&mut given.validation);
            order(&mut given.test);
            self.repeated = given::part(&self.events, given);
        }
        self.taggings.sort_by_key(|tagging| tagging.time);
        let events = || self.events.iter().chain(self.given.iter().flat_map(GivenSplit::events));
        self.items = complete(self.items, events().map(|event| event.behaviour.item));
        self.users = complete(self.users, events().map(|event| event.user));
        let (events, users) = (self.events.len(), self.users.len());
        if events < MINIMUM_EVENTS || users < MINIMUM_USERS {
            return Err(DataError::TooSmall { events, users });
        }
        Ok(self)
    }
}

/// Sorts by time, user, item and action, and keeps the first of those that agree in all of them.
fn order(events: &mut Vec<Event>) {
    let key = |event: &Event| {
        let Event { user, behaviour } = event;
        (behaviour.time, *user, behaviour.item, behaviour.action)
    };
    events.sort_by_key(key);
    events.dedup_by_key(|event| key(event));
}

const MINIMUM_EVENTS: usize = 200;
const MINIMUM_USERS: usize = 10;

fn most_frequent(counts: &BTreeMap<&str, usize>) -> Vec<String> {
    let mut tags: Vec<(&str, usize)> = counts.iter().map(|(tag, count)| (*tag, *count)).collect();
    tags.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    tags.into_iter().take(TAGS_PER_ITEM).map(|(tag, _)| tag.to_owned()).collect()
}

/// An entity that can stand for an id of which nothing else is known.
trait Entity {
    type Id: Ord + Copy;
    fn id(&self) -> Self::Id;
    fn bare(id: Self::Id) -> Self;
}

impl Entity for Item {
    type Id = ItemId;

    fn id(&self) -> ItemId {
        self.id
    }

    fn bare(id: ItemId) -> Self {
        Item::bare(id)
    }
}

impl Entity for UserProfile {
    type Id = UserId;

    fn id(&self) -> UserId {
        self.id
    }

    fn bare(id: UserId) -> Self {
        Self {
            id,
            age: None,
            gender: None,
            occupation: String::new(),
            blocked_creators: Vec::new(),
            blocked_tags: Vec::new(),
        }
    }
}

/// Sorts by id, the last entry of an id wins, and adds bare entries for `mentioned` ids.
fn complete<E: Entity>(entities: Vec<E>, mentioned: impl Iterator<Item = E::Id>) -> Vec<E> {
    let mut by_id: BTreeMap<E::Id, E> =
        entities.into_iter().map(|entity| (entity.id(), entity)).collect();
    for id in mentioned {
        by_id.entry(id).or_insert_with(|| E::bare(id));
    }
    by_id.into_values().collect()
}

#[cfg(test)]
mod tests {
    use tributary_domain::{Action, Behaviour};

    use super::*;

    #[test]
    fn catalogue_holds_only_tags_of_its_time() {
        let tagging = |item, tag: &str, time| Tagging {
            item: ItemId(item),
            tag: tag.into(),
            time: Timestamp(time),
        };
        let data = DataSet {
            items: vec![Item::bare(ItemId(1)), Item::bare(ItemId(2))],
            taggings: vec![
                tagging(1, "a", 1),
                tagging(1, "b", 2),
                tagging(1, "b", 3),
                tagging(2, "c", 9),
            ],
            ..DataSet::default()
        };
        let tags = |before: Option<i64>| -> Vec<Vec<String>> {
            data.catalogue(before.map(Timestamp)).into_iter().map(|item| item.tags).collect()
        };
        assert_eq!(tags(Some(2)), [vec!["a".to_owned()], vec![]]);
        assert_eq!(tags(None), [vec!["b".to_owned(), "a".to_owned()], vec!["c".to_owned()]]);
    }

    #[test]
    fn normalise_completes_sorts_and_drops_repeats() {
        let event = |user, item, time| Event {
            user: UserId(user),
            behaviour: Behaviour {
                item: ItemId(item),
                action: Action::View,
                time: Timestamp(time),
                dwell_ms: 0,
            },
        };
        let mut events: Vec<Event> = (0..300)
            .map(|index| event(index % 20 + 1, index + 1, 1_000 - i64::try_from(index).unwrap()))
            .collect();
        events.push(events[0]);
        let data = DataSet { events, ..DataSet::default() }.normalise().unwrap();
        assert_eq!((data.items.len(), data.users.len(), data.events.len()), (300, 20, 300));
        assert!(data.events.is_sorted_by_key(|event| event.behaviour.time));
    }

    #[test]
    fn events_of_one_moment_stand_in_the_order_of_the_feature_service() {
        let event = |user, item, action| {
            let time = Timestamp(7);
            let behaviour = Behaviour { item: ItemId(item), action, time, dwell_ms: 0 };
            Event { user: UserId(user), behaviour }
        };
        let events = (0..240)
            .rev()
            .map(|index| {
                let action = if index / 12 % 2 == 0 { Action::Click } else { Action::Bookmark };
                event(index % 12 + 1, index / 24 + 1, action)
            })
            .collect();
        let data = DataSet { events, ..DataSet::default() }.normalise().unwrap();
        assert!(data.events.is_sorted_by_key(|event| {
            (event.user, event.behaviour.item, event.behaviour.action)
        }));
    }
}
