use tributary_recall::{Bundled, Channel, Query, RecallError, Recalled, Workers, vectors::nearest};

use crate::{metrics, model::Model};

/// The channel.
pub(crate) struct MultiInterest {
    bundled: Bundled<Model>,
    workers: Workers,
}

impl MultiInterest {
    pub(crate) fn new(bundled: Bundled<Model>, workers: Workers) -> Self {
        Self { bundled, workers }
    }
}

impl Channel for MultiInterest {
    fn revision(&self) -> u64 {
        self.bundled.revision()
    }

    /// A user who has dealt with no item has no interests, and gets an empty list.
    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let loaded = self.bundled.current()?;
        let bundle = Some(loaded.bundle_id.clone());
        let interests = loaded.value.interests.vectors(&query.context).await;
        let Some(interests) = interests.map_err(RecallError::classified)? else {
            metrics::cold();
            return Ok(Recalled { items: Vec::new(), bundle });
        };
        metrics::interests(interests.len());
        let items = nearest(&self.workers, &loaded.value.index, interests, query).await?;
        Ok(Recalled { items, bundle })
    }
}
