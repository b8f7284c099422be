use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use tributary_domain::{Item, ItemChange, ItemId};
use tributary_retrieval::vector::{VectorChange, VectorIndex};

use crate::{Items, Placing, metrics};

/// Items that are placed together.
const TOGETHER: usize = 1_000;

/// The vectors of one bundle as the item log changes them.
pub struct FreshIndex {
    /// `None` where the bundle holds nothing to place items by: they then keep what they have.
    placing: Option<Box<dyn Placing>>,
    published: ArcSwap<VectorIndex>,
    /// Orders the writers: the item follower and the loading of the bundle.
    writing: Mutex<()>,
}

impl FreshIndex {
    /// The bundle's own vectors; [`Items::join`] brings them up to date.
    pub fn new(index: VectorIndex, placing: Option<Box<dyn Placing>>) -> Self {
        Self { placing, published: ArcSwap::from_pointee(index), writing: Mutex::new(()) }
    }

    /// The vectors of this moment: they do not change while they are held.
    pub fn snapshot(&self) -> Arc<VectorIndex> {
        self.published.load_full()
    }

    pub(crate) fn apply(&self, changes: &[ItemChange]) {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = Vec::new();
        let mut shown: Vec<&Item> = Vec::new();
        for change in changes {
            // The last change of an item counts, and the two lists are applied one after the other.
            gone.retain(|id| *id != change.item());
            shown.retain(|item| item.id != change.item());
            match change {
                ItemChange::Upserted(item) if !item.hidden => shown.push(item),
                ItemChange::Upserted(_) | ItemChange::Deleted(_) => gone.push(change.item()),
            }
        }
        self.update(&gone, &shown);
    }

    /// Takes over all of the catalogue. It is read under the lock: what the follower puts into it
    /// later, it also applies here later.
    pub(crate) fn take_over(&self, items: &Items) {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<ItemId> = items.gone().iter().copied().collect();
        let catalog = items.catalog().snapshot();
        let shown: Vec<&Item> =
            catalog.iter().map(AsRef::as_ref).filter(|item| !item.hidden).collect();
        self.update(&gone, &shown);
    }

    /// Begins again with the bundle's own vectors.
    pub(crate) fn restart(&self) {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.publish(self.snapshot().without_changes());
    }

    fn update(&self, gone: &[ItemId], shown: &[&Item]) {
        // First: a vector that cannot be made must not keep a deleted item in the lists.
        self.change(gone.iter().map(|item| VectorChange::Withdrawn(*item)).collect());
        let (known, new): (Vec<&Item>, Vec<&Item>) =
            shown.iter().copied().partition(|item| self.stands(item));
        self.change(known.iter().map(|item| VectorChange::Restored(item.id)).collect());
        for items in new.chunks(TOGETHER) {
            self.place(items);
        }
    }

    /// True where the item has the right vector in the bundle, or cannot have another.
    fn stands(&self, item: &Item) -> bool {
        let indexed = self.published.load().was_built_with(item.id);
        self.placing.as_ref().is_none_or(|placing| indexed && placing.stands(item))
    }

    fn place(&self, items: &[&Item]) {
        let Some(placing) = &self.placing else { return };
        match placing.place(items) {
            Ok(vectors) => {
                let placed = items.iter().zip(vectors);
                let change = |(item, vector): (&&Item, Option<Vec<f32>>)| match vector {
                    Some(vector) => VectorChange::Placed(item.id, vector),
                    None => VectorChange::Restored(item.id),
                };
                self.change(placed.map(change).collect());
            }
            Err(error) => failed(items.len(), &error),
        }
    }

    fn change(&self, changes: Vec<VectorChange>) {
        if changes.is_empty() {
            return;
        }
        let count = changes.len();
        match self.published.load().changed(changes) {
            Ok(index) => self.publish(index),
            Err(error) => failed(count, &error),
        }
    }

    fn publish(&self, index: VectorIndex) {
        metrics::placed(index.placed());
        self.published.store(Arc::new(index));
    }
}

/// The items keep the vectors they had, or none; the log goes on.
fn failed(items: usize, error: &(dyn Error + 'static)) {
    tracing::error!(items, error, cause = error.source(), "items could not be placed");
    metrics::failed(items);
}
