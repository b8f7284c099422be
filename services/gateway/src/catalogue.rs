//! The catalogue as the gateway sees it: the items for filters and titles, and which ids were
//! deleted, so that a deleted item in a channel's list is told from an invented one.

use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::HashSet;
use tributary_domain::{Item, ItemChange, ItemId};
use tributary_feed::{Catalog, CatalogSnapshot, FollowState, ItemSink};

/// Changes that the catalogue may be behind and still tell an unknown id from a known one.
const LAG_ALLOWED: u64 = 1_000;

/// Filled from the item log; clones share one catalogue.
#[derive(Clone, Default)]
pub struct Catalogue {
    items: Catalog,
    deleted: Arc<ArcSwap<HashSet<ItemId>>>,
}

impl Catalogue {
    /// The sink that fills this catalogue. A catalogue has one.
    pub fn sink(&self) -> impl ItemSink {
        let deleted = HashSet::new();
        Sink { items: self.items.sink(), deleted, published: Arc::clone(&self.deleted) }
    }

    /// The catalogue now. `state` is that of the follower that fills it.
    pub fn view(&self, state: FollowState) -> View {
        let items = self.items.snapshot();
        let filled = state.caught_up && state.lag() <= LAG_ALLOWED;
        View { complete: filled && !items.is_empty(), items, deleted: self.deleted.load_full() }
    }
}

/// The catalogue at one moment, for one request.
#[derive(Clone)]
pub struct View {
    items: Arc<CatalogSnapshot>,
    deleted: Arc<HashSet<ItemId>>,
    /// False until the item log has been applied: an id that is not here may still exist.
    pub complete: bool,
}

impl View {
    pub fn get(&self, item: ItemId) -> Option<&Arc<Item>> {
        self.items.get(item)
    }

    pub fn is_deleted(&self, item: ItemId) -> bool {
        self.deleted.contains(&item)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

struct Sink<S> {
    items: S,
    deleted: HashSet<ItemId>,
    published: Arc<ArcSwap<HashSet<ItemId>>>,
}

impl<S> Sink<S> {
    fn publish(&self) {
        self.published.store(Arc::new(self.deleted.clone()));
    }
}

impl<S: ItemSink> ItemSink for Sink<S> {
    fn apply(&mut self, changes: &[ItemChange]) {
        for change in changes {
            match change {
                ItemChange::Upserted(item) => self.deleted.remove(&item.id),
                ItemChange::Deleted(id) => self.deleted.insert(*id),
            };
        }
        // Before the items: between the two an id counts as deleted rather than as invented.
        self.publish();
        self.items.apply(changes);
    }

    fn restart(&mut self) {
        self.deleted.clear();
        self.publish();
        self.items.restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUGHT_UP: FollowState =
        FollowState { applied: 9, head: 9, connected: true, caught_up: true };

    #[test]
    fn deleted_and_unknown_ids_differ() {
        let catalogue = Catalogue::default();
        let mut sink = catalogue.sink();
        let item = |id| ItemChange::Upserted(Item::bare(ItemId(id)));
        sink.apply(&[item(1), item(2), ItemChange::Deleted(ItemId(2)), item(3)]);
        sink.apply(&[ItemChange::Deleted(ItemId(3)), item(3)]);
        let view = catalogue.view(CAUGHT_UP);
        let known = |id| (view.get(ItemId(id)).is_some(), view.is_deleted(ItemId(id)));
        assert_eq!(
            [1, 2, 3, 4].map(known),
            [(true, false), (false, true), (true, false), (false, false),]
        );
        sink.restart();
        assert!(!catalogue.view(CAUGHT_UP).is_deleted(ItemId(2)));
    }

    #[test]
    fn completeness() {
        let catalogue = Catalogue::default();
        assert!(!catalogue.view(CAUGHT_UP).complete, "an empty catalogue knows nothing");
        catalogue.sink().apply(&[ItemChange::Upserted(Item::bare(ItemId(1)))]);
        assert!(catalogue.view(CAUGHT_UP).complete);
        let behind = FollowState { head: 5_000, ..CAUGHT_UP };
        assert!(!catalogue.view(behind).complete);
        let disconnected = FollowState { connected: false, ..CAUGHT_UP };
        assert!(catalogue.view(disconnected).complete);
        let starting = FollowState { caught_up: false, ..CAUGHT_UP };
        assert!(!catalogue.view(starting).complete);
    }
}
