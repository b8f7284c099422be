use std::sync::Arc;

use tributary_bundle::Bundle;
use tributary_fresh::{ByTower, FreshIndex, Items};
use tributary_recall::vectors::read_index;
use tributary_retrieval::vector::VectorConfig;
use tributary_tower::{Loader, Output, Tower};

use crate::{TwoTowerError, metrics};

const TOWER: &str = "user_tower";
const ITEM_TOWER: &str = "item_tower";
const VECTORS: &str = "tables/item_vectors.safetensors";

/// What one bundle holds for this channel: the parts that must agree.
pub(crate) struct Model {
    pub(crate) tower: Tower,
    /// The items' vectors, kept fresh from the item log.
    pub(crate) index: Arc<FreshIndex>,
}

impl Model {
    /// The model of a bundle, its items as `items` has them. Refuses a bundle whose tower does not work, or lives in another
    /// space than its item vectors.
    pub(crate) fn load(
        bundle: &Bundle,
        loader: &Loader,
        config: &VectorConfig,
        items: &Items,
    ) -> Result<Self, TwoTowerError> {
        let index = read_index(bundle, VECTORS, config)?;
        let tower = loader.load(bundle, TOWER, Output::Vector, index.dimensions())?;
        metrics::indexed(index.len());
        let placing = ByTower::load(bundle, loader, ITEM_TOWER, index.dimensions())?;
        let index = Arc::new(FreshIndex::new(index, placing));
        items.join(&index);
        Ok(Self { tower, index })
    }
}
