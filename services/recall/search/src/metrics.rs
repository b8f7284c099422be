//! The metrics of this process beside those of `tributary_recall` and `tributary_feed`.

use metrics::{counter, gauge};

/// Changes became visible.
#[expect(clippy::cast_precision_loss, reason = "counts of items are far below 2^53")]
pub(crate) fn committed(items: usize) {
    counter!("recall_search_commits_total").increment(1);
    gauge!("recall_search_items").set(items as f64);
}

/// The index could not take a change.
pub(crate) fn failed() {
    counter!("recall_search_index_failures_total").increment(1);
}
