//! The durable state: users, items, behaviour, and the logs of what changed.

mod embedded;
mod error;
mod record;

use tributary_domain::{Event, Gender, Item, ItemCounters, Served, SourceChange};

use crate::user::User;
pub use embedded::Store;
pub use error::{OpenError, StoreError};

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
