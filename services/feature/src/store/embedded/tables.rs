//! The tables of the database. Names and types are on disk: a change needs a new `FORMAT`.

use redb::TableDefinition;
use tributary_domain::{Behaviour, Event, ItemId, Timestamp, UserId};

use super::batch::Recorded;
use crate::{codec::Corrupt, store::record};

pub(super) const FORMAT: u64 = 2;

/// Single numbers by name.
pub(super) const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");

pub(super) mod number {
    pub(in crate::store::embedded) const FORMAT: &str = "format";
    pub(in crate::store::embedded) const STORE: &str = "store";
    pub(in crate::store::embedded) const ITEM_HEAD: &str = "item_head";
    pub(in crate::store::embedded) const EVENT_HEAD: &str = "event_head";
    /// The greatest number dropped from the event log because it had grown too long.
    pub(in crate::store::embedded) const EVENT_DROPPED: &str = "event_dropped";
    pub(in crate::store::embedded) const USER_DELETIONS: &str = "user_deletions";
    pub(in crate::store::embedded) const USER_VERSION: &str = "user_version";
}

/// User id → encoded profile.
pub(super) const PROFILES: TableDefinition<u64, &[u8]> = TableDefinition::new("profiles");
/// User id → encoded version and latest behaviours.
pub(super) const HISTORIES: TableDefinition<u64, &[u8]> = TableDefinition::new("histories");
/// User id → encoded contacts with items.
pub(super) const EXPOSURES: TableDefinition<u64, &[u8]> = TableDefinition::new("exposures");

/// Item id → encoded item; no row for a deleted item.
pub(super) const ITEMS: TableDefinition<u64, &[u8]> = TableDefinition::new("items");
/// Item id → counts by action, in the order of `ItemCounters`.
pub(super) const COUNTERS: TableDefinition<u64, [u64; 6]> = TableDefinition::new("counters");
/// Sequence number → id of the item that changed. An item has one row: its last change.
pub(super) const ITEM_LOG: TableDefinition<u64, u64> = TableDefinition::new("item_log");
/// Item id → its row in the item log; also for deleted items.
pub(super) const ITEM_PLACES: TableDefinition<u64, u64> = TableDefinition::new("item_places");

/// User, item, time, action.
pub(super) type EventKey = (u64, u64, i64, u8);
/// Sequence number in the log, which may have dropped the event, and milliseconds of looking.
pub(super) type RecordedRow = (u64, u32);
/// Every event ever recorded.
pub(super) const RECORDED: TableDefinition<EventKey, RecordedRow> =
    TableDefinition::new("recorded");

/// Sequence number → encoded event, with how its item came to be shown.
pub(super) const EVENT_LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("event_log");

/// Name of another database → up to where it was read.
pub(super) const POSITIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("positions");

pub(super) fn key_of(event: &Event) -> EventKey {
    let behaviour = &event.behaviour;
    let action = record::action_code(behaviour.action);
    (event.user.0, behaviour.item.0, behaviour.time.0, action)
}

/// The keys of all events of a user.
pub(super) fn keys_of(user: UserId) -> std::ops::RangeInclusive<EventKey> {
    (user.0, 0, i64::MIN, 0)..=(user.0, u64::MAX, i64::MAX, u8::MAX)
}

pub(super) fn recorded_of(key: EventKey, row: RecordedRow) -> Result<Recorded, Corrupt> {
    let (_user, item, time, action) = key;
    let (sequence, dwell_ms) = row;
    let (item, action, time) = (ItemId(item), record::action_of(action)?, Timestamp(time));
    Ok(Recorded { sequence, behaviour: Behaviour { item, action, time, dwell_ms } })
}
