use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use imbl::HashSet;
use tributary_domain::{ItemChange, ItemId};
use tributary_feed::{Catalog, ItemSink};

use crate::FreshIndex;

/// What the item log says, for the indexes that live: of the bundle that serves, the one before,
/// one that is loaded. Clones share it.
#[derive(Clone, Default)]
pub struct Items {
    catalog: Catalog,
    gone: Arc<ArcSwap<HashSet<ItemId>>>,
    /// Held for as long as it takes to copy a few pointers.
    indexes: Arc<Mutex<Vec<Weak<FreshIndex>>>>,
}

impl Items {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sink that fills this: give it to `follow_items`. There is one.
    pub fn sink(&self) -> impl ItemSink + use<> {
        Following { items: self.clone(), catalog: self.catalog.sink(), gone: HashSet::new() }
    }

    /// The catalogue as the log tells it.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The items that must not be served: deleted or hidden.
    pub fn gone(&self) -> Arc<HashSet<ItemId>> {
        self.gone.load_full()
    }

    /// Brings a bundle's vectors up to date and keeps them so for as long as they live. Blocks while
    /// new items are placed.
    pub fn join(&self, index: &Arc<FreshIndex>) {
        let mut known = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|index| index.strong_count() > 0);
        known.push(Arc::downgrade(index));
        drop(known);
        index.take_over(self);
    }

    fn living(&self) -> Vec<Arc<FreshIndex>> {
        let known = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Applies the item log: to what all share first, then to every index.
struct Following<S> {
    items: Items,
    catalog: S,
    gone: HashSet<ItemId>,
}

impl<S> Following<S> {
    fn publish(&self) {
        self.items.gone.store(Arc::new(self.gone.clone()));
    }
}

impl<S: ItemSink> ItemSink for Following<S> {
    fn apply(&mut self, changes: &[ItemChange]) {
        for change in changes {
            match change {
                ItemChange::Upserted(item) if !item.hidden => self.gone.remove(&item.id),
                ItemChange::Upserted(_) | ItemChange::Deleted(_) => self.gone.insert(change.item()),
            };
        }
        self.publish();
        self.catalog.apply(changes);
        self.items.living().iter().for_each(|index| index.apply(changes));
    }

    fn restart(&mut self) {
        self.gone = HashSet::new();
        self.publish();
        self.catalog.restart();
        self.items.living().iter().for_each(|index| index.restart());
    }
}

#[cfg(test)]
mod tests;
