//! What is popular now, among people like the user, and what is new.

mod segment;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tributary_domain::{Event, Gender, Item, ItemChange, ItemId, Scored, Timestamp, UserContext};

pub use crate::popularity::ActionWeights;
use crate::{popularity::Popularity, top::top};
pub use segment::Segment;

/// How the list is made up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrendingConfig {
    /// After this time an event counts half.
    #[serde(with = "humantime_serde")]
    pub half_life: Duration,
    /// Share of the list for what the user's segment likes; where there is no segment it goes to
    /// what everybody likes.
    pub segment_share: f32,
    /// Share of the list for the newest items. The rest is what everybody likes.
    pub newest_share: f32,
    /// Weight of everybody in a segment's order, 0 to 1: small segments are noisy.
    pub segment_smoothing: f64,
    /// Lower bounds of the age bands, ascending; below the first is a band too.
    pub age_bands: Vec<u8>,
    pub weights: ActionWeights,
}

impl Default for TrendingConfig {
    fn default() -> Self {
        Self {
            half_life: Duration::from_secs(120 * 24 * 60 * 60),
            segment_share: 0.8,
            newest_share: 0.1,
            segment_smoothing: 0.5,
            age_bands: vec![18, 25, 35, 45, 50, 56],
            weights: ActionWeights::default(),
        }
    }
}

/// Counters of all items, whole and by segment, with the catalogue they refer to.
#[derive(Debug, Clone)]
pub struct Trending {
    config: TrendingConfig,
    /// Listed items, hidden ones left out.
    listed: HashMap<ItemId, Option<Timestamp>>,
    /// Listed items with a time of creation, for the newest.
    created: BTreeSet<(Timestamp, std::cmp::Reverse<ItemId>)>,
    /// Listed items without one, which fill the list's end.
    undated: BTreeSet<ItemId>,
    everybody: Popularity,
    segments: BTreeMap<Segment, Popularity>,
}

impl Trending {
    pub fn new(config: TrendingConfig) -> Self {
        let everybody = Popularity::new(config.half_life);
        Self {
            config,
            listed: HashMap::new(),
            created: BTreeSet::new(),
            undated: BTreeSet::new(),
            everybody,
            segments: BTreeMap::new(),
        }
    }

    /// Counts an event, also of an item that is not listed yet. The user's age and gender say
    /// which segments it counts in.
    pub fn record(&mut self, event: &Event, age: Option<u8>, gender: Option<Gender>) {
        let behaviour = event.behaviour;
        let weight = self.config.weights.of(behaviour.action);
        self.everybody.record(behaviour.item, behaviour.time, weight);
        for segment in Segment::all_of(age, gender, &self.config.age_bands) {
            let half_life = self.config.half_life;
            let counts = self.segments.entry(segment);
            let counts = counts.or_insert_with(|| Popularity::new(half_life));
            counts.record(behaviour.item, behaviour.time, weight);
        }
    }

    /// Forgets all events.
    pub fn restart_events(&mut self) {
        self.everybody = Popularity::new(self.config.half_life);
        self.segments.clear();
    }

    /// Lists an item, or takes it off where it is hidden.
    pub fn upsert(&mut self, item: &Item) {
        self.delete(item.id);
        if item.hidden {
            return;
        }
        self.listed.insert(item.id, item.created);
        match item.created {
            Some(created) => self.created.insert((created, std::cmp::Reverse(item.id))),
            None => self.undated.insert(item.id),
        };
    }

    /// Takes an item off; its counters stay, in case it comes back.
    pub fn delete(&mut self, item: ItemId) {
        match self.listed.remove(&item) {
            Some(Some(created)) => self.created.remove(&(created, std::cmp::Reverse(item))),
            Some(None) => self.undated.remove(&item),
            None => false,
        };
    }

    /// Follows the log of item changes.
    pub fn apply(&mut self, changes: &[ItemChange]) {
        for change in changes {
            match change {
                ItemChange::Upserted(item) => self.upsert(item),
                ItemChange::Deleted(item) => self.delete(*item),
            }
        }
    }

    /// Forgets all items.
    pub fn restart_items(&mut self) {
        self.listed.clear();
        self.created.clear();
        self.undated.clear();
    }

    /// The list for a user, known or not: what the segment likes, what everybody likes and the
    /// newest take turns by their shares. Where these have nothing left come the items without events
    /// and without a time of creation, by id, so that a list is short only where the catalogue is.
    /// A score is 1 / place, since the parts have no common scale. A longer list begins with the
    /// shorter one.
    pub fn recall(&self, context: &UserContext, size: usize) -> Vec<Scored> {
        let segment = self.segment_of(context);
        let segment_share = segment.map_or(0.0, |_| self.config.segment_share);
        let everybody_share = 1.0 - segment_share - self.config.newest_share;
        let sources = [
            Source::new(everybody_share, self.popular(context, size)),
            Source::new(
                segment_share,
                segment.map_or(Vec::new(), |counts| self.in_segment(counts, context, size)),
            ),
            Source::new(self.config.newest_share, self.newest(context, size)),
            Source::new(0.0, self.undated(context, size)),
        ];
        interleave(sources, size)
    }

    /// The narrowest segment of the user that has any events.
    fn segment_of(&self, context: &UserContext) -> Option<&Popularity> {
        let profile = context.profile.as_ref()?;
        Segment::all_of(profile.age, profile.gender, &self.config.age_bands)
            .find_map(|segment| self.segments.get(&segment))
    }

    fn popular(&self, context: &UserContext, size: usize) -> Vec<ItemId> {
        self.best(self.everybody.shares(), context, size)
    }

    fn in_segment(&self, counts: &Popularity, context: &UserContext, size: usize) -> Vec<ItemId> {
        let smoothing = self.config.segment_smoothing.clamp(0.0, 1.0);
        let here: HashMap<ItemId, f64> = counts.shares().collect();
        let mixed = self.everybody.shares().map(|(item, share)| {
            let here = here.get(&item).copied().unwrap_or(0.0);
            (item, smoothing * share + (1.0 - smoothing) * here)
        });
        self.best(mixed, context, size)
    }

    fn best(
        &self,
        shares: impl Iterator<Item = (ItemId, f64)>,
        context: &UserContext,
        size: usize,
    ) -> Vec<ItemId> {
        let shown = shares.filter(|(item, _)| self.may_show(*item, context));
        let scored = shown.map(|(item, share)| Scored { item, score: narrowed(share) });
        top(scored.collect(), size).into_iter().map(|scored| scored.item).collect()
    }

    fn newest(&self, context: &UserContext, size: usize) -> Vec<ItemId> {
        let items = self.created.iter().rev().map(|(_, std::cmp::Reverse(item))| *item);
        items.filter(|item| !context.has_seen(*item)).take(size).collect()
    }

    fn undated(&self, context: &UserContext, size: usize) -> Vec<ItemId> {
        let unseen = self.undated.iter().filter(|item| !context.has_seen(**item));
        unseen.take(size).copied().collect()
    }

    fn may_show(&self, item: ItemId, context: &UserContext) -> bool {
        self.listed.contains_key(&item) && !context.has_seen(item)
    }
}

/// A list that gives items to the mix in proportion to its share.
struct Source {
    share: f32,
    /// How much of its share the list has yet to give.
    credit: f32,
    rest: std::vec::IntoIter<ItemId>,
}

impl Source {
    fn new(share: f32, items: Vec<ItemId>) -> Self {
        Self { share: share.max(0.0), credit: 0.0, rest: items.into_iter() }
    }

    /// A source without a share gives only where the others have nothing left.
    fn is_owed_more_than(&self, other: &Self) -> bool {
        let owed = |source: &Self| (source.share > 0.0, source.credit);
        owed(self) > owed(other)
    }
}

fn interleave<const N: usize>(mut sources: [Source; N], size: usize) -> Vec<Scored> {
    let mut given = HashSet::new();
    let mut list = Vec::with_capacity(size);
    while list.len() < size {
        let Some(item) = next_of(&mut sources, &mut given) else { break };
        list.push(Scored { item, score: place_score(list.len()) });
    }
    list
}

/// The next new item of the source that is owed most; a source with nothing left drops out.
fn next_of(sources: &mut [Source], given: &mut HashSet<ItemId>) -> Option<ItemId> {
    for source in sources.iter_mut() {
        source.credit += source.share;
    }
    loop {
        let source = sources
            .iter_mut()
            .filter(|source| !source.rest.as_slice().is_empty())
            .reduce(|best, source| if source.is_owed_more_than(best) { source } else { best })?;
        if let Some(item) = source.rest.by_ref().find(|item| given.insert(*item)) {
            source.credit -= 1.0;
            return Some(item);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "places are far below 2^24")]
fn place_score(place: usize) -> f32 {
    (place as f32 + 1.0).recip()
}

/// Shares are compared in single precision, as all scores are.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
fn narrowed(share: f64) -> f32 {
    share as f32
}

#[cfg(test)]
mod tests;
