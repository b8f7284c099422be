use std::sync::Arc;

use tributary_bundle::Loaded;
use tributary_domain::Scored;
use tributary_recall::{Bundled, Channel, Query, RecallError, Recalled, Workers};

use crate::{TwoTowerError, metrics, model::Model};

/// The channel.
pub(crate) struct TwoTower {
    bundled: Bundled<Model>,
    workers: Workers,
}

impl TwoTower {
    pub(crate) fn new(bundled: Bundled<Model>, workers: Workers) -> Self {
        Self { bundled, workers }
    }

    async fn nearest(
        &self,
        loaded: Arc<Loaded<Model>>,
        query: &Query,
    ) -> Result<Vec<Scored>, RecallError> {
        let vector = loaded.value.user_vector(&query.context).await;
        let Some(vector) = vector.map_err(RecallError::classified)? else {
            metrics::cold();
            return Ok(Vec::new());
        };
        let query = query.clone();
        let search = move || {
            let skip = |item| query.context.has_seen(item);
            loaded.value.index().search(&vector, query.size, &skip)
        };
        let found = self.workers.run(search).await?;
        found.map_err(|error| RecallError::classified(TwoTowerError::from(error)))
    }
}

impl Channel for TwoTower {
    fn revision(&self) -> u64 {
        self.bundled.revision()
    }

    /// A user who has dealt with no item gets an empty list: what the tower makes of an empty
    /// history is the same for everybody and worse than what the trending channel has.
    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let loaded = self.bundled.current()?;
        let bundle = Some(loaded.bundle_id.clone());
        Ok(Recalled { items: self.nearest(loaded, query).await?, bundle })
    }
}
