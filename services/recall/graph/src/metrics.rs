//! The metrics of this process beside those of `tributary_recall`.

use metrics::{counter, gauge, histogram};

/// A context was asked for that has no behaviour with an item that has a vector.
pub(crate) fn cold() {
    counter!("recall_graph_cold_total").increment(1);
}

/// A user is represented by this many medoids, each of which is searched for.
#[expect(clippy::cast_precision_loss, reason = "the configuration bounds them to a handful")]
pub(crate) fn medoids(count: usize) {
    histogram!("recall_graph_medoids").record(count as f64);
}

/// A bundle's item vectors were indexed.
#[expect(clippy::cast_precision_loss, reason = "counts of items are far below 2^53")]
pub(crate) fn indexed(items: usize) {
    gauge!("recall_graph_items").set(items as f64);
}
