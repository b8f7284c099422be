//! The metrics of this process beside those of `tributary_recall` and `tributary_inference`.

use metrics::{counter, gauge, histogram};

/// A context without behaviour was asked for.
pub(crate) fn cold() {
    counter!("recall_multi_interest_cold_total").increment(1);
}

/// A user turned out to have this many interests, each of which is searched for.
#[expect(clippy::cast_precision_loss, reason = "a network has a handful of interests")]
pub(crate) fn interests(count: usize) {
    histogram!("recall_multi_interest_interests").record(count as f64);
}

/// A bundle's item vectors were indexed.
#[expect(clippy::cast_precision_loss, reason = "counts of items are far below 2^53")]
pub(crate) fn indexed(items: usize) {
    gauge!("recall_multi_interest_items").set(items as f64);
}
