use std::collections::{BTreeMap, HashMap, HashSet, hash_map::Entry};

use redb::{ReadableTable, WriteTransaction};
use tributary_domain::{Event, Item, ItemCounters, ItemId, UserId, UserProfile};

use super::{
    EventsWritten, Heads, ItemsWritten, LoggedEvent, StoreError,
    read::{corrupt, read_counters, read_user},
    record,
    tables::{EventKey, key_of, number},
    write::Tables,
};
use crate::{Retention, user::User};

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
    /// `None`: removed.
    recorded: HashMap<EventKey, Option<u64>>,
    events: BTreeMap<u64, Option<LoggedEvent>>,
}

#[derive(Default)]
struct Staged<T> {
    value: T,
    changed: bool,
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

impl<'t> Batch<'t> {
    pub(super) fn begin(
        transaction: &'t WriteTransaction,
        retention: Retention,
    ) -> Result<Self, StoreError> {
        let tables = Tables::open(transaction)?;
        let heads = Heads {
            items: tables.number(number::ITEM_HEAD)?,
            events: tables.number(number::EVENT_HEAD)?,
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
            recorded: HashMap::new(),
            events: BTreeMap::new(),
        })
    }

    pub(super) fn upsert_items(&mut self, items: Vec<Item>) -> Result<ItemsWritten, StoreError> {
        for item in &items {
            self.load_item(item.id)?;
        }
        let mut changed = 0;
        for item in last_of_each(items, |item| item.id) {
            let staged = self.items.get_mut(&item.id).expect("loaded above");
            if staged.item.as_ref() != Some(&item) {
                self.heads.items += 1;
                staged.place = self.heads.items;
                staged.item = Some(item);
                changed += 1;
            }
        }
        Ok(ItemsWritten { changed, sequence: self.heads.items })
    }

    pub(super) fn delete_items(&mut self, ids: &[ItemId]) -> Result<ItemsWritten, StoreError> {
        for id in ids {
            self.load_item(*id)?;
        }
        let mut changed = 0;
        for id in ids {
            let staged = self.items.get_mut(id).expect("loaded above");
            if staged.item.take().is_some() {
                self.heads.items += 1;
                staged.place = self.heads.items;
                let zero = Staged { value: ItemCounters::default(), changed: true };
                self.counters.insert(*id, zero);
                changed += 1;
            }
        }
        Ok(ItemsWritten { changed, sequence: self.heads.items })
    }

    pub(super) fn upsert_users(&mut self, users: Vec<UserProfile>) -> Result<u32, StoreError> {
        for profile in &users {
            self.load_user(profile.id)?;
        }
        let mut changed = 0;
        for profile in last_of_each(users, |profile| profile.id) {
            let staged = self.users.get_mut(&profile.id).expect("loaded above");
            if staged.value.profile.as_ref() != Some(&profile) {
                self.user_version += 1;
                staged.change().replace_profile(profile, self.user_version);
                changed += 1;
            }
        }
        Ok(changed)
    }

    pub(super) fn delete_user(&mut self, user: UserId) -> Result<bool, StoreError> {
        self.load_user(user)?;
        let stored = self.tables.events_of(user)?;
        let keys: Vec<(EventKey, u64)> = stored.into_iter().chain(self.staged_of(user)).collect();
        let staged = self.users.get_mut(&user).expect("loaded above");
        let existed = !staged.value.is_unknown();
        *staged.change() = User::default();
        for (key, sequence) in keys {
            self.recorded.insert(key, None);
            self.events.insert(sequence, None);
        }
        Ok(existed)
    }

    pub(super) fn record(&mut self, events: &[Event]) -> Result<EventsWritten, StoreError> {
        let mut keys = HashSet::with_capacity(events.len());
        let mut fresh = Vec::with_capacity(events.len());
        for event in events {
            if keys.insert(key_of(event)) && !self.is_recorded(&key_of(event))? {
                self.load_user(event.user)?;
                self.load_counters(event.behaviour.item)?;
                fresh.push(*event);
            }
        }
        fresh.iter().for_each(|event| self.take_in(event));
        Ok(EventsWritten {
            recorded: count(fresh.len()),
            duplicates: count(events.len() - fresh.len()),
        })
    }

    /// Takes in a new event whose user and counters are loaded.
    fn take_in(&mut self, event: &Event) {
        self.user_version += 1;
        let user = self.users.get_mut(&event.user).expect("loaded by the caller").change();
        user.record(&event.behaviour, self.user_version, &self.retention);
        let segment = user.profile.as_ref().map(|profile| (profile.age, profile.gender));
        let (age, gender) = segment.unwrap_or((None, None));
        let counters = self.counters.get_mut(&event.behaviour.item).expect("loaded by the caller");
        *counters.change().of(event.behaviour.action) += 1;
        self.heads.events += 1;
        self.recorded.insert(key_of(event), Some(self.heads.events));
        self.events.insert(self.heads.events, Some(LoggedEvent { event: *event, age, gender }));
    }

    fn is_recorded(&self, key: &EventKey) -> Result<bool, StoreError> {
        match self.recorded.get(key) {
            Some(staged) => Ok(staged.is_some()),
            None => Ok(self.tables.recorded.get(key)?.is_some()),
        }
    }

    /// The user's events recorded earlier in this transaction.
    fn staged_of(&self, user: UserId) -> impl Iterator<Item = (EventKey, u64)> {
        let of_user = self.recorded.iter().filter(move |(key, _)| key.0 == user.0);
        of_user.filter_map(|(key, sequence)| sequence.map(|sequence| (*key, sequence)))
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
        tables.write_events(&recorded, &events)?;
        tables.drop_events(retention.events)?;
        for (name, value) in [
            (number::ITEM_HEAD, heads.items),
            (number::EVENT_HEAD, heads.events),
            (number::USER_VERSION, user_version),
        ] {
            tables.numbers.insert(name, value)?;
        }
        Ok(heads)
    }
}

/// The last value of each key, in the order of the values kept.
fn last_of_each<T, K: std::hash::Hash + Eq>(values: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut met = HashSet::with_capacity(values.len());
    let mut kept: Vec<T> =
        values.into_iter().rev().filter(|value| met.insert(key(value))).collect();
    kept.reverse();
    kept
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a call has at most a thousand rows")
}
