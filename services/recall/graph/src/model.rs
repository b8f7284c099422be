use std::sync::Arc;

use tributary_bundle::Bundle;
use tributary_fresh::{ByLabels, FreshIndex, Items};
use tributary_recall::vectors::{VectorsError, read_index};
use tributary_retrieval::vector::VectorConfig;

use crate::{GraphError, metrics};

const VECTORS: &str = "tables/graph_vectors.safetensors";

/// What a bundle holds for this channel: the items as the user-item graph places them, kept fresh
/// from the item log. Items that the graph does not hold lie where those of the same labels do.
pub(crate) fn load(
    bundle: &Bundle,
    config: &VectorConfig,
    items: &Items,
) -> Result<Arc<FreshIndex>, GraphError> {
    let index = read_index(bundle, VECTORS, config)?;
    metrics::indexed(index.len());
    let catalogue = bundle.items().map_err(VectorsError::from)?;
    let placing = ByLabels::new(&index, &catalogue);
    let index = Arc::new(FreshIndex::new(index, Some(Box::new(placing))));
    items.join(&index);
    Ok(index)
}
