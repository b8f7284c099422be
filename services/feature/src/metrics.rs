//! The metrics of the store and its streams.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::store::{ChangesWritten, EventsWritten, Heads};

const COMMIT: &str = "tributary_feature_commit_seconds";
const COMMIT_CALLS: &str = "tributary_feature_commit_calls";
const COMMIT_FAILURES: &str = "tributary_feature_commit_failures_total";
const QUEUE: &str = "tributary_feature_write_queue_calls";
const REFUSED: &str = "tributary_feature_writes_refused_total";
const HEAD: &str = "tributary_feature_log_head";
const EVENTS: &str = "tributary_feature_events_total";
const CHANGES: &str = "tributary_feature_source_changes_total";
const REDIS_ERRORS: &str = "tributary_feature_redis_errors_total";
const SWEPT: &str = "tributary_feature_outboxes_swept_total";
const WATCHERS: &str = "tributary_feature_watchers";

/// Says what the metrics mean. Call once at start.
pub(crate) fn describe() {
    describe_histogram!(COMMIT, Unit::Seconds, "time of a transaction, flush to disk included");
    describe_histogram!(COMMIT_CALLS, "calls that shared a transaction");
    describe_counter!(COMMIT_FAILURES, "transactions that failed");
    describe_gauge!(QUEUE, "calls that wait for the writer");
    describe_counter!(REFUSED, "writes refused because the queue was full");
    describe_gauge!(HEAD, "last sequence number, by log");
    describe_counter!(EVENTS, "events, by outcome: recorded or duplicate");
    describe_counter!(CHANGES, "changes of other databases, by outcome: changed or duplicate");
    describe_counter!(REDIS_ERRORS, "tries of the background tasks that redis did not answer");
    describe_counter!(SWEPT, "outboxes in which a call had left something for the sweeper");
    describe_gauge!(WATCHERS, "open streams, by log");
}

pub(crate) fn committed(calls: usize, took: Duration, durable: bool) {
    histogram!(COMMIT).record(took.as_secs_f64());
    histogram!(COMMIT_CALLS).record(small(calls));
    if !durable {
        counter!(COMMIT_FAILURES).increment(1);
    }
}

pub(crate) fn write_queue(waiting: usize) {
    gauge!(QUEUE).set(small(waiting));
}

pub(crate) fn write_refused() {
    counter!(REFUSED).increment(1);
}

pub(crate) fn heads(heads: &Heads) {
    counter_value("items", heads.items);
    counter_value("events", heads.events);
}

pub(crate) fn events(written: EventsWritten) {
    let EventsWritten { recorded, duplicates } = written;
    counter!(EVENTS, "outcome" => "recorded").increment(recorded.into());
    counter!(EVENTS, "outcome" => "duplicate").increment(duplicates.into());
}

pub(crate) fn changes(written: ChangesWritten) {
    let ChangesWritten { changed, duplicates, item_sequence: _ } = written;
    counter!(CHANGES, "outcome" => "changed").increment(changed.into());
    counter!(CHANGES, "outcome" => "duplicate").increment(duplicates.into());
}

pub(crate) fn redis_error() {
    counter!(REDIS_ERRORS).increment(1);
}

pub(crate) fn swept(outboxes: usize) {
    counter!(SWEPT).increment(u64::try_from(outboxes).unwrap_or(u64::MAX));
}

/// Counts a stream for as long as it is held.
#[derive(Debug)]
pub(crate) struct Watcher {
    log: &'static str,
}

impl Watcher {
    pub(crate) fn of(log: &'static str) -> Self {
        gauge!(WATCHERS, "log" => log).increment(1.0);
        Self { log }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        gauge!(WATCHERS, "log" => self.log).decrement(1.0);
    }
}

/// Sequence numbers lose digits above 2^53, which a graph does not show.
#[allow(clippy::cast_precision_loss)]
fn counter_value(log: &'static str, head: u64) {
    gauge!(HEAD, "log" => log).set(head as f64);
}

fn small(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
