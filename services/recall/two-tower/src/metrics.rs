//! The metrics of this process beside those of `tributary_recall` and `tributary_inference`.

use metrics::{counter, gauge};

/// A context without behaviour was asked for.
pub(crate) fn cold() {
    counter!("recall_two_tower_cold_total").increment(1);
}

/// A bundle's item vectors were indexed.
#[expect(clippy::cast_precision_loss, reason = "counts of items are far below 2^53")]
pub(crate) fn indexed(items: usize) {
    gauge!("recall_two_tower_items").set(items as f64);
}
