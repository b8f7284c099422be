//! Encoded item rows, kept fresh from the item log.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use tributary_domain::{Item, ItemChange, ItemId};
use tributary_features::{Encoder, Part, Side, ranking::ItemRecord};
use tributary_feed::{Catalog, CatalogSnapshot, ItemSink};

use crate::metrics;

/// An item with its encoded columns.
pub(crate) struct Row {
    pub(crate) item: Arc<Item>,
    pub(crate) part: Part,
}

impl Row {
    pub(crate) fn encode(encoder: &Encoder, item: Arc<Item>) -> Self {
        let part = encoder.part(Side::Item, &ItemRecord(&item));
        Self { item, part }
    }
}

pub(crate) type RowMap = imbl::HashMap<ItemId, Arc<Row>>;

/// The rows of one model.
pub(crate) struct Rows {
    encoder: Arc<Encoder>,
    published: ArcSwap<RowMap>,
    /// Orders the writers: the item follower and the loading of the model.
    writing: Mutex<()>,
}

impl Rows {
    /// The rows of a bundle's items.
    pub(crate) fn new(encoder: Arc<Encoder>, items: impl Iterator<Item = Item>) -> Self {
        let row = |item: Item| (item.id, Arc::new(Row::encode(&encoder, Arc::new(item))));
        let rows: RowMap = items.map(row).collect();
        metrics::items(rows.len());
        Self { published: ArcSwap::from_pointee(rows), encoder, writing: Mutex::new(()) }
    }

    /// The rows of this moment.
    pub(crate) fn snapshot(&self) -> Arc<RowMap> {
        self.published.load_full()
    }

    fn apply(&self, changes: &[ItemChange]) {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows = RowMap::clone(&self.snapshot());
        for change in changes {
            match change {
                ItemChange::Upserted(item) => self.put(&mut rows, Arc::new(item.clone())),
                ItemChange::Deleted(id) => {
                    rows.remove(id);
                }
            }
        }
        self.publish(rows);
    }

    /// Takes over all of the catalogue. The catalogue is read under the lock: what the follower
    /// puts into it later, it also applies here later.
    fn take_over(&self, catalog: &Catalog) {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let catalog: Arc<CatalogSnapshot> = catalog.snapshot();
        let mut rows = RowMap::clone(&self.snapshot());
        for item in catalog.iter() {
            if rows.get(&item.id).is_none_or(|row| row.item != *item) {
                self.put(&mut rows, Arc::clone(item));
            }
        }
        self.publish(rows);
    }

    fn put(&self, rows: &mut RowMap, item: Arc<Item>) {
        rows.insert(item.id, Arc::new(Row::encode(&self.encoder, item)));
    }

    fn publish(&self, rows: RowMap) {
        metrics::items(rows.len());
        self.published.store(Arc::new(rows));
    }
}

/// The rows of the models that live: the one that serves, the one before, one that is loaded.
#[derive(Clone, Default)]
pub(crate) struct Models {
    catalog: Catalog,
    /// Held for as long as it takes to copy a few pointers.
    rows: Arc<Mutex<Vec<Weak<Rows>>>>,
}

impl Models {
    /// Brings a new model's rows up to date and keeps them so.
    pub(crate) fn join(&self, rows: &Arc<Rows>) {
        let mut known = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|rows| rows.strong_count() > 0);
        known.push(Arc::downgrade(rows));
        drop(known);
        rows.take_over(&self.catalog);
    }

    fn living(&self) -> Vec<Arc<Rows>> {
        let known = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Applies the item log: to the catalogue first, then to every model's rows.
pub(crate) struct Refreshing<S> {
    catalog: S,
    models: Models,
}

impl Refreshing<()> {
    pub(crate) fn new(models: Models) -> Refreshing<impl ItemSink> {
        Refreshing { catalog: models.catalog.sink(), models }
    }
}

impl<S: ItemSink> ItemSink for Refreshing<S> {
    fn apply(&mut self, changes: &[ItemChange]) {
        self.catalog.apply(changes);
        self.models.living().iter().for_each(|rows| rows.apply(changes));
    }

    /// Rows of the lost store stay until the new log replaces them: stale features score better
    /// than none.
    fn restart(&mut self) {
        self.catalog.restart();
    }
}
