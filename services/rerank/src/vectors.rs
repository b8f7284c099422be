use std::sync::Arc;

use tributary_bundle::Bundle;
use tributary_domain::ItemId;
use tributary_fresh::{ByTower, FreshIndex, Items};
use tributary_retrieval::vector::{ItemVectors, VectorConfig, VectorIndex};
use tributary_tower::Loader;

use crate::error::LoadError;

/// The bundle's file with the item tower's vectors.
const FILE: &str = "tables/item_vectors.safetensors";
/// The tower that made them, and places new and changed items among them.
const TOWER: &str = "item_tower";

/// The item vectors of one bundle, kept fresh from the item log.
pub(crate) struct Vectors(Arc<FreshIndex>);

impl Vectors {
    /// The vectors of a bundle, its items as `items` has them.
    pub(crate) fn load(bundle: &Bundle, loader: &Loader, items: &Items) -> Result<Self, LoadError> {
        let ItemVectors { ids, vectors } = ItemVectors::from_bytes(&bundle.read(FILE)?)?;
        // Nobody searches here: vectors are looked up.
        let lookup = VectorConfig { exact_below: usize::MAX, ..VectorConfig::default() };
        let index = VectorIndex::build(ids, vectors, &lookup)?;
        let placing = ByTower::load(bundle, loader, TOWER, index.dimensions())?;
        let index = Arc::new(FreshIndex::new(index, placing));
        items.join(&index);
        Ok(Self(index))
    }

    /// The vectors of this moment.
    pub(crate) fn snapshot(&self) -> Arc<VectorIndex> {
        self.0.snapshot()
    }
}

/// The vector of an item; those of which too little is known have none.
pub(crate) fn get(index: &VectorIndex, item: ItemId) -> Option<&[f32]> {
    Some(index.get(item)?.to_slice().expect("vectors are kept row by row"))
}
