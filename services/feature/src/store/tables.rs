//! The tables of the database. Names and types are on disk: a change needs a new `FORMAT`.

use redb::TableDefinition;
use tributary_domain::{Event, ItemId, Timestamp, UserId};

use super::{LoggedEvent, record};
use crate::codec::Corrupt;

pub(super) const FORMAT: u64 = 1;

/// Single numbers by name.
pub(super) const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");

pub(super) mod number {
    pub(in crate::store) const FORMAT: &str = "format";
    pub(in crate::store) const STORE: &str = "store";
    pub(in crate::store) const ITEM_HEAD: &str = "item_head";
    pub(in crate::store) const EVENT_HEAD: &str = "event_head";
    /// The greatest number dropped from the event log because it had grown too long.
    pub(in crate::store) const EVENT_DROPPED: &str = "event_dropped";
    pub(in crate::store) const USER_VERSION: &str = "user_version";
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
/// Every event ever recorded → its sequence number, which the log may have dropped.
pub(super) const RECORDED: TableDefinition<EventKey, u64> = TableDefinition::new("recorded");

/// User, item, action, time, dwell, age (0 unknown), gender.
pub(super) type EventRow = (u64, u64, u8, i64, u32, u8, u8);
/// Sequence number → event.
pub(super) const EVENT_LOG: TableDefinition<u64, EventRow> = TableDefinition::new("event_log");

pub(super) fn key_of(event: &Event) -> EventKey {
    let behaviour = &event.behaviour;
    let action = record::action_code(behaviour.action);
    (event.user.0, behaviour.item.0, behaviour.time.0, action)
}

/// The keys of all events of a user.
pub(super) fn keys_of(user: UserId) -> std::ops::RangeInclusive<EventKey> {
    (user.0, 0, i64::MIN, 0)..=(user.0, u64::MAX, i64::MAX, u8::MAX)
}

pub(super) fn row_of(logged: &LoggedEvent) -> EventRow {
    let LoggedEvent { event: Event { user, behaviour }, age, gender } = logged;
    (
        user.0,
        behaviour.item.0,
        record::action_code(behaviour.action),
        behaviour.time.0,
        behaviour.dwell_ms,
        age.unwrap_or(0),
        record::gender_code(*gender),
    )
}

pub(super) fn event_of(row: EventRow) -> Result<LoggedEvent, Corrupt> {
    let (user, item, action, time, dwell_ms, age, gender) = row;
    let behaviour = tributary_domain::Behaviour {
        item: ItemId(item),
        action: record::action_of(action)?,
        time: Timestamp(time),
        dwell_ms,
    };
    Ok(LoggedEvent {
        event: Event { user: UserId(user), behaviour },
        age: (age != 0).then_some(age),
        gender: record::gender_of(gender)?,
    })
}
