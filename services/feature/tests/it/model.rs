//! The store in the simplest words: every event and item in a list, and all else computed from
//! them when it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use tributary_domain::{
    Action, Behaviour, Event, Item, ItemChange, ItemCounters, ItemId, ServedEvent, SourceChange,
    UserContext, UserId, UserProfile,
};
use tributary_feature::{
    Retention,
    store::{ChangesWritten, EventsWritten, ItemsWritten, LoggedEvent, StoredItem},
};

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) retention: Retention,
    profiles: BTreeMap<UserId, UserProfile>,
    events: Vec<Event>,
    log: Vec<(u64, LoggedEvent)>,
    pub(crate) event_head: u64,
    pub(crate) dropped: u64,
    items: BTreeMap<ItemId, Item>,
    counters: BTreeMap<ItemId, ItemCounters>,
    changes: Vec<(u64, ItemChange)>,
    pub(crate) item_head: u64,
}

impl Model {
    pub(crate) fn new(retention: Retention) -> Self {
        Self { retention, ..Self::default() }
    }

    pub(crate) fn upsert_items(&mut self, items: &[Item]) -> ItemsWritten {
        let mut changed = 0;
        for (index, item) in items.iter().enumerate() {
            let again = items[index + 1..].iter().any(|later| later.id == item.id);
            if !again && self.items.get(&item.id) != Some(item) {
                self.items.insert(item.id, item.clone());
                self.log_change(ItemChange::Upserted(item.clone()));
                changed += 1;
            }
        }
        ItemsWritten { changed, sequence: self.item_head }
    }

    pub(crate) fn delete_items(&mut self, ids: &[ItemId]) -> ItemsWritten {
        let mut changed = 0;
        for id in ids {
            if self.items.remove(id).is_some() {
                self.counters.remove(id);
                self.log_change(ItemChange::Deleted(*id));
                changed += 1;
            }
        }
        ItemsWritten { changed, sequence: self.item_head }
    }

    fn log_change(&mut self, change: ItemChange) {
        self.item_head += 1;
        self.changes.retain(|(_, earlier)| earlier.item() != change.item());
        self.changes.push((self.item_head, change));
    }

    pub(crate) fn upsert_users(&mut self, users: &[UserProfile]) -> u32 {
        let before = self.profiles.clone();
        self.profiles.extend(users.iter().map(|user| (user.id, user.clone())));
        let changed: BTreeSet<UserId> = users.iter().map(|user| user.id).collect();
        let differs = |id: &&UserId| before.get(id) != self.profiles.get(id);
        u32::try_from(changed.iter().filter(differs).count()).unwrap()
    }

    pub(crate) fn delete_user(&mut self, user: UserId) -> bool {
        let known = self.profiles.remove(&user).is_some();
        let active = self.events.iter().any(|event| event.user == user);
        self.events.retain(|event| event.user != user);
        self.log.retain(|(_, logged)| logged.event.user != user);
        known || active
    }

    pub(crate) fn record(&mut self, events: &[ServedEvent]) -> EventsWritten {
        let written = self.take_in(events);
        self.drop_events();
        written
    }

    fn take_in(&mut self, events: &[ServedEvent]) -> EventsWritten {
        let mut written = EventsWritten { recorded: 0, duplicates: 0 };
        for ServedEvent { event, served } in events {
            if self.events.iter().any(|known| identity(known) == identity(event)) {
                written.duplicates += 1;
                continue;
            }
            written.recorded += 1;
            self.events.push(*event);
            *self.counters.entry(event.behaviour.item).or_default().of(event.behaviour.action) += 1;
            let profile = self.profiles.get(&event.user);
            let (age, gender) = profile.map_or((None, None), |user| (user.age, user.gender));
            self.event_head += 1;
            let (event, served) = (*event, served.clone());
            let logged = LoggedEvent { event, age, gender, served, user_version: 0 };
            self.log.push((self.event_head, logged));
        }
        written
    }

    /// At the end of a call, whatever was in the log meanwhile.
    fn drop_events(&mut self) {
        let limit = usize::try_from(self.retention.events).unwrap();
        for (sequence, _) in self.log.drain(..self.log.len().saturating_sub(limit)) {
            self.dropped = sequence;
        }
    }

    fn retract(&mut self, event: &Event) -> bool {
        let before = self.events.len();
        self.events.retain(|known| identity(known) != identity(event));
        self.log.retain(|(_, logged)| identity(&logged.event) != identity(event));
        let existed = self.events.len() < before;
        if existed {
            let counters = self.counters.entry(event.behaviour.item).or_default();
            let counter = counters.of(event.behaviour.action);
            *counter = counter.saturating_sub(1);
        }
        existed
    }

    pub(crate) fn apply(&mut self, changes: &[SourceChange]) -> ChangesWritten {
        let changed = changes.iter().filter(|change| self.change(change)).count();
        self.drop_events();
        let count = |count| u32::try_from(count).unwrap();
        ChangesWritten {
            changed: count(changed),
            duplicates: count(changes.len() - changed),
            item_sequence: self.item_head,
        }
    }

    fn change(&mut self, change: &SourceChange) -> bool {
        match change {
            SourceChange::UpsertedItem(item) => {
                self.upsert_items(std::slice::from_ref(item)).changed == 1
            }
            SourceChange::DeletedItem(id) => self.delete_items(&[*id]).changed == 1,
            SourceChange::UpsertedUser(user) => self.upsert_users(std::slice::from_ref(user)) == 1,
            SourceChange::DeletedUser(user) => self.delete_user(*user),
            SourceChange::RecordedEvent(event) => self.take_in(&[(*event).into()]).recorded == 1,
            SourceChange::RetractedEvent(event) => self.retract(event),
        }
    }

    /// The context, but for its version.
    pub(crate) fn context(&self, user: UserId) -> UserContext {
        let of_user = || self.events.iter().filter(move |event| event.user == user);
        let mut behaviours: Vec<Behaviour> = of_user()
            .map(|event| event.behaviour)
            .filter(|behaviour| behaviour.action != Action::Impression)
            .collect();
        behaviours.sort_by_key(|behaviour| (behaviour.time, behaviour.item, behaviour.action));
        behaviours.drain(..behaviours.len().saturating_sub(self.retention.behaviours));
        let items: BTreeSet<ItemId> = of_user().map(|event| event.behaviour.item).collect();
        let is_seen = |item: &ItemId| {
            let on_item = || of_user().filter(|event| event.behaviour.item == *item);
            let shown =
                on_item().filter(|event| event.behaviour.action == Action::Impression).count();
            on_item().count() > shown || shown >= usize::from(self.retention.impressions_until_seen)
        };
        let seen = items.into_iter().filter(is_seen).collect();
        let profile = self.profiles.get(&user).cloned();
        UserContext { user, profile, behaviours, seen, version: 0 }
    }

    pub(crate) fn item(&self, id: ItemId) -> Option<StoredItem> {
        let item = self.items.get(&id)?.clone();
        let counters = self.counters.get(&id).copied().unwrap_or_default();
        Some(StoredItem { item, counters })
    }

    pub(crate) fn changes_after(&self, after: u64) -> Vec<(u64, ItemChange)> {
        self.changes.iter().filter(|(sequence, _)| *sequence > after).cloned().collect()
    }

    /// The log, but for the users' versions.
    pub(crate) fn events_after(&self, after: u64) -> Vec<(u64, LoggedEvent)> {
        self.log.iter().filter(|(sequence, _)| *sequence > after).cloned().collect()
    }
}

fn identity(event: &Event) -> (UserId, ItemId, Action, i64) {
    let Behaviour { item, action, time, dwell_ms: _ } = event.behaviour;
    (event.user, item, action, time.0)
}
