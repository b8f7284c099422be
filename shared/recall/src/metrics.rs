//! Every metric of this crate. The label `channel` is the channel's configured name.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::batch::Flaw;

/// How well the cache serves.
pub(crate) struct CacheMetrics {
    hits: Counter,
    misses: Counter,
    entries: Gauge,
    ratio: Gauge,
    fill_seconds: Histogram,
    hit_count: AtomicU64,
    miss_count: AtomicU64,
}

impl CacheMetrics {
    pub(crate) fn of(channel: &str) -> Self {
        let channel = channel.to_owned();
        Self {
            hits: counter!("recall_cache_hits_total", "channel" => channel.clone()),
            misses: counter!("recall_cache_misses_total", "channel" => channel.clone()),
            entries: gauge!("recall_cache_entries", "channel" => channel.clone()),
            ratio: gauge!("recall_cache_hit_ratio", "channel" => channel.clone()),
            fill_seconds: histogram!("recall_fill_seconds", "channel" => channel),
            hit_count: AtomicU64::new(0),
            miss_count: AtomicU64::new(0),
        }
    }

    pub(crate) fn hit(&self) {
        self.hits.increment(1);
        self.hit_count.fetch_add(1, Ordering::Relaxed);
        self.ratio.set(self.hit_ratio());
    }

    pub(crate) fn miss(&self) {
        self.misses.increment(1);
        self.miss_count.fetch_add(1, Ordering::Relaxed);
        self.ratio.set(self.hit_ratio());
    }

    pub(crate) fn holds(&self, entries: u64) {
        self.entries.set(count(entries));
    }

    pub(crate) fn filled(&self, took: std::time::Duration) {
        self.fill_seconds.record(took);
    }

    /// Lookups served from the cache, of all since the start; 0 before the first.
    pub(crate) fn hit_ratio(&self) -> f64 {
        let hits = self.hit_count.load(Ordering::Relaxed);
        let lookups = hits + self.miss_count.load(Ordering::Relaxed);
        if lookups == 0 { 0.0 } else { count(hits) / count(lookups) }
    }
}

/// Exact below 2^53, more than a counter reaches.
#[expect(clippy::cast_precision_loss)]
fn count(value: u64) -> f64 {
    value as f64
}

/// What a channel proposed though it must not be served.
pub(crate) struct Dropped {
    non_finite: Counter,
    seen: Counter,
    duplicate: Counter,
}

impl Dropped {
    pub(crate) fn of(channel: &str) -> Self {
        let reason = |reason: &'static str| counter!("recall_dropped_total", "channel" => channel.to_owned(), "reason" => reason);
        Self {
            non_finite: reason("non_finite"),
            seen: reason("seen"),
            duplicate: reason("duplicate"),
        }
    }

    /// Counts a flaw; true where there is none.
    pub(crate) fn allow(&self, verdict: Result<(), Flaw>) -> bool {
        match verdict {
            Ok(()) => return true,
            Err(Flaw::NonFinite) => self.non_finite.increment(1),
            Err(Flaw::Seen) => self.seen.increment(1),
            Err(Flaw::Duplicate) => self.duplicate.increment(1),
        }
        false
    }
}
