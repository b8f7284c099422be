//! The followers' metrics, all labelled `log = items | events`.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use crate::FollowState;

const APPLIED: &str = "tributary_feed_applied_sequence";
const HEAD: &str = "tributary_feed_head_sequence";
const LAG: &str = "tributary_feed_lag_entries";
const CONNECTED: &str = "tributary_feed_connected";
const FAILURES: &str = "tributary_feed_failures_total";
const RESTARTS: &str = "tributary_feed_restarts_total";

/// Handles of one follower's metrics.
pub(crate) struct FollowMetrics {
    applied: Gauge,
    head: Gauge,
    lag: Gauge,
    connected: Gauge,
    pub(crate) failures: Counter,
    pub(crate) restarts: Counter,
}

impl FollowMetrics {
    pub(crate) fn new(log: &'static str) -> Self {
        describe();
        Self {
            applied: gauge!(APPLIED, "log" => log),
            head: gauge!(HEAD, "log" => log),
            lag: gauge!(LAG, "log" => log),
            connected: gauge!(CONNECTED, "log" => log),
            failures: counter!(FAILURES, "log" => log),
            restarts: counter!(RESTARTS, "log" => log),
        }
    }

    pub(crate) fn show(&self, state: &FollowState) {
        self.applied.set(approximate(state.applied));
        self.head.set(approximate(state.head));
        self.lag.set(approximate(state.lag()));
        self.connected.set(f64::from(u8::from(state.connected)));
    }
}

fn describe() {
    describe_gauge!(APPLIED, "last sequence number applied");
    describe_gauge!(HEAD, "last sequence number the feature service is known to have");
    describe_gauge!(LAG, "sequence numbers between the head and what was applied");
    describe_gauge!(CONNECTED, "1 while the stream is open");
    describe_counter!(FAILURES, "streams lost or refused");
    describe_counter!(RESTARTS, "times the follower began again from nothing");
}

/// Gauges are floats; above 2^53 the last digits go, which a graph does not show.
#[allow(clippy::cast_precision_loss)]
fn approximate(sequence: u64) -> f64 {
    sequence as f64
}
