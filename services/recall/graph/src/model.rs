use std::sync::Arc;

use tributary_bundle::Bundle;
use tributary_recall::vectors::read_index;
use tributary_retrieval::vector::{VectorConfig, VectorIndex};

use crate::{GraphError, metrics};

const VECTORS: &str = "tables/graph_vectors.safetensors";

/// What a bundle holds for this channel: the items as the user-item graph places them.
pub(crate) fn load(bundle: &Bundle, config: &VectorConfig) -> Result<Arc<VectorIndex>, GraphError> {
    let index = read_index(bundle, VECTORS, config)?;
    metrics::indexed(index.len());
    Ok(Arc::new(index))
}
