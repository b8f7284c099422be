//! The durable state: users, items, behaviour, and the logs of what changed.

mod embedded;
mod error;
mod record;
mod redis;

use std::{collections::HashSet, hash::Hash, sync::Arc};

use tokio::{sync::watch, task};
use tributary_domain::{
    Event, Gender, Item, ItemChange, ItemCounters, ItemId, Served, ServedEvent, SourceChange,
    UserContext, UserId, UserProfile,
};

use crate::{
    Retention, StoreConfig,
    codec::Corrupt,
    config::{RedisConfig, StoreKind},
    user::User,
};
pub use error::{OpenError, StoreError};

/// A page ends at the first of these, so that its message stays small whatever the items.
const PAGE_ENTRIES: usize = 1_000;
const PAGE_BYTES: usize = 1024 * 1024;

/// The last sequence numbers of the two logs, and how many users were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heads {
    pub items: u64,
    pub events: u64,
    /// Deletions so far, those of users that nothing was known of too. It names nobody.
    pub user_deletions: u64,
}

/// What a call changed in the item log, and the log's last number after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemsWritten {
    pub changed: u32,
    pub sequence: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventsWritten {
    pub recorded: u32,
    pub duplicates: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredItem {
    pub item: Item,
    pub counters: ItemCounters,
}

/// Changes of another database, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Names that database.
    pub source: String,
    /// Up to where it was read with these changes.
    pub position: Vec<u8>,
    /// The position that must be stored before; empty: none.
    pub expected: Vec<u8>,
    pub changes: Vec<SourceChange>,
}

/// What became of changes. Those that found the store as they leave it are duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangesWritten {
    pub changed: u32,
    pub duplicates: u32,
    /// The item log's last number after the call.
    pub item_sequence: u64,
}

/// An event of the log with what was known of its user when it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    pub event: Event,
    /// The segment the user was in.
    pub age: Option<u8>,
    pub gender: Option<Gender>,
    pub served: Option<Served>,
    /// The user's version after the event.
    pub user_version: u64,
}

impl LoggedEvent {
    /// An event that `user` has just taken in.
    fn of(user: &User, event: Event, served: Option<Served>) -> Self {
        let profile = user.profile.as_ref();
        let age = profile.and_then(|profile| profile.age);
        let gender = profile.and_then(|profile| profile.gender);
        Self { event, age, gender, served, user_version: user.version }
    }
}

/// A part of a log, ascending by sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub entries: Vec<(u64, T)>,
    /// The log's last number in the state the page was read from.
    pub head: u64,
    /// The page goes up to the end of the log.
    pub complete: bool,
    /// Entries after the asked one were dropped from the log before they were read.
    pub truncated: bool,
}

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub enum Store {
    Embedded(embedded::Store),
    Redis(redis::Store),
}

/// Calls the same method of whichever store it is.
macro_rules! either {
    ($store:expr, $kept:ident => $call:expr) => {
        match $store {
            Store::Embedded($kept) => $call,
            Store::Redis($kept) => $call,
        }
    };
}

impl Store {
    /// Opens the configured store, or founds it.
    pub async fn open(
        config: StoreConfig,
        redis: &RedisConfig,
        retention: Retention,
    ) -> Result<Self, OpenError> {
        match config.kind {
            StoreKind::Redis => Self::redis(redis, retention).await,
            StoreKind::Embedded => {
                let opening = task::spawn_blocking(move || Self::embedded(&config, retention));
                opening.await.map_err(OpenError::Aborted)?
            }
        }
    }

    /// Opens the database in the configured folder, or makes it. Blocks.
    pub fn embedded(config: &StoreConfig, retention: Retention) -> Result<Self, OpenError> {
        embedded::Store::open(config, retention).map(Self::Embedded)
    }

    /// Connects to Redis. Waits for it as long as is configured.
    pub async fn redis(config: &RedisConfig, retention: Retention) -> Result<Self, OpenError> {
        redis::Store::open(config, retention).await.map(Self::Redis)
    }

    /// Names this store: another store never has the same name.
    pub fn name(&self) -> Arc<str> {
        either!(self, store => store.name())
    }

    /// The heads of the logs, as they move.
    pub fn heads(&self) -> watch::Receiver<Heads> {
        either!(self, store => store.heads())
    }

    /// Resolves when the store has ended though nobody closed it: after a failed commit the state
    /// on disk is known only when it is opened again.
    pub async fn failed(&self) {
        either!(self, store => store.failed().await);
    }

    /// Ends the store once it has written what waits, whatever clones are left.
    pub async fn close(self) {
        match self {
            Self::Embedded(store) => store.close().await,
            // Nothing waits: a call is written when it is answered.
            Self::Redis(store) => drop(store),
        }
    }

    /// The user's context, the cold one where nothing is known.
    pub async fn context(&self, user: UserId) -> Result<UserContext, StoreError> {
        either!(self, store => store.context(user).await)
    }

    /// The items in the order of the ids, `None` where one is unknown or deleted.
    pub async fn items(&self, ids: Vec<ItemId>) -> Result<Vec<Option<StoredItem>>, StoreError> {
        either!(self, store => store.items(ids).await)
    }

    /// Changes of the item log after a sequence number, the last change of each item only.
    pub async fn item_changes(&self, after: u64) -> Result<Page<ItemChange>, StoreError> {
        either!(self, store => store.item_changes(after).await)
    }

    /// Events of the log after a sequence number.
    pub async fn events(&self, after: u64) -> Result<Page<LoggedEvent>, StoreError> {
        either!(self, store => store.events(after).await)
    }

    /// Creates or replaces items; of two with one id the later counts.
    pub async fn upsert_items(&self, items: Vec<Item>) -> Result<ItemsWritten, StoreError> {
        either!(self, store => store.upsert_items(items).await)
    }

    pub async fn delete_items(&self, ids: Vec<ItemId>) -> Result<ItemsWritten, StoreError> {
        either!(self, store => store.delete_items(ids).await)
    }

    /// Creates or replaces profiles; of two with one id the later counts. Gives how many differ
    /// from what was stored.
    pub async fn upsert_users(&self, users: Vec<UserProfile>) -> Result<u32, StoreError> {
        either!(self, store => store.upsert_users(users).await)
    }

    /// Removes profile, behaviour, seen items and recorded events of the user, and gives whether
    /// there were any. The counters of items stay: they name nobody.
    pub async fn delete_user(&self, user: UserId) -> Result<bool, StoreError> {
        either!(self, store => store.delete_user(user).await)
    }

    /// Records the events that were not recorded before.
    pub async fn record(&self, events: Vec<ServedEvent>) -> Result<EventsWritten, StoreError> {
        either!(self, store => store.record(events).await)
    }

    /// Writes changes of another database, and the position up to which it was read.
    pub async fn apply(&self, changes: Changes) -> Result<ChangesWritten, StoreError> {
        either!(self, store => store.apply(changes).await)
    }

    /// Up to where that database was read; empty where no position was stored.
    pub async fn position(&self, source: String) -> Result<Vec<u8>, StoreError> {
        either!(self, store => store.position(source).await)
    }
}

fn corrupt(table: &'static str, key: u64) -> impl FnOnce(Corrupt) -> StoreError {
    move |source| StoreError::Corrupt { table, key, source }
}

/// The last value of each key, in the order of the values kept.
fn last_of_each<T, K: Hash + Eq>(values: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut met = HashSet::with_capacity(values.len());
    let mut kept: Vec<T> =
        values.into_iter().rev().filter(|value| met.insert(key(value))).collect();
    kept.reverse();
    kept
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a call has at most a thousand rows")
}
