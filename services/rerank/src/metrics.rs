//! The metrics of this process beside those of the server and of the bundle.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

const CANDIDATES: &str = "rerank_candidates";
const COMPUTE: &str = "rerank_compute_seconds";
const WITHOUT_VECTOR: &str = "rerank_items_without_vector_total";
const UNKNOWN: &str = "rerank_unknown_items_total";
const REFUSED: &str = "rerank_refused_total";

pub(crate) fn describe() {
    describe_histogram!(CANDIDATES, Unit::Count, "candidates of a request");
    describe_histogram!(COMPUTE, Unit::Seconds, "time to order the candidates of a request");
    describe_counter!(WITHOUT_VECTOR, Unit::Count, "candidates without a vector in the bundle");
    describe_counter!(UNKNOWN, Unit::Count, "candidates that the catalogue does not have");
    describe_counter!(REFUSED, Unit::Count, "requests refused because too many were under way");
}

/// Counts of one request's candidates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) candidates: usize,
    pub(crate) without_vector: usize,
    pub(crate) unknown: usize,
}

pub(crate) fn computed(counts: Counts, took: Duration) {
    let Counts { candidates, without_vector, unknown } = counts;
    histogram!(CANDIDATES).record(f64::from(u32::try_from(candidates).unwrap_or(u32::MAX)));
    histogram!(COMPUTE).record(took.as_secs_f64());
    counter!(WITHOUT_VECTOR).increment(to_count(without_vector));
    counter!(UNKNOWN).increment(to_count(unknown));
}

pub(crate) fn refused() {
    counter!(REFUSED).increment(1);
}

fn to_count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
