use std::collections::BTreeMap;

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};
use tributary_domain::{ItemCounters, ItemId, UserId};

use super::{
    batch::{Recorded, Staged, StagedItem},
    tables::{
        COUNTERS, EVENT_LOG, EXPOSURES, EventKey, HISTORIES, ITEM_LOG, ITEM_PLACES, ITEMS, NUMBERS,
        POSITIONS, PROFILES, RECORDED, RecordedRow, number,
    },
};
use crate::{
    store::{LoggedEvent, StoreError, record},
    user::User,
};

/// The open tables of a write transaction.
pub(super) struct Tables<'t> {
    pub(super) numbers: Table<'t, &'static str, u64>,
    pub(super) profiles: Table<'t, u64, &'static [u8]>,
    pub(super) histories: Table<'t, u64, &'static [u8]>,
    pub(super) exposures: Table<'t, u64, &'static [u8]>,
    pub(super) items: Table<'t, u64, &'static [u8]>,
    pub(super) counters: Table<'t, u64, [u64; 6]>,
    pub(super) item_log: Table<'t, u64, u64>,
    pub(super) item_places: Table<'t, u64, u64>,
    pub(super) recorded: Table<'t, EventKey, RecordedRow>,
    pub(super) event_log: Table<'t, u64, &'static [u8]>,
    pub(super) positions: Table<'t, &'static str, &'static [u8]>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            numbers: transaction.open_table(NUMBERS)?,
            profiles: transaction.open_table(PROFILES)?,
            histories: transaction.open_table(HISTORIES)?,
            exposures: transaction.open_table(EXPOSURES)?,
            items: transaction.open_table(ITEMS)?,
            counters: transaction.open_table(COUNTERS)?,
            item_log: transaction.open_table(ITEM_LOG)?,
            item_places: transaction.open_table(ITEM_PLACES)?,
            recorded: transaction.open_table(RECORDED)?,
            event_log: transaction.open_table(EVENT_LOG)?,
            positions: transaction.open_table(POSITIONS)?,
        })
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, StoreError> {
        Ok(self.numbers.get(name)?.map_or(0, |number| number.value()))
    }

    pub(super) fn write_user(&mut self, id: UserId, user: &User) -> Result<(), StoreError> {
        if user.is_unknown() {
            self.profiles.remove(id.0)?;
            self.histories.remove(id.0)?;
            self.exposures.remove(id.0)?;
            return Ok(());
        }
        if let Some(profile) = &user.profile {
            self.profiles.insert(id.0, &*record::encode_profile(profile))?;
        } else {
            self.profiles.remove(id.0)?;
        }
        self.histories.insert(id.0, &*record::encode_history(user.version, &user.history))?;
        self.exposures.insert(id.0, &*record::encode_exposure(&user.exposure))?;
        Ok(())
    }

    pub(super) fn write_item(&mut self, id: ItemId, staged: &StagedItem) -> Result<(), StoreError> {
        match &staged.item {
            Some(item) => drop(self.items.insert(id.0, &*record::encode_item(item))?),
            None => drop(self.items.remove(id.0)?),
        }
        self.item_log.remove(staged.stored)?;
        self.item_log.insert(staged.place, id.0)?;
        self.item_places.insert(id.0, staged.place)?;
        Ok(())
    }

    pub(super) fn write_counters(
        &mut self,
        id: ItemId,
        counters: &ItemCounters,
    ) -> Result<(), StoreError> {
        let ItemCounters { impressions, clicks, views, bookmarks, shares, hides } = *counters;
        if *counters == ItemCounters::default() {
            self.counters.remove(id.0)?;
        } else {
            self.counters.insert(id.0, [impressions, clicks, views, bookmarks, shares, hides])?;
        }
        Ok(())
    }

    /// In ascending order: neighbours in the tree are written together, not all over it.
    pub(super) fn write_recorded(
        &mut self,
        recorded: &BTreeMap<EventKey, Staged<Option<Recorded>>>,
    ) -> Result<(), StoreError> {
        for (key, staged) in recorded.iter().filter(|(_, staged)| staged.changed) {
            match staged.value {
                Some(Recorded { sequence, behaviour }) => {
                    self.recorded.insert(key, (sequence, behaviour.dwell_ms))?;
                }
                None => drop(self.recorded.remove(key)?),
            }
        }
        Ok(())
    }

    pub(super) fn write_events(
        &mut self,
        events: &BTreeMap<u64, Option<LoggedEvent>>,
    ) -> Result<(), StoreError> {
        for (sequence, event) in events {
            match event {
                Some(event) => {
                    drop(self.event_log.insert(sequence, &*record::encode_logged(event))?);
                }
                None => drop(self.event_log.remove(sequence)?),
            }
        }
        Ok(())
    }

    /// Drops the oldest events of a log that is longer than `limit`.
    pub(super) fn drop_events(&mut self, limit: u64) -> Result<(), StoreError> {
        let excess = self.event_log.len()?.saturating_sub(limit);
        for _ in 0..excess {
            let oldest = self.event_log.pop_first()?.map(|(sequence, _)| sequence.value());
            if let Some(sequence) = oldest {
                self.numbers.insert(number::EVENT_DROPPED, sequence)?;
            }
        }
        Ok(())
    }
}
