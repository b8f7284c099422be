//! What the gateway counts. Labels are bounded by the configuration: channels, stages, filters.

use metrics::{Histogram, counter, gauge, histogram};

use crate::{config::Config, degradation::Degradation, filters::CHAIN, outcome::Outcome};

const STAGES: [&str; 7] = ["context", "recall", "merge", "filter", "ranking", "rerank", "answer"];

/// Handles of the hot path, resolved once.
pub struct Metrics {
    stages: Vec<(&'static str, Histogram)>,
    own: Histogram,
    total: Histogram,
    removed: Vec<(&'static str, metrics::Counter)>,
    channels: Vec<ChannelMetrics>,
}

struct ChannelMetrics {
    seconds: Histogram,
    candidates: Histogram,
    cached: metrics::Counter,
    answers: metrics::Counter,
}

impl Metrics {
    pub fn new(config: &Config) -> Self {
        describe();
        let stage = |stage| (stage, histogram!("gateway_stage_seconds", "stage" => stage));
        let removed = |name| (name, counter!("gateway_removed_total", "filter" => name));
        Self {
            stages: STAGES.map(stage).into(),
            own: histogram!("gateway_own_seconds"),
            total: histogram!("gateway_recommend_seconds"),
            removed: CHAIN.iter().map(|filter| removed(filter.name)).collect(),
            channels: config.channel.iter().map(|channel| channel_metrics(&channel.name)).collect(),
        }
    }

    /// Counts one answer.
    pub fn observe(&self, outcome: &Outcome) {
        for (stage, seconds) in &self.stages {
            for report in outcome.stages.iter().filter(|report| report.stage == *stage) {
                seconds.record(report.took);
            }
        }
        for (filter, counter) in &self.removed {
            let count = outcome.removed.iter().filter(|one| one.filter == *filter).count();
            counter.increment(u64::try_from(count).unwrap_or(u64::MAX));
        }
        self.own.record(outcome.own());
        self.total.record(outcome.total);
        self.observe_channels(outcome);
        outcome.degraded.iter().for_each(degraded);
        if outcome.fallback {
            counter!("gateway_fallback_answers_total").increment(1);
        }
    }

    fn observe_channels(&self, outcome: &Outcome) {
        for answer in &outcome.answers {
            let channel = &self.channels[answer.channel];
            channel.answers.increment(1);
            channel.cached.increment(u64::from(answer.cached));
            channel.seconds.record(answer.took);
            let candidates = u32::try_from(answer.items.len()).unwrap_or(u32::MAX);
            channel.candidates.record(candidates);
        }
    }
}

fn channel_metrics(name: &str) -> ChannelMetrics {
    let name = name.to_owned();
    ChannelMetrics {
        seconds: histogram!("gateway_channel_seconds", "channel" => name.clone()),
        candidates: histogram!("gateway_channel_candidates", "channel" => name.clone()),
        cached: counter!("gateway_channel_cached_total", "channel" => name.clone()),
        answers: counter!("gateway_channel_calls_total", "channel" => name),
    }
}

fn degraded(degradation: &Degradation) {
    let component = degradation.component.clone();
    let reason = degradation.reason.as_str();
    counter!("gateway_degraded_total", "component" => component, "reason" => reason).increment(1);
}

/// A first page without an item: the last resort.
pub fn empty_answer() {
    counter!("gateway_empty_answers_total").increment(1);
}

/// Impressions that were not recorded, and why: "queue_full", "refused", "shutdown".
pub fn impressions_dropped(events: usize, reason: &'static str) {
    let count = u64::try_from(events).unwrap_or(u64::MAX);
    counter!("gateway_impressions_dropped_total", "reason" => reason).increment(count);
}

pub fn impressions_recorded(events: usize) {
    let count = u64::try_from(events).unwrap_or(u64::MAX);
    counter!("gateway_impressions_recorded_total").increment(count);
}

pub fn fallback_size(items: usize) {
    gauge!("gateway_fallback_items").set(f64::from(u32::try_from(items).unwrap_or(u32::MAX)));
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_histogram!("gateway_stage_seconds", "time of a stage of Recommend");
    describe_histogram!("gateway_own_seconds", "time of Recommend that no upstream accounts for");
    describe_histogram!("gateway_recommend_seconds", "time of Recommend in the pipeline");
    describe_histogram!("gateway_channel_seconds", "time of a recall channel's answer");
    describe_histogram!("gateway_channel_candidates", "usable candidates of a channel's answer");
    describe_counter!("gateway_channel_calls_total", "calls of a recall channel");
    describe_counter!("gateway_channel_cached_total", "answers from a channel's cache");
    describe_counter!("gateway_removed_total", "candidates that a filter removed");
    describe_counter!("gateway_degraded_total", "answers that a component was missing from");
    describe_counter!("gateway_empty_answers_total", "first pages without an item");
    describe_counter!("gateway_fallback_answers_total", "answers from the last trending list");
    describe_counter!("gateway_impressions_dropped_total", "impressions that were not recorded");
    describe_counter!("gateway_impressions_recorded_total", "impressions that were recorded");
    describe_gauge!("gateway_fallback_items", "items of the last good trending list");
}
