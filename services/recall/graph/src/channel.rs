use std::sync::Arc;

use tributary_domain::Scored;
use tributary_fresh::FreshIndex;
use tributary_recall::{Bundled, Channel, Live, Query, RecallError, Recalled, Workers};
use tributary_retrieval::{
    medoids::{self, Medoid, MedoidsConfig},
    vector::VectorIndex,
};

use crate::metrics;

/// The channel.
pub(crate) struct Graph {
    bundled: Bundled<Arc<FreshIndex>>,
    live: Arc<Live>,
    workers: Workers,
    config: MedoidsConfig,
}

impl Graph {
    pub(crate) fn new(
        bundled: Bundled<Arc<FreshIndex>>,
        live: Arc<Live>,
        workers: Workers,
        config: MedoidsConfig,
    ) -> Self {
        Self { bundled, live, workers, config }
    }

    /// The items that stand for the user.
    async fn medoids(
        &self,
        index: &Arc<VectorIndex>,
        query: &Query,
    ) -> Result<Vec<Medoid>, RecallError> {
        let (index, context) = (Arc::clone(index), Arc::clone(&query.context));
        let config = self.config.clone();
        self.workers.run(move || medoids::medoids(&context, &index, &config)).await
    }

    /// A search for each medoid, all at once, merged.
    async fn nearest(
        &self,
        index: &Arc<VectorIndex>,
        medoids: &[Medoid],
        query: &Query,
    ) -> Result<Vec<Scored>, RecallError> {
        let size = query.size;
        let searches = medoids.iter().map(|&medoid| {
            let (index, context) = (Arc::clone(index), Arc::clone(&query.context));
            move || medoids::search(&index, &medoid, size, &|item| context.has_seen(item))
        });
        let lists: Result<Vec<_>, _> = self.workers.run_all(searches).await?.into_iter().collect();
        Ok(medoids::merge(medoids, lists.map_err(RecallError::internal)?, size))
    }
}

impl Channel for Graph {
    fn revision(&self) -> u64 {
        self.bundled.revision().wrapping_add(self.live.revision())
    }

    /// A user who has dealt with no item of the graph gets an empty list.
    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let loaded = self.bundled.current()?;
        self.live.admit()?;
        // One state of the items for the whole answer.
        let index = loaded.value.snapshot();
        let bundle = Some(loaded.bundle_id.clone());
        let medoids = self.medoids(&index, query).await?;
        if medoids.is_empty() {
            metrics::cold();
            return Ok(Recalled { items: Vec::new(), bundle });
        }
        metrics::medoids(medoids.len());
        Ok(Recalled { items: self.nearest(&index, &medoids, query).await?, bundle })
    }
}
