//! What every process measures, and the recorder behind the `metrics` crate.

use std::{sync::OnceLock, time::Duration};

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the histograms of seconds, half a millisecond to ten seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Upper bounds of all other histograms: counts, sizes.
const COUNTS: [f64; 13] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

/// How often the recorder folds samples that nobody has asked for.
pub(crate) const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder of this process, installed the first time. `None` where something else has
/// installed another one.
pub(crate) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&COUNTS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        })
        .expect("the lists of bounds are not empty")
        .build_recorder();
    let handle = recorder.handle();
    match metrics::set_global_recorder(recorder) {
        Ok(()) => Some(handle),
        Err(error) => {
            tracing::warn!(%error, "metrics are recorded elsewhere");
            None
        }
    }
}

/// The build that runs.
pub(crate) fn build(service: &'static str, version: &'static str, commit: &'static str) {
    let labels = [("service", service), ("version", version), ("commit", commit)];
    gauge!("tributary_build_info", &labels).set(1.0);
}

/// A fact of the process and the one it replaces.
pub(crate) fn described(key: &str, old: Option<&str>, new: &str) {
    let fact = |value: &str| gauge!("tributary_info", "key" => key.to_owned(), "value" => value.to_owned());
    if let Some(old) = old.filter(|old| *old != new) {
        fact(old).set(0.0);
    }
    fact(new).set(1.0);
}

/// A call came in.
pub(crate) fn started() {
    gauge!("tributary_server_calls_in_flight").increment(1.0);
}

/// A call ended, its answer read or dropped.
pub(crate) fn finished(method: &str, code: &'static str, time: Duration) {
    let labels = [("method", method.to_owned()), ("code", code.to_owned())];
    gauge!("tributary_server_calls_in_flight").decrement(1.0);
    counter!("tributary_server_calls_total", &labels).increment(1);
    histogram!("tributary_server_call_seconds", &labels).record(time.as_secs_f64());
}
