//! The crate's metrics.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::Provider;

/// A model is served by that provider.
pub(crate) fn serving(provider: Provider) {
    gauge!("inference_provider", "provider" => provider.as_str()).set(1.0);
}

/// One run of the model.
pub(crate) fn ran(requests: usize, rows: usize, took: Duration) {
    let number = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    histogram!("inference_batch_requests").record(number(requests));
    histogram!("inference_batch_rows").record(number(rows));
    histogram!("inference_seconds").record(took.as_secs_f64());
}

/// A request found the queue full.
pub(crate) fn shed() {
    counter!("inference_shed_total").increment(1);
}
