//! The metrics of this process beside those of `tributary_inference` and `tributary_bundle`.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

const CANDIDATES: &str = "ranking_candidates";
const ENCODE: &str = "ranking_encode_seconds";
const UNKNOWN: &str = "ranking_unknown_items_total";
const NOT_FINITE: &str = "ranking_non_finite_scores_total";
const REFUSED: &str = "ranking_refused_requests_total";
const ITEMS: &str = "ranking_items";

pub(crate) fn describe() {
    describe_histogram!(CANDIDATES, Unit::Count, "candidates of a request");
    describe_histogram!(ENCODE, Unit::Seconds, "time to encode a request");
    describe_counter!(UNKNOWN, Unit::Count, "candidates without known features");
    describe_counter!(NOT_FINITE, Unit::Count, "scores of the model that were not finite");
    describe_counter!(REFUSED, Unit::Count, "requests refused because too many were in progress");
    describe_gauge!(ITEMS, Unit::Count, "items with an encoded row");
}

/// A request was encoded.
pub(crate) fn encoded(candidates: usize, unknown: usize, took: Duration) {
    histogram!(CANDIDATES).record(to_number(candidates));
    histogram!(ENCODE).record(took.as_secs_f64());
    counter!(UNKNOWN).increment(to_count(unknown));
}

pub(crate) fn not_finite(scores: usize) {
    counter!(NOT_FINITE).increment(to_count(scores));
}

pub(crate) fn refused() {
    counter!(REFUSED).increment(1);
}

pub(crate) fn items(count: usize) {
    gauge!(ITEMS).set(to_number(count));
}

/// Lengths of lists in memory are far below 2^53.
fn to_number(length: usize) -> f64 {
    length as f64
}

fn to_count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
