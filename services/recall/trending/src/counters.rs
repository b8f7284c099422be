use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tributary_domain::ItemChange;
use tributary_feed::{EventSink, ItemSink, SegmentedEvent};
use tributary_recall::{Live, RecallError};
use tributary_retrieval::{
    exploration::Exploration,
    trending::{ActionWeights, Trending, TrendingConfig},
};

use crate::{exploration::Exploring, metrics};

/// The counters as the logs move them, and the snapshot that requests are answered from.
pub(crate) struct Counters {
    weights: ActionWeights,
    // Moved by the two followers and copied for publication, on blocking threads only.
    working: Mutex<Trending>,
    published: ArcSwap<Trending>,
    exploring: Exploring,
    live: Live,
}

impl Counters {
    pub(crate) fn new(config: TrendingConfig, live: Live) -> Self {
        let weights = config.weights;
        let trending = Trending::new(config);
        let published = ArcSwap::from_pointee(trending.clone());
        let (working, exploring) = (Mutex::new(trending), Exploring::default());
        Self { weights, working, published, exploring, live }
    }

    /// The counters to answer from.
    pub(crate) fn snapshot(&self) -> Result<Arc<Trending>, RecallError> {
        self.live.admit()?;
        Ok(self.published.load_full())
    }

    /// What is cold at the moment.
    pub(crate) fn exploration(&self) -> Result<Arc<Exploration>, RecallError> {
        self.live.admit()?;
        Ok(self.exploring.snapshot())
    }

    /// Waits until requests are let in.
    pub(crate) async fn opened(&self) {
        self.live.opened().await;
    }

    pub(crate) fn revision(&self) -> u64 {
        self.live.revision()
    }

    /// Publishes what the logs change. Never ends.
    pub(crate) async fn keep_published(self: &Arc<Self>, caught_up: impl Future<Output = ()>) {
        let counters = Arc::clone(self);
        self.live.run(move || counters.publish(), caught_up).await;
    }

    fn publish(&self) {
        // Stored under the lock: of two publications at once, the later copy is the one that stays.
        let working = self.working();
        let before = self.published.swap(Arc::new(working.clone()));
        drop(working);
        drop(before);
        metrics::published();
    }

    fn working(&self) -> MutexGuard<'_, Trending> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self, event: &SegmentedEvent) -> bool {
        self.weights.of(event.event.behaviour.action) != 0.0
    }
}

/// Keeps the listed items.
pub(crate) struct Listing(pub(crate) Arc<Counters>);

impl ItemSink for Listing {
    fn apply(&mut self, changes: &[ItemChange]) {
        self.0.exploring.update(|exploration| exploration.apply(changes));
        self.0.working().apply(changes);
        self.0.live.items_changed(changes);
    }

    fn restart(&mut self) {
        self.0.exploring.update(Exploration::restart_items);
        self.0.working().restart_items();
        self.0.live.withdrawn();
    }

    fn users_deleted(&mut self) {
        self.0.live.users_deleted();
    }
}

/// Keeps the counters.
pub(crate) struct Counting(pub(crate) Arc<Counters>);

impl EventSink for Counting {
    fn apply(&mut self, events: &[SegmentedEvent]) {
        self.0.exploring.update(|exploration| {
            events.iter().for_each(|event| exploration.record(&event.event));
        });
        // Most events are impressions, which count nothing here: they publish nothing either.
        let counted: Vec<_> = events.iter().filter(|event| self.0.counts(event)).collect();
        if counted.is_empty() {
            return;
        }
        let mut working = self.0.working();
        for SegmentedEvent { event, age, gender } in counted {
            working.record(event, *age, *gender);
        }
        self.0.live.changed();
    }

    fn restart(&mut self) {
        self.0.exploring.update(Exploration::restart_events);
        self.0.working().restart_events();
        self.0.live.changed();
    }
}
