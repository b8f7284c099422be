use std::sync::Arc;

use tributary_bundle::Bundle;
use tributary_recall::{Bundled, Channel, Query, RecallError, Recalled, Workers};
use tributary_retrieval::collaborative::{Collaborative, CollaborativeConfig, Tables};

use crate::{CollaborativeError, metrics};

/// The bundle's file with the favourites and the item-to-item tables.
const TABLES: &str = "tables/collaborative.safetensors";

/// What the channel makes of a bundle.
pub(crate) fn load(
    bundle: &Bundle,
    config: &CollaborativeConfig,
) -> Result<Collaborative, CollaborativeError> {
    let bytes = bundle.read(TABLES)?;
    let tables = Tables::from_bytes(&bytes)?;
    Ok(Collaborative::new(Arc::new(tables), config.clone())?)
}

/// The channel.
pub(crate) struct Neighbours {
    bundled: Bundled<Collaborative>,
    workers: Workers,
}

impl Neighbours {
    pub(crate) fn new(bundled: Bundled<Collaborative>, workers: Workers) -> Self {
        Self { bundled, workers }
    }
}

impl Channel for Neighbours {
    fn revision(&self) -> u64 {
        self.bundled.revision()
    }

    /// Without behaviour there is no neighbour: an empty list.
    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let loaded = self.bundled.current()?;
        let bundle = Some(loaded.bundle_id.clone());
        if query.context.is_cold() {
            metrics::cold();
            return Ok(Recalled { items: Vec::new(), bundle });
        }
        let query = query.clone();
        let recall = move || loaded.value.recall(&query.context, query.size);
        Ok(Recalled { items: self.workers.run(recall).await?, bundle })
    }
}
