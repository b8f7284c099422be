//! Calls that share a transaction.

mod change;

use std::collections::{BTreeMap, HashMap, btree_map, hash_map::Entry};

use redb::{ReadableTable, WriteTransaction};
use tributary_domain::{
    Behaviour, Event, Item, ItemCounters, ItemId, ServedEvent, SourceChange, UserId, UserProfile,
};

use super::{
    read::{read_counters, read_user},
    tables::{EventKey, key_of, keys_of, number, recorded_of},
    write::Tables,
};
use crate::{
    Retention,
    store::{
        Changes, ChangesWritten, EventsWritten, Heads, ItemsWritten, LoggedEvent, StoreError,
        corrupt, count, last_of_each, record,
    },
    user::User,
};

/// Calls that share a transaction. Each call first reads all it needs, which may fail, and then
/// changes the staged state, which cannot: so a call that fails leaves nothing behind, and those
/// beside it do not notice. `flush` writes what has changed, each record once.
pub(super) struct Batch<'t> {
    tables: Tables<'t>,
    retention: Retention,
    heads: Heads,
    user_version: u64,
    users: HashMap<UserId, Staged<User>>,
    items: HashMap<ItemId, StagedItem>,
    counters: HashMap<ItemId, Staged<ItemCounters>>,
    /// `None`: not recorded.
    recorded: BTreeMap<EventKey, Staged<Option<Recorded>>>,
    /// `None`: removed.
    events: BTreeMap<u64, Option<LoggedEvent>>,
    /// Empty: none.
    positions: HashMap<String, Staged<Vec<u8>>>,
}

#[derive(Default)]
pub(super) struct Staged<T> {
    pub(super) value: T,
    pub(super) changed: bool,
}

impl<T> Staged<T> {
    fn stored(value: T) -> Self {
        Self { value, changed: false }
    }

    fn change(&mut self) -> &mut T {
        self.changed = true;
        &mut self.value
    }
}

/// An item with its place in the log: as stored, and as it will be. 0: no place.
pub(super) struct StagedItem {
    pub(super) item: Option<Item>,
    pub(super) stored: u64,
    pub(super) place: u64,
}

/// A recorded event of a user, with its number in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    pub(super) sequence: u64,
    pub(super) behaviour: Behaviour,
}

impl<'t> Batch<'t> {
    pub(super) fn begin(
        transaction: &'t WriteTransaction,
        retention: Retention,
    ) -> Result<Self, StoreError> {
        let tables = Tables::open(transaction)?;
        let heads = Heads {
            items: tables.number(number::ITEM_HEAD)?,
            events: tables.number(number::EVENT_HEAD)?,
            user_deletions: tables.number(number::USER_DELETIONS)?,
        };
        let user_version = tables.number(number::USER_VERSION)?;
        Ok(Self {
            tables,
            retention,
            heads,
            user_version,
            users: HashMap::new(),
            items: HashMap::new(),
            counters: HashMap::new(),
            recorded: BTreeMap::new(),
            events: BTreeMap::new(),
            positions: HashMap::new(),
        })
    }

    pub(super) fn upsert_items(&mut self, items: Vec<Item>) -> Result<ItemsWritten, StoreError> {
        for item in &items {
            self.load_item(item.id)?;
        }
        let items = last_of_each(items, |item| item.id);
        let changed = items.into_iter().filter_map(|item| self.put_item(item).then_some(()));
        let changed = count(changed.count());
        Ok(ItemsWritten { changed, sequence: self.heads.items })
    }

    pub(super) fn delete_items(&mut self, ids: &[ItemId]) -> Result<ItemsWritten, StoreError> {
        for id in ids {
            self.load_item(*id)?;
        }
        let changed = count(ids.iter().filter(|id| self.drop_item(**id)).count());
        Ok(ItemsWritten { changed, sequence: self.heads.items })
    }

    pub(super) fn upsert_users(&mut self, users: Vec<UserProfile>) -> Result<u32, StoreError> {
        for profile in &users {
            self.load_user(profile.id)?;
        }
        let users = last_of_each(users, |profile| profile.id);
        let changed = users.into_iter().filter_map(|user| self.put_user(user).then_some(()));
        Ok(count(changed.count()))
    }

    pub(super) fn delete_user(&mut self, user: UserId) -> Result<bool, StoreError> {
        self.load_user_whole(user)?;
        Ok(self.forget_user(user))
    }

    pub(super) fn record(&mut self, events: Vec<ServedEvent>) -> Result<EventsWritten, StoreError> {
        for served in &events {
            self.load_event(&served.event)?;
        }
        let all = events.len();
        let recorded = events.into_iter().filter_map(|event| self.take_in(event).then_some(()));
        let recorded = recorded.count();
        Ok(EventsWritten { recorded: count(recorded), duplicates: count(all - recorded) })
    }

    pub(super) fn apply(&mut self, changes: Changes) -> Result<ChangesWritten, StoreError> {
        let Changes { source, position, expected, changes } = changes;
        if self.load_position(&source)? != expected {
            return Err(StoreError::Position { source_name: source });
        }
        for change in &changes {
            self.load_change(change)?;
        }
        let all = changes.len();
        let changed = changes.into_iter().filter_map(|change| self.change(change).then_some(()));
        let changed = changed.count();
        *self.positions.get_mut(&source).expect("loaded above").change() = position;
        Ok(ChangesWritten {
            changed: count(changed),
            duplicates: count(all - changed),
            item_sequence: self.heads.items,
        })
    }

    /// Reads all that the change needs.
    fn load_change(&mut self, change: &SourceChange) -> Result<(), StoreError> {
        match change {
            SourceChange::UpsertedItem(item) => self.load_item(item.id),
            SourceChange::DeletedItem(id) => self.load_item(*id),
            SourceChange::UpsertedUser(profile) => self.load_user(profile.id),
            SourceChange::DeletedUser(user) => self.load_user_whole(*user),
            SourceChange::RecordedEvent(event) => self.load_event(event),
            SourceChange::RetractedEvent(event) => {
                // What is left of the user's behaviour decides what the user has seen.
                self.load_user_whole(event.user)?;
                self.load_event(event)
            }
        }
    }

    fn load_event(&mut self, event: &Event) -> Result<(), StoreError> {
        let key = key_of(event);
        if let btree_map::Entry::Vacant(vacant) = self.recorded.entry(key) {
            let row = self.tables.recorded.get(key)?.map(|row| row.value());
            let recorded = row.map(|row| recorded_of(key, row)).transpose();
            let recorded = recorded.map_err(corrupt("recorded", key.0))?;
            vacant.insert(Staged::stored(recorded));
        }
        self.load_user(event.user)?;
        self.load_counters(event.behaviour.item)
    }

    /// Loads the user with all recorded events.
    fn load_user_whole(&mut self, user: UserId) -> Result<(), StoreError> {
        self.load_user(user)?;
        for row in self.tables.recorded.range(keys_of(user))? {
            let (key, row) = row.map(|(key, row)| (key.value(), row.value()))?;
            let recorded = recorded_of(key, row).map_err(corrupt("recorded", user.0))?;
            self.recorded.entry(key).or_insert_with(|| Staged::stored(Some(recorded)));
        }
        Ok(())
    }

    fn load_user(&mut self, user: UserId) -> Result<(), StoreError> {
        if let Entry::Vacant(vacant) = self.users.entry(user) {
            let Tables { profiles, histories, exposures, .. } = &self.tables;
            vacant.insert(Staged::stored(read_user(profiles, histories, exposures, user)?));
        }
        Ok(())
    }

    fn load_item(&mut self, id: ItemId) -> Result<(), StoreError> {
        if let Entry::Vacant(vacant) = self.items.entry(id) {
            let item = self.tables.items.get(id.0)?;
            let item = item.map(|row| record::decode_item(id, row.value())).transpose();
            let place = self.tables.item_places.get(id.0)?.map_or(0, |place| place.value());
            let item = item.map_err(corrupt("items", id.0))?;
            vacant.insert(StagedItem { item, stored: place, place });
        }
        Ok(())
    }

    fn load_counters(&mut self, item: ItemId) -> Result<(), StoreError> {
        if let Entry::Vacant(vacant) = self.counters.entry(item) {
            vacant.insert(Staged::stored(read_counters(&self.tables.counters, item)?));
        }
        Ok(())
    }

    fn load_position(&mut self, source: &str) -> Result<Vec<u8>, StoreError> {
        if let Some(staged) = self.positions.get(source) {
            return Ok(staged.value.clone());
        }
        let row = self.tables.positions.get(source)?;
        let position = row.map_or_else(Vec::new, |row| row.value().to_vec());
        self.positions.insert(source.to_owned(), Staged::stored(position.clone()));
        Ok(position)
    }

    /// Writes what the calls changed into the transaction.
    pub(super) fn flush(self) -> Result<Heads, StoreError> {
        let Self {
            mut tables,
            retention,
            heads,
            user_version,
            users,
            items,
            counters,
            recorded,
            events,
            positions,
        } = self;
        for (id, staged) in users.iter().filter(|(_, staged)| staged.changed) {
            tables.write_user(*id, &staged.value)?;
        }
        for (id, staged) in items.iter().filter(|(_, staged)| staged.place != staged.stored) {
            tables.write_item(*id, staged)?;
        }
        for (id, staged) in counters.iter().filter(|(_, staged)| staged.changed) {
            tables.write_counters(*id, &staged.value)?;
        }
        for (source, staged) in positions.iter().filter(|(_, staged)| staged.changed) {
            tables.positions.insert(&**source, &*staged.value)?;
        }
        tables.write_recorded(&recorded)?;
        tables.write_events(&events)?;
        tables.drop_events(retention.events)?;
        for (name, value) in [
            (number::ITEM_HEAD, heads.items),
            (number::EVENT_HEAD, heads.events),
            (number::USER_DELETIONS, heads.user_deletions),
            (number::USER_VERSION, user_version),
        ] {
            tables.numbers.insert(name, value)?;
        }
        Ok(heads)
    }
}
