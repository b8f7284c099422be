use tributary_domain::{Event, ItemId, Timestamp};

use crate::FeatureError;

mod table;

/// How many imagined interactions of average liking every item starts with.
const PRIOR: f64 = 20.0;
/// How long it takes for an interaction to count half in `recent`.
const HALF_LIFE_MS: f64 = 30.0 * 86_400_000.0;

/// Counts of what happened to items, as of the last recorded event.
///
/// Only engagement counts: impressions and hides do not. Cloning is cheap, and a clone does not
/// change with the original.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    items: imbl::HashMap<ItemId, Counts>,
    interactions: u64,
    likes: u64,
    latest: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counts {
    interactions: u64,
    likes: u64,
    /// Interactions, each halved for every half-life between it and `updated`.
    decayed: f64,
    updated: Option<Timestamp>,
}

/// The counts of one item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemStatistics {
    pub interactions: u64,
    pub likes: u64,
    /// Likes an interaction, drawn towards that of all items: 0 to 1.
    pub like_rate: f64,
    /// Interactions, each halved for every 30 days between it and the last event of any item.
    pub recent: f64,
}

impl Statistics {
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts an event. Call it after using the statistics for what the event is to be predicted
    /// by.
    pub fn record(&mut self, event: &Event) {
        let behaviour = &event.behaviour;
        if !behaviour.action.is_engagement() {
            return;
        }
        let like = u64::from(behaviour.action.is_liking());
        self.interactions += 1;
        self.likes += like;
        self.latest = self.latest.max(Some(behaviour.time));
        let counts = self.items.entry(behaviour.item).or_default();
        counts.interactions += 1;
        counts.likes += like;
        counts.decay(behaviour.time);
    }

    /// Reads what [`Statistics::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FeatureError> {
        table::read(bytes)
    }

    /// Safetensors with columns of equal length: `item_ids`, `interactions` and `likes` (U64),
    /// `recent` (F64) and `updated_ms` (I64).
    pub fn to_bytes(&self) -> Vec<u8> {
        table::write(self)
    }

    pub fn of(&self, item: ItemId) -> ItemStatistics {
        let counts = self.items.get(&item).copied().unwrap_or_default();
        let average = (to_number(self.likes) + 1.0) / (to_number(self.interactions) + 2.0);
        let like_rate =
            (to_number(counts.likes) + PRIOR * average) / (to_number(counts.interactions) + PRIOR);
        let recent = counts.decayed_at(self.latest);
        let Counts { interactions, likes, .. } = counts;
        ItemStatistics { interactions, likes, like_rate, recent }
    }

    /// Interactions of all items.
    pub fn interactions(&self) -> u64 {
        self.interactions
    }

    /// Item, interactions and likes of every item with any, ascending by item.
    pub fn rows(&self) -> Vec<(ItemId, u64, u64)> {
        let rows = self.items.iter();
        let mut rows: Vec<_> =
            rows.map(|(item, counts)| (*item, counts.interactions, counts.likes)).collect();
        rows.sort_unstable();
        rows
    }

    fn put(&mut self, item: ItemId, counts: Counts) {
        let before = self.items.insert(item, counts).unwrap_or_default();
        self.interactions = self
            .interactions
            .saturating_sub(before.interactions)
            .saturating_add(counts.interactions);
        self.likes = self.likes.saturating_sub(before.likes).saturating_add(counts.likes);
        self.latest = self.latest.max(counts.updated);
    }
}

impl Counts {
    /// Adds an interaction. Events may come in any order of time.
    fn decay(&mut self, time: Timestamp) {
        let now = self.updated.map_or(time, |updated| updated.max(time));
        self.decayed = self.decayed_at(Some(now)) + halved(1.0, time, now);
        self.updated = Some(now);
    }

    fn decayed_at(&self, now: Option<Timestamp>) -> f64 {
        match (self.updated, now) {
            (Some(updated), Some(now)) => halved(self.decayed, updated, now),
            _ => 0.0,
        }
    }
}

fn halved(amount: f64, from: Timestamp, to: Timestamp) -> f64 {
    let passed = to.0.saturating_sub(from.0).max(0);
    amount * (-to_span(passed) / HALF_LIFE_MS).exp2()
}

/// Counts beyond 2^53 lose their last digits, which no feature shows.
fn to_number(count: u64) -> f64 {
    count as f64
}

/// Spans beyond 2^53 ms lose their last digits.
fn to_span(milliseconds: i64) -> f64 {
    milliseconds as f64
}
