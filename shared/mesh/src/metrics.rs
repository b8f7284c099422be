//! What the client stack measures, by name of the upstream.

use std::time::Duration;

use metrics::{counter, histogram};

/// One call as its caller saw it.
pub(crate) fn call(upstream: &str, outcome: &'static str, time: Duration) {
    let labels = [("upstream", upstream.to_owned()), ("outcome", outcome.to_owned())];
    histogram!("tributary_client_call_seconds", &labels).record(time.as_secs_f64());
}

/// A call sent a second time.
pub(crate) fn retried(upstream: &str) {
    counter!("tributary_client_retries_total", "upstream" => upstream.to_owned()).increment(1);
}

/// A call not sent a second time because the budget was spent.
pub(crate) fn retry_refused(upstream: &str) {
    let name = "tributary_client_retries_refused_total";
    counter!(name, "upstream" => upstream.to_owned()).increment(1);
}

/// An endpoint taken out for a while.
pub(crate) fn ejected(upstream: &str) {
    counter!("tributary_client_ejections_total", "upstream" => upstream.to_owned()).increment(1);
}
