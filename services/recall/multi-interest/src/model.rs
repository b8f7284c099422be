use std::sync::Arc;

use tributary_bundle::Bundle;
use tributary_recall::vectors::read_index;
use tributary_retrieval::vector::{VectorConfig, VectorIndex};
use tributary_tower::{Loader, Output, Tower};

use crate::{MultiInterestError, metrics};

const TOWER: &str = "multi_interest_user";
const VECTORS: &str = "tables/multi_interest_vectors.safetensors";

/// What one bundle holds for this channel: the parts that must agree.
pub(crate) struct Model {
    pub(crate) interests: Tower,
    pub(crate) index: Arc<VectorIndex>,
}

impl Model {
    /// The model of a bundle. Refuses a bundle whose network does not work, or whose interests are
    /// of another space than its item vectors.
    pub(crate) fn load(
        bundle: &Bundle,
        loader: &Loader,
        config: &VectorConfig,
    ) -> Result<Self, MultiInterestError> {
        let index = read_index(bundle, VECTORS, config)?;
        let interests = loader.load(bundle, TOWER, Output::Interests, index.dimensions())?;
        metrics::indexed(index.len());
        Ok(Self { interests, index: Arc::new(index) })
    }
}
