//! What a change does to the staged state. Everything it needs was loaded before, so nothing here
//! can fail. Each gives whether it changed anything.

use tributary_domain::{
    Behaviour, Event, Item, ItemCounters, ItemId, ServedEvent, SourceChange, UserId, UserProfile,
};

use super::{
    super::tables::{key_of, keys_of},
    Batch, Recorded, Staged,
};
use crate::{store::LoggedEvent, user::User};

impl Batch<'_> {
    pub(super) fn change(&mut self, change: SourceChange) -> bool {
        match change {
            SourceChange::UpsertedItem(item) => self.put_item(item),
            SourceChange::DeletedItem(id) => self.drop_item(id),
            SourceChange::UpsertedUser(profile) => self.put_user(profile),
            SourceChange::DeletedUser(user) => self.forget_user(user),
            SourceChange::RecordedEvent(event) => self.take_in(event.into()),
            SourceChange::RetractedEvent(event) => self.take_back(&event),
        }
    }

    pub(super) fn put_item(&mut self, item: Item) -> bool {
        let staged = self.items.get_mut(&item.id).expect("loaded by the caller");
        let differs = staged.item.as_ref() != Some(&item);
        if differs {
            self.heads.items += 1;
            staged.place = self.heads.items;
            staged.item = Some(item);
        }
        differs
    }

    pub(super) fn drop_item(&mut self, id: ItemId) -> bool {
        let staged = self.items.get_mut(&id).expect("loaded by the caller");
        let existed = staged.item.take().is_some();
        if existed {
            self.heads.items += 1;
            staged.place = self.heads.items;
            let zero = Staged { value: ItemCounters::default(), changed: true };
            self.counters.insert(id, zero);
        }
        existed
    }

    pub(super) fn put_user(&mut self, profile: UserProfile) -> bool {
        let staged = self.users.get_mut(&profile.id).expect("loaded by the caller");
        let differs = staged.value.profile.as_ref() != Some(&profile);
        if differs {
            self.user_version += 1;
            staged.change().replace_profile(profile, self.user_version);
        }
        differs
    }

    pub(super) fn forget_user(&mut self, user: UserId) -> bool {
        // Also where nothing is stored: others may keep lists that were made for the id.
        self.heads.user_deletions += 1;
        let staged = self.users.get_mut(&user).expect("loaded by the caller");
        let existed = !staged.value.is_unknown();
        *staged.change() = User::default();
        for (_, staged) in self.recorded.range_mut(keys_of(user)) {
            if let Some(Recorded { sequence, .. }) = staged.value {
                *staged.change() = None;
                self.events.insert(sequence, None);
            }
        }
        existed
    }

    pub(super) fn take_in(&mut self, ServedEvent { event, served }: ServedEvent) -> bool {
        let staged = self.recorded.get_mut(&key_of(&event)).expect("loaded by the caller");
        if staged.value.is_some() {
            return false;
        }
        self.heads.events += 1;
        let (sequence, behaviour) = (self.heads.events, event.behaviour);
        *staged.change() = Some(Recorded { sequence, behaviour });
        self.user_version += 1;
        let user = self.users.get_mut(&event.user).expect("loaded by the caller").change();
        user.record(&behaviour, self.user_version, &self.retention);
        let logged = LoggedEvent::of(user, event, served);
        self.events.insert(sequence, Some(logged));
        let counters = self.counters.get_mut(&behaviour.item).expect("loaded by the caller");
        *counters.change().of(behaviour.action) += 1;
        true
    }

    pub(super) fn take_back(&mut self, event: &Event) -> bool {
        let staged = self.recorded.get_mut(&key_of(event)).expect("loaded by the caller");
        let Some(Recorded { sequence, behaviour }) = staged.value else { return false };
        *staged.change() = None;
        self.events.insert(sequence, None);
        let counters = self.counters.get_mut(&behaviour.item).expect("loaded by the caller");
        // It was counted before its item was deleted and the counters with it, where it is 0.
        let counter = counters.change().of(behaviour.action);
        *counter = counter.saturating_sub(1);
        let left: Vec<Behaviour> = self.behaviours_of(event.user).collect();
        self.user_version += 1;
        let user = self.users.get_mut(&event.user).expect("loaded by the caller").change();
        user.retract(&behaviour, &left, self.user_version, &self.retention);
        true
    }

    /// The recorded behaviours of a user who is loaded whole.
    fn behaviours_of(&self, user: UserId) -> impl Iterator<Item = Behaviour> {
        let rows = self.recorded.range(keys_of(user));
        rows.filter_map(|(_, staged)| staged.value.map(|recorded| recorded.behaviour))
    }
}
