use std::sync::Arc;

use tributary_domain::UserContext;
use tributary_recall::{Channel, Query, RecallError, Recalled, Workers};
use tributary_retrieval::exploration::{ColdItem, ColdQuery};

use crate::counters::Counters;

/// The channel.
pub(crate) struct Popular {
    counters: Arc<Counters>,
    workers: Workers,
}

impl Popular {
    pub(crate) fn new(counters: Arc<Counters>, workers: Workers) -> Self {
        Self { counters, workers }
    }
}

impl Channel for Popular {
    fn revision(&self) -> u64 {
        self.counters.revision()
    }

    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let trending = self.counters.snapshot()?;
        let query = query.clone();
        let list = move || trending.recall(&query.context, query.size);
        Ok(Recalled::live(self.workers.run(list).await?))
    }

    async fn cold(
        &self,
        context: &Arc<UserContext>,
        query: ColdQuery,
    ) -> Result<Vec<ColdItem>, RecallError> {
        let (exploration, context) = (self.counters.exploration()?, Arc::clone(context));
        self.workers.run(move || exploration.cold(&context, &query)).await
    }
}
