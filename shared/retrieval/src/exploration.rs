//! New items that need to be shown before anybody can say what they are worth.
//!
//! An item is cold while it is new, was shown less often than wanted, and nobody dealt with it before
//! it was new: a catalogue that is loaded together with its history is not cold, whatever its times
//! of creation say.

use std::cmp::Reverse;

use tributary_domain::{Action, Event, ItemChange, ItemId, Timestamp, UserContext};

/// The newest items that a question looks at: beyond, a flood of new items would make every question
/// slow.
const LOOKED_AT: usize = 10_000;

/// Which items are cold, and how many of them are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColdQuery {
    pub limit: usize,
    /// Items shown this often are cold no more.
    pub until_impressions: u64,
    /// Items created, or dealt with, before are not new.
    pub created_after: Timestamp,
}

/// A cold item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColdItem {
    pub item: ItemId,
    /// How often it was shown to anybody.
    pub impressions: u64,
}

/// When the listed items were created and how often all items were shown. Clones share what they
/// have in common.
#[derive(Debug, Clone, Default)]
pub struct Exploration {
    listed: imbl::HashMap<ItemId, Timestamp>,
    newest: imbl::OrdSet<(Timestamp, Reverse<ItemId>)>,
    exposures: imbl::HashMap<ItemId, Exposure>,
}

#[derive(Debug, Clone, Copy)]
struct Exposure {
    impressions: u64,
    /// Events of other kinds: who dealt with an item has seen it, whether that was recorded or not.
    others: u64,
    first: Timestamp,
}

impl Exposure {
    fn shown(&self) -> u64 {
        self.impressions.max(self.others)
    }
}

impl Exploration {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows the log of item changes. Items without a time of creation are never new.
    pub fn apply(&mut self, changes: &[ItemChange]) {
        for change in changes {
            self.unlist(change.item());
            if let ItemChange::Upserted(item) = change
                && let Some(created) = item.created.filter(|_| !item.hidden)
            {
                self.listed.insert(item.id, created);
                self.newest.insert((created, Reverse(item.id)));
            }
        }
    }

    fn unlist(&mut self, item: ItemId) {
        if let Some(created) = self.listed.remove(&item) {
            self.newest.remove(&(created, Reverse(item)));
        }
    }

    /// Forgets all items.
    pub fn restart_items(&mut self) {
        self.listed = imbl::HashMap::new();
        self.newest = imbl::OrdSet::new();
    }

    /// Counts an event, also of an item that is not listed yet.
    pub fn record(&mut self, event: &Event) {
        let behaviour = &event.behaviour;
        let none = Exposure { impressions: 0, others: 0, first: behaviour.time };
        let exposure = self.exposures.entry(behaviour.item).or_insert(none);
        match behaviour.action {
            Action::Impression => exposure.impressions += 1,
            Action::Click | Action::View | Action::Bookmark | Action::Share | Action::Hide => {
                exposure.others += 1;
            }
        }
        exposure.first = exposure.first.min(behaviour.time);
    }

    /// Forgets all events.
    pub fn restart_events(&mut self) {
        self.exposures = imbl::HashMap::new();
    }

    /// Cold items that the user has not seen: those shown least first, by powers of two; among those
    /// in an order of the user's own, so that new items are spread over users. The same state and
    /// question give the same list.
    pub fn cold(&self, context: &UserContext, query: &ColdQuery) -> Vec<ColdItem> {
        let new = self.newest.range((query.created_after, Reverse(ItemId(u64::MAX)))..).rev();
        let mut cold: Vec<ColdItem> = new
            .take(LOOKED_AT)
            .map(|(_, Reverse(item))| *item)
            .filter(|item| !context.has_seen(*item))
            .filter_map(|item| self.if_cold(item, query))
            .collect();
        cold.sort_by_cached_key(|cold| {
            (cold.impressions.checked_ilog2(), mixed(context.user.0, cold.item.0), cold.item)
        });
        cold.truncate(query.limit);
        cold
    }

    fn if_cold(&self, item: ItemId, query: &ColdQuery) -> Option<ColdItem> {
        let Some(exposure) = self.exposures.get(&item) else {
            return Some(ColdItem { item, impressions: 0 });
        };
        let cold =
            exposure.shown() < query.until_impressions && exposure.first >= query.created_after;
        cold.then_some(ColdItem { item, impressions: exposure.shown() })
    }
}

/// A number that depends on both and looks like neither (the mixing steps of SplitMix64).
fn mixed(user: u64, item: u64) -> u64 {
    let hash = item ^ user.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use tributary_domain::{Behaviour, Item, UserId};

    use super::*;

    const NEW: Timestamp = Timestamp(1_000);

    fn upsert(id: u64, created: Option<i64>, hidden: bool) -> ItemChange {
        let created = created.map(Timestamp);
        ItemChange::Upserted(Item { created, hidden, ..Item::bare(ItemId(id)) })
    }

    fn event(item: u64, action: Action, time: i64) -> Event {
        let (item, time) = (ItemId(item), Timestamp(time));
        Event { user: UserId(5), behaviour: Behaviour { item, action, time, dwell_ms: 0 } }
    }

    fn cold(exploration: &Exploration, user: u64) -> Vec<u64> {
        let query = ColdQuery { limit: 100, until_impressions: 10, created_after: NEW };
        let context = UserContext { seen: vec![ItemId(77)], ..UserContext::cold(UserId(user)) };
        exploration.cold(&context, &query).iter().map(|cold| cold.item.0).collect()
    }

    #[test]
    fn new_items_are_cold_until_they_were_shown_enough() {
        let mut exploration = Exploration::new();
        exploration.apply(&[
            upsert(1, Some(2_000), false),
            upsert(2, Some(999), false),
            upsert(3, None, false),
            upsert(4, Some(2_000), true),
            upsert(5, Some(1_000), false),
            upsert(77, Some(2_000), false),
        ]);
        let sorted = |exploration: &Exploration| BTreeSet::from_iter(cold(exploration, 1));
        assert_eq!(sorted(&exploration), BTreeSet::from([1, 5]), "old, undated, hidden, seen");
        for time in 3_000..3_009 {
            exploration.record(&event(1, Action::Impression, time));
        }
        assert_eq!(cold(&exploration, 1), [5, 1], "what was shown less comes first");
        exploration.record(&event(1, Action::Impression, 3_009));
        assert_eq!(cold(&exploration, 1), [5], "ten impressions are enough");
        exploration.apply(&[upsert(4, Some(2_000), false), ItemChange::Deleted(ItemId(5))]);
        assert_eq!(cold(&exploration, 1), [4]);
        exploration.apply(&[upsert(4, Some(500), false)]);
        assert!(cold(&exploration, 1).is_empty());
    }

    #[test]
    fn a_catalogue_loaded_with_its_history_is_not_cold() {
        let mut exploration = Exploration::new();
        // Created, as its database says, when it was loaded.
        exploration.apply(&(1..=3).map(|id| upsert(id, Some(5_000), false)).collect::<Vec<_>>());
        exploration.record(&event(1, Action::View, 400));
        for time in 6_000..6_010 {
            // Nobody recorded impressions: who viewed it saw it.
            exploration.record(&event(2, Action::View, time));
        }
        assert_eq!(cold(&exploration, 1), [3]);
        exploration.restart_events();
        assert_eq!(cold(&exploration, 1).len(), 3);
        exploration.restart_items();
        assert!(cold(&exploration, 1).is_empty());
    }

    #[test]
    fn equally_new_items_are_spread_over_users_and_a_user_gets_the_same_again() {
        let mut exploration = Exploration::new();
        exploration.apply(&(1..=10).map(|id| upsert(id, Some(5_000), false)).collect::<Vec<_>>());
        let mut firsts: BTreeMap<u64, u32> = BTreeMap::new();
        for user in 1..=1_000 {
            let list = cold(&exploration, user);
            assert_eq!(list, cold(&exploration, user));
            *firsts.entry(list[0]).or_default() += 1;
        }
        // A hundred each, were they drawn: 60 to 140 is four standard deviations.
        assert!(firsts.len() == 10 && firsts.values().all(|count| (60..=140).contains(count)));
    }
}
