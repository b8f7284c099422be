use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::record::Record;
use crate::{
    arguments::{LoadOptions, Loop},
    output::table,
};

/// The result of a load run; times in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    kind: &'static str,
    concurrency: usize,
    size: u32,
    seconds: f64,
    requests: u64,
    per_second: f64,
    answered: u64,
    empty: u64,
    failed: BTreeMap<String, u64>,
    degraded_answers: u64,
    degraded: BTreeMap<String, u64>,
    latency: Quantiles,
    stages: BTreeMap<String, Quantiles>,
}

#[derive(Debug, Serialize)]
struct Quantiles {
    count: u64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    maximum_ms: f64,
}

impl From<&Histogram<u64>> for Quantiles {
    fn from(micros: &Histogram<u64>) -> Self {
        let ms = |value: u64| Duration::from_micros(value).as_secs_f64() * 1e3;
        Self {
            count: micros.len(),
            p50_ms: ms(micros.value_at_quantile(0.5)),
            p90_ms: ms(micros.value_at_quantile(0.9)),
            p99_ms: ms(micros.value_at_quantile(0.99)),
            maximum_ms: ms(micros.max()),
        }
    }
}

impl Report {
    pub(super) fn new(record: &Record, options: &LoadOptions, elapsed: Duration) -> Self {
        let requests = record.latency.len();
        let count = f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
        Self {
            kind: match options.kind {
                Loop::Closed => "closed",
                Loop::Open => "open",
            },
            concurrency: options.concurrency,
            size: options.size,
            seconds: elapsed.as_secs_f64(),
            requests,
            per_second: count / elapsed.as_secs_f64(),
            answered: record.answered,
            empty: record.empty,
            failed: record.failed.clone(),
            degraded_answers: record.degraded_answers,
            degraded: record.degraded.clone(),
            latency: Quantiles::from(&record.latency),
            stages: record.stages.iter().map(|(name, of)| (name.clone(), of.into())).collect(),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut times = table(["", "count", "p50 ms", "p90 ms", "p99 ms", "max ms"]);
        let all = std::iter::once((&"request".to_owned(), &self.latency))
            .map(|(name, of)| row(name, of))
            .collect::<Vec<_>>();
        times.add_rows(all);
        times.add_rows(self.stages.iter().map(|(name, of)| row(&format!("  {name}"), of)));
        let mut text = format!(
            "{} loop, {} clients, size {}: {} requests in {:.1} s ({:.1} a second), {} failed, \
             {} empty, {} degraded\n{times}",
            self.kind,
            self.concurrency,
            self.size,
            self.requests,
            self.seconds,
            self.per_second,
            self.failed.values().sum::<u64>(),
            self.empty,
            self.degraded_answers,
        );
        for (what, counts) in [("failed", &self.failed), ("degraded", &self.degraded)] {
            for (reason, count) in counts {
                text += &format!("\n{what} {count} × {reason}");
            }
        }
        text
    }
}

fn row(name: &str, of: &Quantiles) -> [String; 6] {
    let ms = |value: f64| format!("{value:.2}");
    [
        name.to_owned(),
        of.count.to_string(),
        ms(of.p50_ms),
        ms(of.p90_ms),
        ms(of.p99_ms),
        ms(of.maximum_ms),
    ]
}
