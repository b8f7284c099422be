//! What is kept of the answers: histograms and counts, so that a long run needs no more memory
//! than a short one.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use tonic::Status;
use tributary_proto::gateway::v1::RecommendResponse;

use crate::command::component_and_reason;

/// One answer and how long it took.
pub(super) struct Sample {
    pub latency: Duration,
    pub answer: Result<RecommendResponse, Status>,
}

/// Microseconds up to one minute, three digits.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are constants in order")
}

/// The sum of all answers.
pub(super) struct Record {
    pub latency: Histogram<u64>,
    pub stages: BTreeMap<String, Histogram<u64>>,
    pub answered: u64,
    pub empty: u64,
    pub failed: BTreeMap<String, u64>,
    pub degraded: BTreeMap<String, u64>,
    pub degraded_answers: u64,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            latency: histogram(),
            stages: BTreeMap::new(),
            answered: 0,
            empty: 0,
            failed: BTreeMap::new(),
            degraded: BTreeMap::new(),
            degraded_answers: 0,
        }
    }
}

impl Record {
    pub(super) fn add(&mut self, sample: Sample) {
        self.latency.saturating_record(micros(sample.latency));
        match sample.answer {
            Err(status) => *self.failed.entry(failure(&status)).or_default() += 1,
            Ok(response) => self.add_answer(&response),
        }
    }

    fn add_answer(&mut self, response: &RecommendResponse) {
        self.answered += 1;
        self.empty += u64::from(response.items.is_empty());
        self.degraded_answers += u64::from(!response.degraded.is_empty());
        for part in &response.degraded {
            *self.degraded.entry(component_and_reason(part)).or_default() += 1;
        }
        for stage in response.explanation.iter().flat_map(|explanation| &explanation.stages) {
            let stages = self.stages.entry(stage.stage.clone());
            stages.or_insert_with(histogram).saturating_record(stage.duration_us.max(1));
        }
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.latency += &other.latency;
        for (stage, histogram_of) in other.stages {
            *self.stages.entry(stage).or_insert_with(histogram) += &histogram_of;
        }
        self.answered += other.answered;
        self.empty += other.empty;
        self.degraded_answers += other.degraded_answers;
        add_counts(&mut self.failed, other.failed);
        add_counts(&mut self.degraded, other.degraded);
        self
    }
}

fn add_counts(into: &mut BTreeMap<String, u64>, counts: BTreeMap<String, u64>) {
    for (name, count) in counts {
        *into.entry(name).or_default() += count;
    }
}

fn failure(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_records_adds_everything_up() {
        let failed = || Sample {
            latency: Duration::from_millis(3),
            answer: Err(Status::unavailable("gone")),
        };
        let answered = || Sample {
            latency: Duration::from_millis(1),
            answer: Ok(RecommendResponse::default()),
        };
        let (mut one, mut other) = (Record::default(), Record::default());
        one.add(failed());
        one.add(answered());
        other.add(failed());
        let sum = one.merge(other);
        assert_eq!((sum.answered, sum.empty, sum.latency.len()), (1, 1, 3));
        assert_eq!(sum.failed.values().sum::<u64>(), 2);
    }
}
