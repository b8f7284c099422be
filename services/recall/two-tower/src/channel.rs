use tributary_recall::{Bundled, Channel, Query, RecallError, Recalled, Workers, vectors::nearest};

use crate::{metrics, model::Model};

/// The channel.
pub(crate) struct TwoTower {
    bundled: Bundled<Model>,
    workers: Workers,
}

impl TwoTower {
    pub(crate) fn new(bundled: Bundled<Model>, workers: Workers) -> Self {
        Self { bundled, workers }
    }
}

impl Channel for TwoTower {
    fn revision(&self) -> u64 {
        self.bundled.revision()
    }

    /// A user who has dealt with no item gets an empty list: the trending channel has better.
    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let loaded = self.bundled.current()?;
        let bundle = Some(loaded.bundle_id.clone());
        let vectors = loaded.value.tower.vectors(&query.context).await;
        let Some(vectors) = vectors.map_err(RecallError::classified)? else {
            metrics::cold();
            return Ok(Recalled { items: Vec::new(), bundle });
        };
        let items = nearest(&self.workers, &loaded.value.index, vectors, query).await?;
        Ok(Recalled { items, bundle })
    }
}
