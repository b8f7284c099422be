use std::sync::Arc;

use arc_swap::ArcSwap;
use tributary_domain::{Item, ItemChange, ItemId};

use crate::ItemSink;

/// The catalogue as the item log tells it, shared by all who read it. A change of a few items
/// copies a few nodes of a persistent map, not the catalogue.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    current: Arc<ArcSwap<CatalogSnapshot>>,
}

impl Catalog {
    /// An empty catalogue.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sink that fills this catalogue: give it to `follow_items`. A catalogue has one.
    pub fn sink(&self) -> impl ItemSink + use<> {
        CatalogSink { working: CatalogSnapshot::default(), current: Arc::clone(&self.current) }
    }

    /// The catalogue as of the last changes applied. It does not change while it is held.
    pub fn snapshot(&self) -> Arc<CatalogSnapshot> {
        self.current.load_full()
    }
}

/// The catalogue at one moment.
#[derive(Debug, Clone, Default)]
pub struct CatalogSnapshot {
    items: imbl::HashMap<ItemId, Arc<Item>>,
}

impl CatalogSnapshot {
    /// The item, or `None` where it is unknown or deleted. Hidden items are in the catalogue.
    pub fn get(&self, item: ItemId) -> Option<&Arc<Item>> {
        self.items.get(&item)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All items, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.items.values()
    }

    fn change(&mut self, change: &ItemChange) {
        match change {
            ItemChange::Upserted(item) => {
                self.items.insert(item.id, Arc::new(item.clone()));
            }
            ItemChange::Deleted(id) => {
                self.items.remove(id);
            }
        }
    }
}

struct CatalogSink {
    working: CatalogSnapshot,
    current: Arc<ArcSwap<CatalogSnapshot>>,
}

impl CatalogSink {
    fn publish(&self) {
        self.current.store(Arc::new(self.working.clone()));
    }
}

impl ItemSink for CatalogSink {
    fn apply(&mut self, changes: &[ItemChange]) {
        changes.iter().for_each(|change| self.working.change(change));
        self.publish();
    }

    fn restart(&mut self) {
        self.working = CatalogSnapshot::default();
        self.publish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titled(id: u64, title: &str) -> ItemChange {
        ItemChange::Upserted(Item { title: title.into(), ..Item::bare(ItemId(id)) })
    }

    fn titles(catalog: &Catalog) -> Vec<(u64, String)> {
        let snapshot = catalog.snapshot();
        let mut titles: Vec<_> =
            snapshot.iter().map(|item| (item.id.0, item.title.clone())).collect();
        titles.sort();
        assert_eq!(titles.len(), snapshot.len());
        titles
    }

    #[test]
    fn snapshots_hold_what_was_applied_and_nothing_later() {
        let catalog = Catalog::new();
        let mut sink = catalog.sink();
        sink.apply(&[titled(1, "a"), titled(2, "b")]);
        let before = catalog.snapshot();
        sink.apply(&[titled(1, "c"), ItemChange::Deleted(ItemId(2)), titled(3, "d")]);
        assert_eq!(titles(&catalog), [(1, "c".to_owned()), (3, "d".to_owned())]);
        assert!(catalog.snapshot().get(ItemId(2)).is_none());
        assert_eq!(before.get(ItemId(2)).unwrap().title, "b");
        sink.restart();
        assert!(catalog.snapshot().is_empty());
    }
}
