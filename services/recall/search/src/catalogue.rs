use std::sync::Arc;

use tributary_domain::ItemChange;
use tributary_feed::{EventSink, ItemSink, SegmentedEvent};
use tributary_recall::{Live, RecallError};
use tributary_retrieval::text::{TextError, TextIndex};

use crate::metrics;

/// The index as the logs move it.
pub(crate) struct Catalogue {
    index: TextIndex,
    live: Live,
}

impl Catalogue {
    pub(crate) fn new(index: TextIndex, live: Live) -> Self {
        Self { index, live }
    }

    /// The index to answer from.
    pub(crate) fn index(&self) -> Result<&TextIndex, RecallError> {
        self.live.admit()?;
        Ok(&self.index)
    }

    /// Waits until requests are let in.
    pub(crate) async fn opened(&self) {
        self.live.opened().await;
    }

    pub(crate) fn revision(&self) -> u64 {
        self.live.revision()
    }

    /// Commits what the log of items changes: many changes together, for a commit is dear. Never
    /// ends.
    pub(crate) async fn keep_committed(self: &Arc<Self>, caught_up: impl Future<Output = ()>) {
        let catalogue = Arc::clone(self);
        self.live.run(move || catalogue.commit(), caught_up).await;
    }

    fn commit(&self) {
        report(self.index.commit());
        metrics::committed(self.index.len());
    }
}

/// The index is in memory: a failure is a fault of ours that the follower can do nothing about,
/// and further changes may still be taken.
fn report(result: Result<(), TextError>) {
    if let Err(error) = result {
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, cause = error.source(), "the text index missed a change");
        metrics::failed();
    }
}

/// Keeps the index's items.
pub(crate) struct Indexing(pub(crate) Arc<Catalogue>);

impl ItemSink for Indexing {
    fn apply(&mut self, changes: &[ItemChange]) {
        report(self.0.index.apply(changes));
        self.0.live.items_changed(changes);
    }

    fn restart(&mut self) {
        report(self.0.index.restart_items());
        self.0.live.withdrawn();
    }

    fn users_deleted(&mut self) {
        self.0.live.users_deleted();
    }
}

/// Keeps the popularity that recall weighs items by. It moves slowly: cached lists are not renewed
/// for it, and nothing needs a commit.
pub(crate) struct Counting(pub(crate) Arc<Catalogue>);

impl EventSink for Counting {
    fn apply(&mut self, events: &[SegmentedEvent]) {
        events.iter().for_each(|event| self.0.index.record(&event.event));
    }

    fn restart(&mut self) {
        self.0.index.restart_events();
    }
}
