//! The catalogue, the counters and the logs: all in one slot, changed by one script.

use deadpool_redis::redis::{self, Value};
use tributary_domain::{ItemChange, ItemCounters, ItemId};

use super::{
    identity::new_name,
    keys::{self, NUMBERS, Partition, hex},
    link::{Link, Request},
    script::{self, Invocation},
};
use crate::store::{
    Heads, LoggedEvent, PAGE_BYTES, PAGE_ENTRIES, Page, StoreError, StoredItem, corrupt, record,
};

/// A change of the catalogue, or an entry of an outbox.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Entry { partition: Partition, number: u64, payload: Vec<u8> },
    Put { item: ItemId, record: Vec<u8> },
    Delete { item: ItemId },
}

/// The position of another database, as it is expected and as it will be.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) source: String,
    pub(super) expected: Vec<u8>,
    pub(super) position: Vec<u8>,
}

pub(super) struct Written {
    /// The position was the expected one. Where it was not, only outboxes were taken in.
    pub(super) agreed: bool,
    pub(super) heads: Heads,
    /// Of each change of the catalogue, whether it changed anything.
    pub(super) changed: Vec<bool>,
}

/// Does all of it at once, each entry of an outbox that was not done before.
pub(super) async fn write(
    link: &Link,
    limit: u64,
    known: Heads,
    progress: Option<&Progress>,
    operations: &[Operation],
) -> Result<Written, StoreError> {
    let mut call = Invocation::of(&script::LOG);
    call.key(NUMBERS).arg(limit).arg(known.items).arg(known.events).bytes(new_name());
    match progress {
        Some(Progress { source, expected, position }) => {
            call.bytes(source.as_str()).bytes(expected.as_slice()).bytes(position.as_slice())
        }
        None => call.bytes("").bytes("").bytes(""),
    };
    for operation in operations {
        match operation {
            Operation::Entry { partition, number, payload } => {
                call.bytes("e").arg(partition.0).arg(number).bytes(payload.as_slice())
            }
            Operation::Put { item, record } => {
                call.bytes("u").bytes(hex(item.0)).bytes(record.as_slice())
            }
            Operation::Delete { item } => call.bytes("d").bytes(hex(item.0)),
        };
    }
    let (agreed, items, events, user_deletions, changed): (bool, u64, u64, u64, String) =
        link.write(call).await?;
    let changed = changed.bytes().map(|flag| flag == b'1').collect();
    Ok(Written { agreed, heads: Heads { items, events, user_deletions }, changed })
}

pub(super) async fn items(
    link: &Link,
    ids: &[ItemId],
) -> Result<Vec<Option<StoredItem>>, StoreError> {
    let names: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    let mut pipeline = redis::pipe();
    pipeline.cmd("MGET").arg(names.iter().map(|name| keys::item(name)).collect::<Vec<_>>());
    for name in &names {
        pipeline.cmd("HMGET").arg(keys::counters(name)).arg(&[1, 2, 3, 4, 5, 6]);
    }
    let mut rows: Vec<Value> = link.ask(Request::Pipeline(pipeline)).await?;
    let counters = rows.split_off(1);
    let records: Vec<Option<Vec<u8>>> =
        redis::from_redis_value(rows.remove(0)).map_err(redis::RedisError::from)?;
    let rows = ids.iter().zip(records).zip(counters);
    rows.map(|((id, record), counters)| stored_item(*id, record, counters)).collect()
}

fn stored_item(
    id: ItemId,
    record: Option<Vec<u8>>,
    counters: Value,
) -> Result<Option<StoredItem>, StoreError> {
    let Some(record) = record else { return Ok(None) };
    let item = record::decode_item(id, &record).map_err(corrupt("items", id.0))?;
    let counts: [Option<u64>; 6] =
        redis::from_redis_value(counters).map_err(redis::RedisError::from)?;
    let [impressions, clicks, views, bookmarks, shares, hides] =
        counts.map(|count| count.unwrap_or(0));
    let counters = ItemCounters { impressions, clicks, views, bookmarks, shares, hides };
    Ok(Some(StoredItem { item, counters }))
}

pub(super) async fn item_changes(link: &Link, after: u64) -> Result<Page<ItemChange>, StoreError> {
    let mut call = Invocation::of(&script::ITEMS);
    call.key(NUMBERS).arg(after).arg(PAGE_ENTRIES).arg(PAGE_BYTES);
    let mut rows = link.ask::<Vec<Value>>(Request::Script(call)).await?.into_iter();
    let head = next(&mut rows)?;
    let complete = next::<u64>(&mut rows)? == 1;
    let mut entries = Vec::with_capacity(rows.len() / 3);
    while rows.len() > 0 {
        let sequence = next(&mut rows)?;
        let name: String = next(&mut rows)?;
        let id = u64::from_str_radix(&name, 16)
            .map_err(|_| StoreError::Damaged { key: keys::item(&name) })?;
        let record: Option<Vec<u8>> = next(&mut rows)?;
        let change = match record {
            None => ItemChange::Deleted(ItemId(id)),
            Some(record) => ItemChange::Upserted(
                record::decode_item(ItemId(id), &record).map_err(corrupt("items", id))?,
            ),
        };
        entries.push((sequence, change));
    }
    Ok(Page { entries, head, complete, truncated: false })
}

/// A stretch of the log may be empty, because deleted users were in it: then the next one is read.
pub(super) async fn events(link: &Link, after: u64) -> Result<Page<LoggedEvent>, StoreError> {
    let mut from = after;
    loop {
        let mut call = Invocation::of(&script::EVENTS);
        call.key(NUMBERS).arg(from).arg(PAGE_ENTRIES).arg(PAGE_BYTES);
        let mut rows = link.ask::<Vec<Value>>(Request::Script(call)).await?.into_iter();
        let head: u64 = next(&mut rows)?;
        let dropped: u64 = next(&mut rows)?;
        let reached: u64 = next(&mut rows)?;
        let complete = reached >= head;
        let mut entries = Vec::with_capacity(rows.len() / 2);
        while rows.len() > 0 {
            let sequence = next(&mut rows)?;
            let record: Vec<u8> = next(&mut rows)?;
            let event = record::decode_logged(&record).map_err(corrupt("event_log", sequence))?;
            entries.push((sequence, event));
        }
        if complete || !entries.is_empty() {
            return Ok(Page { entries, head, complete, truncated: after < dropped });
        }
        from = reached;
    }
}

pub(super) async fn position(link: &Link, source: &str) -> Result<Vec<u8>, StoreError> {
    let mut get = redis::cmd("HGET");
    get.arg(keys::positions()).arg(source);
    let position: Option<Vec<u8>> = link.ask(Request::Command(get)).await?;
    Ok(position.unwrap_or_default())
}

fn next<T: redis::FromRedisValue>(rows: &mut std::vec::IntoIter<Value>) -> Result<T, StoreError> {
    let value = rows.next().ok_or_else(|| StoreError::Damaged { key: NUMBERS.to_owned() })?;
    Ok(redis::from_redis_value(value).map_err(redis::RedisError::from)?)
}
