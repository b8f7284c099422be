use std::sync::Arc;

use tributary_bundle::Bundle;
use tributary_recall::vectors::read_index;
use tributary_retrieval::vector::{VectorConfig, VectorIndex};
use tributary_tower::{Loader, Output, Tower};

use crate::{TwoTowerError, metrics};

const TOWER: &str = "user_tower";
const VECTORS: &str = "tables/item_vectors.safetensors";

/// What one bundle holds for this channel: the parts that must agree.
pub(crate) struct Model {
    pub(crate) tower: Tower,
    pub(crate) index: Arc<VectorIndex>,
}

impl Model {
    /// The model of a bundle. Refuses a bundle whose tower does not work, or lives in another
    /// space than its item vectors.
    pub(crate) fn load(
        bundle: &Bundle,
        loader: &Loader,
        config: &VectorConfig,
    ) -> Result<Self, TwoTowerError> {
        let index = read_index(bundle, VECTORS, config)?;
        let tower = loader.load(bundle, TOWER, Output::Vector, index.dimensions())?;
        metrics::indexed(index.len());
        Ok(Self { tower, index: Arc::new(index) })
    }
}
