use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytesize::ByteSize;
use moka::future::Cache;
use serde::Deserialize;
use tributary_domain::{FieldError, UserContext, UserId};

use crate::{
    Channel, Query, RecallError,
    batch::{Batch, Page},
    metrics::{CacheMetrics, Dropped},
};

/// Items of the largest batch.
const LARGEST: usize = 20_000;

/// How much a channel remembers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Memory for batches, 12 to 16 bytes an item; the least used go first.
    pub capacity: ByteSize,
    /// How long a batch is served.
    #[serde(with = "humantime_serde")]
    pub time_to_live: Duration,
    /// Items computed at once, so that further pages and repeated calls cost nothing. A page that
    /// reaches deeper, and a first page that is short because of what was seen meanwhile, make the
    /// channel compute the next multiple.
    pub batch: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { capacity: ByteSize::mib(32), time_to_live: Duration::from_mins(1), batch: 500 }
    }
}

impl CacheConfig {
    /// Refuses values that no cache can work with, naming the key inside this section.
    pub fn check(&self) -> Result<(), FieldError> {
        if !(1..=LARGEST).contains(&self.batch) {
            return Err(FieldError::new("batch", "must be between 1 and 20000"));
        }
        if self.time_to_live.is_zero() {
            return Err(FieldError::new("time_to_live", "must be longer than nothing"));
        }
        Ok(())
    }
}

/// What a caller wants of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) context: Arc<UserContext>,
    pub(crate) scene: String,
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

/// Equal keys have equal batches: the context's version stands for profile and behaviours, and the
/// revision for everything the channel works from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    user: UserId,
    version: u64,
    scene: Arc<str>,
    revision: u64,
    /// How many times the configured batch size; more than 1 for deep pages only.
    depth: usize,
}

/// The lists that a channel keeps of users. Clones share them: its service fills them, and what
/// the channel follows empties them.
#[derive(Clone)]
pub struct Lists(Arc<BatchCache>);

impl Lists {
    /// Nothing yet. `channel` labels the metrics.
    pub fn new(channel: &str, config: &CacheConfig) -> Self {
        Self(Arc::new(BatchCache::new(channel, config)))
    }

    /// Forgets all lists, those that are being computed too: when this returns, nothing is kept that
    /// was made for a user before.
    pub async fn forget(&self) {
        self.0.forget().await;
    }

    pub(crate) fn cache(&self) -> &BatchCache {
        &self.0
    }
}

/// The batches of one channel. Concurrent callers of one key wait for one computation; a failed one
/// is returned to all of them and not kept.
pub(crate) struct BatchCache {
    batches: Cache<Key, Arc<Batch>>,
    batch: usize,
    /// How many times everything was forgotten.
    forgotten: AtomicU64,
    metrics: CacheMetrics,
    dropped: Dropped,
}

impl BatchCache {
    pub(crate) fn new(channel: &str, config: &CacheConfig) -> Self {
        let batches = Cache::builder()
            .max_capacity(config.capacity.as_u64())
            .weigher(|_: &Key, batch: &Arc<Batch>| weight(batch))
            .time_to_live(config.time_to_live)
            .build();
        let metrics = CacheMetrics::of(channel);
        let (dropped, forgotten) = (Dropped::of(channel), AtomicU64::new(0));
        Self { batches, batch: config.batch, forgotten, metrics, dropped }
    }

    async fn forget(&self) {
        // Raised before: a batch that is entered later sees that it is none to be kept.
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.batches.invalidate_all();
        // What is invalid is not given out, but held until the cache tidies up.
        self.batches.run_pending_tasks().await;
        self.metrics.holds(self.batches.entry_count());
    }

    /// The page wanted, and whether its batch was there or being made already. A first page is
    /// short only where the channel has no more; what was seen since its batch was made is made up
    /// for from deeper ones.
    pub(crate) async fn page(
        &self,
        channel: &impl Channel,
        wanted: Wanted,
    ) -> Result<(Page, bool), Arc<RecallError>> {
        let Wanted { context, scene, offset, limit } = wanted;
        let mut key = Key {
            user: context.user,
            version: context.version,
            scene: scene.as_str().into(),
            revision: channel.revision(),
            depth: (offset + limit).div_ceil(self.batch),
        };
        let size = key.depth * self.batch;
        let mut query = Query { context, scene, size };
        loop {
            let (batch, cached) = self.batch(channel, key.clone(), &query).await?;
            let page = batch.page(offset, limit, &query.context);
            let complete = offset > 0 || page.items.len() == limit || batch.is_exhausted();
            if complete || query.size + self.batch > LARGEST {
                return Ok((page, cached));
            }
            key.depth += 1;
            query.size += self.batch;
        }
    }

    async fn batch(
        &self,
        channel: &impl Channel,
        key: Key,
        query: &Query,
    ) -> Result<(Arc<Batch>, bool), Arc<RecallError>> {
        if let Some(batch) = self.exhausted(&key).await {
            self.metrics.hit();
            return Ok((batch, true));
        }
        let begun = self.forgotten.load(Ordering::SeqCst);
        let filled = self.batches.entry(key.clone()).or_try_insert_with(self.fill(channel, query));
        let entry = filled.await?;
        if self.forgotten.load(Ordering::SeqCst) != begun {
            // Computed for a user who may be deleted since.
            self.batches.invalidate(&key).await;
        }
        let cached = !entry.is_fresh();
        if cached {
            self.metrics.hit();
        } else {
            self.metrics.miss();
            self.metrics.holds(self.batches.entry_count());
        }
        Ok((entry.into_value(), cached))
    }

    /// A shallower batch that already holds all that the channel has.
    async fn exhausted(&self, key: &Key) -> Option<Arc<Batch>> {
        for depth in 1..key.depth {
            let shallow = self.batches.get(&Key { depth, ..key.clone() }).await;
            if let Some(batch) = shallow.filter(|batch| batch.is_exhausted()) {
                return Some(batch);
            }
        }
        None
    }

    async fn fill(&self, channel: &impl Channel, query: &Query) -> Result<Arc<Batch>, RecallError> {
        let started = Instant::now();
        let recalled = channel.recall(query).await?;
        self.metrics.filled(started.elapsed());
        Ok(Arc::new(Batch::new(recalled, query.size, &query.context, &self.dropped)))
    }
}

fn weight(batch: &Batch) -> u32 {
    u32::try_from(size_of::<Key>() + batch.bytes()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::future::join_all;
    use tributary_domain::{ItemId, Scored};

    use super::*;
    use crate::Recalled;

    /// Proposes items 1, 2, … `items`, best first; fails while `failing`.
    #[derive(Default)]
    struct Counting {
        calls: AtomicUsize,
        revision: AtomicU64,
        failing: AtomicUsize,
        items: u64,
    }

    impl Counting {
        fn of(items: u64) -> Self {
            Self { items, ..Self::default() }
        }

        fn calls(&self) -> usize {
            self.calls.load(Ordering::SeqCst)
        }
    }

    impl Channel for Counting {
        fn revision(&self) -> u64 {
            self.revision.load(Ordering::SeqCst)
        }

        async fn recall(&self, query: &Query) -> Result<Recalled, RecallError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if self.failing.load(Ordering::SeqCst) > 0 {
                return Err(RecallError::NO_BUNDLE);
            }
            let scored = |item: u64| Scored { item: ItemId(item), score: -(item as f32) };
            Ok(Recalled::live((1..=self.items).take(query.size).map(scored).collect()))
        }
    }

    fn cache(batch: usize) -> BatchCache {
        BatchCache::new("test", &CacheConfig { batch, ..CacheConfig::default() })
    }

    fn wanted(version: u64, offset: usize, limit: usize) -> Wanted {
        let context = UserContext { version, ..UserContext::cold(UserId(1)) };
        Wanted { context: Arc::new(context), scene: String::new(), offset, limit }
    }

    fn ids(page: &Page) -> Vec<u64> {
        page.items.iter().map(|scored| scored.item.0).collect()
    }

    #[tokio::test]
    async fn concurrent_callers_fill_once() {
        let (cache, channel) = (cache(10), Counting::of(30));
        let calls = (0..8).map(|_| cache.page(&channel, wanted(1, 0, 5)));
        let pages: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(channel.calls(), 1);
        assert_eq!(pages.iter().filter(|(_, cached)| !cached).count(), 1);
        assert!(pages.iter().all(|(page, _)| ids(page) == [1, 2, 3, 4, 5]));
        assert_eq!(cache.metrics.hit_ratio(), 7.0 / 8.0);
    }

    #[tokio::test]
    async fn a_failure_reaches_every_waiter_and_is_not_kept() {
        let (cache, channel) = (cache(10), Counting::of(30));
        channel.failing.store(1, Ordering::SeqCst);
        let answers = join_all((0..4).map(|_| cache.page(&channel, wanted(1, 0, 5)))).await;
        assert!(answers.iter().all(Result::is_err));
        assert_eq!(channel.calls(), 1);
        channel.failing.store(0, Ordering::SeqCst);
        let (page, cached) = cache.page(&channel, wanted(1, 0, 5)).await.unwrap();
        assert_eq!((ids(&page).len(), cached, channel.calls()), (5, false, 2));
    }

    #[tokio::test]
    async fn a_new_version_revision_user_or_scene_is_computed_anew() {
        let (cache, channel) = (cache(10), Counting::of(30));
        let mut other_user = wanted(1, 0, 5);
        Arc::make_mut(&mut other_user.context).user = UserId(2);
        let other_scene = Wanted { scene: "home".into(), ..wanted(1, 0, 5) };
        for (index, request) in
            [wanted(1, 0, 5), wanted(2, 0, 5), other_user, other_scene].into_iter().enumerate()
        {
            assert!(!cache.page(&channel, request).await.unwrap().1);
            assert_eq!(channel.calls(), index + 1);
        }
        assert!(cache.page(&channel, wanted(1, 0, 5)).await.unwrap().1);
        channel.revision.store(7, Ordering::SeqCst);
        assert!(!cache.page(&channel, wanted(1, 0, 5)).await.unwrap().1);
    }

    #[tokio::test]
    async fn pages_go_on_without_repeats_past_the_first_batch() {
        let (cache, channel) = (cache(10), Counting::of(34));
        let mut all = Vec::new();
        for offset in (0..40).step_by(4) {
            let (page, _) = cache.page(&channel, wanted(1, offset, 4)).await.unwrap();
            all.extend(ids(&page));
        }
        assert_eq!(all, (1..=34).collect::<Vec<u64>>());
        // Depths 1 to 4: the offsets inside one batch share it.
        assert_eq!(channel.calls(), 4);
    }

    #[tokio::test]
    async fn a_first_page_stays_full_while_the_channel_has_unseen_items() {
        let (cache, channel) = (cache(500), Counting::of(1_200));
        for (seen, calls) in [(0, 1), (300, 1), (400, 2), (800, 2), (1_000, 3)] {
            let mut request = wanted(1, 0, 200);
            Arc::make_mut(&mut request.context).seen = (1..=seen).map(ItemId).collect();
            let (page, _) = cache.page(&channel, request).await.unwrap();
            assert_eq!(ids(&page), (seen + 1..=seen + 200).collect::<Vec<u64>>());
            assert_eq!(channel.calls(), calls, "{seen} seen");
        }
        let mut request = wanted(1, 0, 200);
        Arc::make_mut(&mut request.context).seen = (1..=1_100).map(ItemId).collect();
        assert_eq!(cache.page(&channel, request).await.unwrap().0.items.len(), 100);
        assert_eq!(channel.calls(), 3);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_before_a_forgetting() {
        let (cache, channel) = (cache(10), Counting::of(30));
        for version in 1..=3 {
            cache.page(&channel, wanted(version, 0, 5)).await.unwrap();
        }
        cache.forget().await;
        assert_eq!(cache.batches.entry_count(), 0);
        assert_eq!(cache.batches.iter().count(), 0);
        assert!(!cache.page(&channel, wanted(1, 0, 5)).await.unwrap().1);
    }

    #[tokio::test]
    async fn what_is_computed_during_a_forgetting_is_served_and_not_kept() {
        let (cache, channel) = (cache(10), Counting::of(30));
        // The channel gives way once before it answers.
        let mut page = std::pin::pin!(cache.page(&channel, wanted(1, 0, 5)));
        assert!(futures::poll!(&mut page).is_pending());
        cache.forget().await;
        assert_eq!(ids(&page.await.unwrap().0).len(), 5);
        cache.batches.run_pending_tasks().await;
        assert_eq!(cache.batches.iter().count(), 0);
    }

    #[tokio::test]
    async fn an_exhausted_channel_is_not_asked_deeper() {
        let (cache, channel) = (cache(10), Counting::of(3));
        assert_eq!(ids(&cache.page(&channel, wanted(1, 0, 5)).await.unwrap().0), [1, 2, 3]);
        assert!(ids(&cache.page(&channel, wanted(1, 100, 5)).await.unwrap().0).is_empty());
        assert_eq!(channel.calls(), 1);
    }
}
