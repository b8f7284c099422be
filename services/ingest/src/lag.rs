//! How far behind the database the mesh is.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use tributary_domain::Timestamp;

use crate::metrics;

const EVERY: Duration = Duration::from_millis(500);

/// The time up to which everything was read and written, in Unix milliseconds.
pub(crate) struct Lag {
    up_to: AtomicI64,
}

impl Lag {
    /// Behind by nothing so far.
    pub(crate) fn new() -> Self {
        Self { up_to: AtomicI64::new(Timestamp::now().0) }
    }

    /// All that was committed before `time` is written.
    pub(crate) fn written_up_to(&self, time: Timestamp) {
        // A session may set its clock, and that of the server may be ahead.
        self.up_to.fetch_max(time.0.min(Timestamp::now().0), Ordering::Relaxed);
    }

    /// Nothing is left to be read: an idle server says so by its heartbeats.
    pub(crate) fn caught_up(&self) {
        self.written_up_to(Timestamp::now());
    }

    /// Keeps the metric true, also while nothing can be read. Never ends.
    pub(crate) async fn report(&self, allowance: Duration) {
        loop {
            let behind = Timestamp::now().0 - self.up_to.load(Ordering::Relaxed);
            let behind = Duration::from_millis(u64::try_from(behind).unwrap_or(0));
            // Between two heartbeats nothing is known to be missing.
            let behind = if behind <= allowance { Duration::ZERO } else { behind };
            metrics::lag(behind.as_secs_f64());
            tokio::time::sleep(EVERY).await;
        }
    }
}
