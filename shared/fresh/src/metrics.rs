//! Metrics of every process that keeps item vectors fresh.

use metrics::{counter, gauge};

/// Items have vectors that the bundle did not have.
#[expect(clippy::cast_precision_loss, reason = "counts of items are far below 2^53")]
pub(crate) fn placed(items: usize) {
    gauge!("fresh_placed_items").set(items as f64);
}

/// Items could not be given the vectors they should have.
pub(crate) fn failed(items: usize) {
    counter!("fresh_failures_total").increment(u64::try_from(items).unwrap_or(u64::MAX));
}
