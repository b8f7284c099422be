use std::sync::Arc;

use tributary_domain::Scored;
use tributary_fresh::FreshIndex;
use tributary_recall::{Bundled, Channel, Live, Query, RecallError, Recalled, Workers};
use tributary_retrieval::{
    medoids::{self, Medoid, MedoidsConfig, Query as Searched},
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

    /// One search for the history as a whole.
    async fn nearest_to_all(
        &self,
        index: &Arc<VectorIndex>,
        query: &Query,
    ) -> Result<Vec<Scored>, RecallError> {
        let (index, context) = (Arc::clone(index), Arc::clone(&query.context));
        let (config, size) = (self.config.clone(), query.size);
        let search =
            move || medoids::whole(&index, &context, size, &config, &|item| context.has_seen(item));
        self.workers.run(search).await?.map_err(RecallError::internal)
    }

    /// The channel's list, and in how many searches it was found; none where the user has dealt
    /// with no item of the graph.
    async fn find(
        &self,
        index: &Arc<VectorIndex>,
        query: &Query,
    ) -> Result<(Vec<Scored>, usize), RecallError> {
        if self.config.query == Searched::History {
            let items = self.nearest_to_all(index, query).await?;
            let searches = usize::from(!items.is_empty());
            return Ok((items, searches));
        }
        let medoids = self.medoids(index, query).await?;
        Ok((self.nearest(index, &medoids, query).await?, medoids.len()))
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
        let (items, searches) = self.find(&index, query).await?;
        match searches {
            0 => metrics::cold(),
            searches => metrics::medoids(searches),
        }
        Ok(Recalled { items, bundle })
    }
}
