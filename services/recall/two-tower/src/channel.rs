use std::sync::Arc;

use tributary_recall::{
    Bundled, Channel, Live, Query, RecallError, Recalled, Workers, vectors::nearest,
};

use crate::{metrics, model::Model};

/// The channel.
pub(crate) struct TwoTower {
    bundled: Bundled<Model>,
    live: Arc<Live>,
    workers: Workers,
}

impl TwoTower {
    pub(crate) fn new(bundled: Bundled<Model>, live: Arc<Live>, workers: Workers) -> Self {
        Self { bundled, live, workers }
    }
}

impl Channel for TwoTower {
    fn revision(&self) -> u64 {
        self.bundled.revision().wrapping_add(self.live.revision())
    }

    /// A user who has dealt with no item gets an empty list: the trending channel has better.
    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let loaded = self.bundled.current()?;
        self.live.admit()?;
        let bundle = Some(loaded.bundle_id.clone());
        let vectors = loaded.value.tower.vectors(&query.context).await;
        let Some(vectors) = vectors.map_err(RecallError::classified)? else {
            metrics::cold();
            return Ok(Recalled { items: Vec::new(), bundle });
        };
        let items = nearest(&self.workers, &loaded.value.index.snapshot(), vectors, query).await?;
        Ok(Recalled { items, bundle })
    }
}
