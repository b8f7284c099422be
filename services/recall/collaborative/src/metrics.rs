//! The metrics of this process beside those of `tributary_recall`.

use metrics::counter;

/// A context without behaviour was asked for.
pub(crate) fn cold() {
    counter!("recall_collaborative_cold_total").increment(1);
}
