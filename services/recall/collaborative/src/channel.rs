use std::sync::Arc;

use tributary_bundle::Bundle;
use tributary_fresh::Items;
use tributary_recall::{Bundled, Channel, Live, Query, RecallError, Recalled, Workers};
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
    live: Arc<Live>,
    workers: Workers,
    items: Items,
}

impl Neighbours {
    pub(crate) fn new(
        bundled: Bundled<Collaborative>,
        live: Arc<Live>,
        workers: Workers,
        items: Items,
    ) -> Self {
        Self { bundled, live, workers, items }
    }
}

impl Channel for Neighbours {
    fn revision(&self) -> u64 {
        self.bundled.revision().wrapping_add(self.live.revision())
    }

    /// Without behaviour there is no neighbour: an empty list.
    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let loaded = self.bundled.current()?;
        self.live.admit()?;
        let bundle = Some(loaded.bundle_id.clone());
        if query.context.is_cold() {
            metrics::cold();
            return Ok(Recalled { items: Vec::new(), bundle });
        }
        let (query, gone) = (query.clone(), self.items.gone());
        let barred = move |item| gone.contains(&item);
        let recall = move || loaded.value.recall_without(&query.context, query.size, &barred);
        Ok(Recalled { items: self.workers.run(recall).await?, bundle })
    }
}
