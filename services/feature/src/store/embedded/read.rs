use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};
use tributary_domain::{ItemChange, ItemCounters, ItemId, UserId};

use super::tables::{
    COUNTERS, EVENT_LOG, EXPOSURES, HISTORIES, ITEM_LOG, ITEMS, NUMBERS, POSITIONS, PROFILES,
    number,
};
use crate::{
    store::{LoggedEvent, PAGE_BYTES, PAGE_ENTRIES, Page, StoreError, StoredItem, corrupt, record},
    user::User,
};

/// One durable state of the store.
pub(super) struct Snapshot {
    transaction: ReadTransaction,
}

impl Snapshot {
    pub(super) fn of(database: &Database) -> Result<Self, StoreError> {
        Ok(Self { transaction: database.begin_read()? })
    }

    pub(super) fn user(&self, user: UserId) -> Result<User, StoreError> {
        read_user(
            &self.transaction.open_table(PROFILES)?,
            &self.transaction.open_table(HISTORIES)?,
            &self.transaction.open_table(EXPOSURES)?,
            user,
        )
    }

    pub(super) fn stored_item(&self, id: ItemId) -> Result<Option<StoredItem>, StoreError> {
        let items = self.transaction.open_table(ITEMS)?;
        let Some(row) = items.get(id.0)? else { return Ok(None) };
        let item = record::decode_item(id, row.value()).map_err(corrupt("items", id.0))?;
        let counters = read_counters(&self.transaction.open_table(COUNTERS)?, id)?;
        Ok(Some(StoredItem { item, counters }))
    }

    pub(super) fn item_changes(&self, after: u64) -> Result<Page<ItemChange>, StoreError> {
        let log = self.transaction.open_table(ITEM_LOG)?;
        let items = self.transaction.open_table(ITEMS)?;
        let mut page = Page {
            entries: Vec::new(),
            head: self.number(number::ITEM_HEAD)?,
            complete: false,
            truncated: false,
        };
        let mut bytes = 0;
        for row in log.range(after.saturating_add(1)..)? {
            if page.entries.len() >= PAGE_ENTRIES || bytes >= PAGE_BYTES {
                return Ok(page);
            }
            let (sequence, id) = row.map(|(key, id)| (key.value(), ItemId(id.value())))?;
            let stored = items.get(id.0)?;
            bytes += stored.as_ref().map_or(0, |row| row.value().len());
            let change = match stored {
                Some(row) => ItemChange::Upserted(
                    record::decode_item(id, row.value()).map_err(corrupt("items", id.0))?,
                ),
                None => ItemChange::Deleted(id),
            };
            page.entries.push((sequence, change));
        }
        page.complete = true;
        Ok(page)
    }

    pub(super) fn events(&self, after: u64) -> Result<Page<LoggedEvent>, StoreError> {
        let log = self.transaction.open_table(EVENT_LOG)?;
        let mut page = Page {
            entries: Vec::new(),
            head: self.number(number::EVENT_HEAD)?,
            complete: false,
            truncated: after < self.number(number::EVENT_DROPPED)?,
        };
        let mut bytes = 0;
        for row in log.range(after.saturating_add(1)..)? {
            if page.entries.len() >= PAGE_ENTRIES || bytes >= PAGE_BYTES {
                return Ok(page);
            }
            let (key, row) = row?;
            let (sequence, row) = (key.value(), row.value());
            bytes += row.len();
            let event = record::decode_logged(row).map_err(corrupt("event_log", sequence))?;
            page.entries.push((sequence, event));
        }
        page.complete = true;
        Ok(page)
    }

    pub(super) fn position(&self, source: &str) -> Result<Vec<u8>, StoreError> {
        let positions = self.transaction.open_table(POSITIONS)?;
        Ok(positions.get(source)?.map_or_else(Vec::new, |row| row.value().to_vec()))
    }

    fn number(&self, name: &str) -> Result<u64, StoreError> {
        let numbers = self.transaction.open_table(NUMBERS)?;
        Ok(numbers.get(name)?.map_or(0, |number| number.value()))
    }
}

pub(super) fn read_user(
    profiles: &impl ReadableTable<u64, &'static [u8]>,
    histories: &impl ReadableTable<u64, &'static [u8]>,
    exposures: &impl ReadableTable<u64, &'static [u8]>,
    user: UserId,
) -> Result<User, StoreError> {
    let mut state = User::default();
    if let Some(row) = profiles.get(user.0)? {
        let profile = record::decode_profile(user, row.value());
        state.profile = Some(profile.map_err(corrupt("profiles", user.0))?);
    }
    if let Some(row) = histories.get(user.0)? {
        let history = record::decode_history(row.value());
        (state.version, state.history) = history.map_err(corrupt("histories", user.0))?;
    }
    if let Some(row) = exposures.get(user.0)? {
        let exposure = record::decode_exposure(row.value());
        state.exposure = exposure.map_err(corrupt("exposures", user.0))?;
    }
    Ok(state)
}

pub(super) fn read_counters(
    counters: &impl ReadableTable<u64, [u64; 6]>,
    item: ItemId,
) -> Result<ItemCounters, StoreError> {
    let row = counters.get(item.0)?.map_or([0; 6], |row| row.value());
    let [impressions, clicks, views, bookmarks, shares, hides] = row;
    Ok(ItemCounters { impressions, clicks, views, bookmarks, shares, hides })
}
