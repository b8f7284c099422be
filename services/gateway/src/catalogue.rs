//! The catalogue as the gateway sees it: the items for filters and titles, and which ids were
//! deleted, so that a deleted item in a channel's list is told from an invented one.

use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::HashSet;
use tributary_domain::{Item, ItemChange, ItemId};
use tributary_feed::{Catalog, CatalogSnapshot, FollowState, ItemSink};

/// Filled from the item log; clones share one catalogue.
#[derive(Clone, Default)]
pub struct Catalogue {
    generations: Arc<Generations>,
}

/// One life of the store's log. A store that was replaced begins another, which requests see once
/// it was read to its head; until then the one before is better than half a catalogue.
#[derive(Default)]
struct Generations {
    shown: ArcSwap<Generation>,
    filled: ArcSwap<Generation>,
}

#[derive(Default)]
struct Generation {
    items: Catalog,
    deleted: ArcSwap<HashSet<ItemId>>,
}

impl Catalogue {
    /// The sink that fills this catalogue. A catalogue has one.
    pub fn sink(&self) -> impl ItemSink + use<> {
        Sink::begin(Arc::clone(&self.generations))
    }

    /// The catalogue now. `state` is that of the follower that fills it.
    pub fn view(&self, state: FollowState) -> View {
        let read = state.caught_up && state.connected && state.lag() == 0;
        let generation = self.generations.show(read);
        let items = generation.items.snapshot();
        let complete = read && self.generations.is_filled(&generation) && !items.is_empty();
        View { complete, items, deleted: generation.deleted.load_full() }
    }
}

impl Generations {
    /// What requests see: the generation being filled where it is `read` to its head, or where
    /// there is nothing else to see.
    ///
    /// The follower connects again between a restart and the first entries after it, and says that
    /// it is connected only once it has applied them: an old state never shows a new generation.
    fn show(&self, read: bool) -> Arc<Generation> {
        let (shown, filled) = (self.shown.load_full(), self.filled.load_full());
        let newer_is_read = read && !filled.items.snapshot().is_empty();
        if Arc::ptr_eq(&shown, &filled) || !(newer_is_read || shown.items.snapshot().is_empty()) {
            return shown;
        }
        self.shown.store(Arc::clone(&filled));
        filled
    }

    fn is_filled(&self, generation: &Arc<Generation>) -> bool {
        Arc::ptr_eq(generation, &self.filled.load())
    }
}

/// The catalogue at one moment, for one request.
#[derive(Clone)]
pub struct View {
    items: Arc<CatalogSnapshot>,
    deleted: Arc<HashSet<ItemId>>,
    /// True while all of the item log is applied as far as the gateway heard of it: an id that is
    /// not here does not exist. False while it is read, and while `feature` is away.
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

struct Sink {
    generations: Arc<Generations>,
    generation: Arc<Generation>,
    items: Box<dyn ItemSink>,
    deleted: HashSet<ItemId>,
}

impl Sink {
    /// Fills a generation of its own.
    fn begin(generations: Arc<Generations>) -> Self {
        let generation = Arc::<Generation>::default();
        generations.filled.store(Arc::clone(&generation));
        let items = Box::new(generation.items.sink());
        Self { generations, generation, items, deleted: HashSet::new() }
    }
}

impl ItemSink for Sink {
    fn apply(&mut self, changes: &[ItemChange]) {
        for change in changes {
            match change {
                ItemChange::Upserted(item) => self.deleted.remove(&item.id),
                ItemChange::Deleted(id) => self.deleted.insert(*id),
            };
        }
        // Before the items: between the two an id counts as deleted rather than as invented.
        self.generation.deleted.store(Arc::new(self.deleted.clone()));
        self.items.apply(changes);
    }

    fn restart(&mut self) {
        *self = Self::begin(Arc::clone(&self.generations));
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
    }

    #[test]
    fn a_replaced_store_is_shown_once_it_is_read() {
        let catalogue = Catalogue::default();
        let mut sink = catalogue.sink();
        let item = |id| ItemChange::Upserted(Item::bare(ItemId(id)));
        let known = |state| {
            let view = catalogue.view(state);
            ([1, 2, 3].map(|id| view.get(ItemId(id)).is_some()), view.is_deleted(ItemId(4)))
        };
        let old = ([true, false, false], true);
        let away = FollowState { applied: 0, head: 0, connected: false, ..CAUGHT_UP };
        let behind = FollowState { applied: 1, ..CAUGHT_UP };
        sink.apply(&[item(1), ItemChange::Deleted(ItemId(4))]);
        assert_eq!(known(CAUGHT_UP), old);
        for _ in 0..2 {
            sink.restart();
            assert_eq!(known(away), old);
            assert_eq!(known(CAUGHT_UP), old, "an empty store replaces nothing");
            assert!(!catalogue.view(CAUGHT_UP).complete);
            sink.apply(&[item(2)]);
            assert_eq!(known(away), old);
            assert_eq!(known(behind), old);
        }
        sink.apply(&[item(3)]);
        assert_eq!(known(CAUGHT_UP), ([false, true, true], false));
        assert!(catalogue.view(CAUGHT_UP).complete);
    }

    #[test]
    fn completeness() {
        let catalogue = Catalogue::default();
        assert!(!catalogue.view(CAUGHT_UP).complete, "an empty catalogue knows nothing");
        catalogue.sink().apply(&[ItemChange::Upserted(Item::bare(ItemId(1)))]);
        assert!(catalogue.view(CAUGHT_UP).complete);
        let behind = FollowState { head: 10, ..CAUGHT_UP };
        assert!(!catalogue.view(behind).complete);
        let disconnected = FollowState { connected: false, ..CAUGHT_UP };
        assert!(!catalogue.view(disconnected).complete);
        let starting = FollowState { caught_up: false, ..CAUGHT_UP };
        assert!(!catalogue.view(starting).complete);
    }
}
