use std::sync::Arc;

use tributary_recall::{
    Bundled, Channel, Live, Query, RecallError, Recalled, Workers, vectors::nearest,
};

use crate::{metrics, model::Model};

/// The channel.
pub(crate) struct MultiInterest {
    bundled: Bundled<Model>,
    live: Arc<Live>,
    workers: Workers,
}

impl MultiInterest {
    pub(crate) fn new(bundled: Bundled<Model>, live: Arc<Live>, workers: Workers) -> Self {
        Self { bundled, live, workers }
    }
}

impl Channel for MultiInterest {
    fn revision(&self) -> u64 {
        self.bundled.revision().wrapping_add(self.live.revision())
    }

    /// A user who has dealt with no item has no interests, and gets an empty list.
    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let loaded = self.bundled.current()?;
        self.live.admit()?;
        let bundle = Some(loaded.bundle_id.clone());
        let interests = loaded.value.interests.vectors(&query.context).await;
        let Some(interests) = interests.map_err(RecallError::classified)? else {
            metrics::cold();
            return Ok(Recalled { items: Vec::new(), bundle });
        };
        metrics::interests(interests.len());
        let items =
            nearest(&self.workers, &loaded.value.index.snapshot(), interests, query).await?;
        Ok(Recalled { items, bundle })
    }
}
