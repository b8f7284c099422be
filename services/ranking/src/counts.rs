//! What happened to items, as the event log tells it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tributary_features::ranking::Statistics;
use tributary_feed::{EventSink, SegmentedEvent};

/// The counts of the last events applied, shared by all who read them.
#[derive(Clone, Default)]
pub(crate) struct LiveCounts(Arc<ArcSwap<Statistics>>);

impl LiveCounts {
    pub(crate) fn snapshot(&self) -> Arc<Statistics> {
        self.0.load_full()
    }
}

/// Fills the counts from the log.
pub(crate) struct Counting {
    working: Statistics,
    live: LiveCounts,
}

impl Counting {
    pub(crate) fn new(live: LiveCounts) -> Self {
        Self { working: Statistics::new(), live }
    }

    fn publish(&self) {
        self.live.0.store(Arc::new(self.working.clone()));
    }
}

impl EventSink for Counting {
    fn apply(&mut self, events: &[SegmentedEvent]) {
        events.iter().for_each(|segmented| self.working.record(&segmented.event));
        self.publish();
    }

    fn restart(&mut self) {
        self.working = Statistics::new();
        self.publish();
    }
}
