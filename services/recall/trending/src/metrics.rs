//! The metrics of this process beside those of `tributary_recall` and `tributary_feed`.

use metrics::counter;

/// A new snapshot of the counters serves.
pub(crate) fn published() {
    counter!("recall_trending_snapshots_total").increment(1);
}
