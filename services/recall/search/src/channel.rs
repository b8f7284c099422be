use std::sync::Arc;

use tributary_recall::{Channel, Query, RecallError, Recalled, Workers};
use tributary_retrieval::text::{Hit, TextError, TextIndex};

use crate::{SearchError, catalogue::Catalogue};

/// The channel, and the free-text search beside it.
pub(crate) struct Words {
    catalogue: Arc<Catalogue>,
    workers: Workers,
}

impl Words {
    pub(crate) fn new(catalogue: Arc<Catalogue>, workers: Workers) -> Self {
        Self { catalogue, workers }
    }

    /// At most `size` items that match `text`, best first.
    pub(crate) async fn search(&self, text: String, size: usize) -> Result<Vec<Hit>, RecallError> {
        self.ask(move |index| index.search(&text, size)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&TextIndex) -> Result<T, TextError> + Send + 'static,
    ) -> Result<T, RecallError> {
        let catalogue = Arc::clone(&self.catalogue);
        let answer = self.workers.run(move || catalogue.index().map(question)).await??;
        answer.map_err(|error| RecallError::classified(SearchError::from(error)))
    }
}

impl Channel for Words {
    fn revision(&self) -> u64 {
        self.catalogue.revision()
    }

    async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
        let query = query.clone();
        let found = self.ask(move |index| index.recall(&query.context, query.size)).await?;
        Ok(Recalled::live(found))
    }
}
