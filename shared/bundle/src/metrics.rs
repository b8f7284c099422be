//! The crate's metrics.

use metrics::{counter, gauge};
use tributary_domain::BundleId;

/// A bundle is served from now on.
pub(crate) fn loaded(bundle: &BundleId, previous: Option<&BundleId>) {
    if let Some(previous) = previous {
        gauge!("bundle_served", "bundle" => previous.to_string()).set(0.0);
    }
    gauge!("bundle_served", "bundle" => bundle.to_string()).set(1.0);
    counter!("bundle_loads_total", "outcome" => "loaded").increment(1);
}

/// A bundle was not taken.
pub(crate) fn refused() {
    counter!("bundle_loads_total", "outcome" => "refused").increment(1);
}
