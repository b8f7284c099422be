//! How much is going on around an item, with older events counting less.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};
use tributary_domain::{Action, ItemId, Timestamp};

/// What one event of each action counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActionWeights {
    pub impression: f64,
    pub click: f64,
    pub view: f64,
    pub bookmark: f64,
    pub share: f64,
    pub hide: f64,
}

impl Default for ActionWeights {
    fn default() -> Self {
        Self { impression: 0.0, click: 1.0, view: 1.0, bookmark: 2.0, share: 3.0, hide: -2.0 }
    }
}

impl ActionWeights {
    /// The weight of one action.
    pub fn of(&self, action: Action) -> f64 {
        match action {
            Action::Impression => self.impression,
            Action::Click => self.click,
            Action::View => self.view,
            Action::Bookmark => self.bookmark,
            Action::Share => self.share,
            Action::Hide => self.hide,
        }
    }
}

/// Half-lives a time may be past the reference before the sums are moved to it: far inside the
/// range of a double.
const REACH: f64 = 256.0;

/// Sums of `weight · 2^((time - reference) / half-life)` by item.
///
/// Only ratios of sums mean anything: they do not depend on the reference, nor on what time it is
/// now, so that data of any age is ordered alike.
#[derive(Debug, Clone)]
pub(crate) struct Popularity {
    half_life_ms: f64,
    reference: Option<Timestamp>,
    sums: HashMap<ItemId, f64>,
}

impl Popularity {
    pub(crate) fn new(half_life: Duration) -> Self {
        let half_life_ms = (half_life.as_secs_f64() * 1_000.0).max(1.0);
        Self { half_life_ms, reference: None, sums: HashMap::new() }
    }

    pub(crate) fn record(&mut self, item: ItemId, time: Timestamp, weight: f64) {
        if weight == 0.0 {
            return;
        }
        let factor = self.factor_at(time);
        *self.sums.entry(item).or_default() += weight * factor;
    }

    /// The sum of an item, never below 0.
    pub(crate) fn of(&self, item: ItemId) -> f64 {
        self.sums.get(&item).map_or(0.0, |sum| sum.max(0.0))
    }

    /// The sums over the sum of all, those above 0 only, in no order.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (ItemId, f64)> {
        let total = self.total();
        let positive = self.sums.iter().filter(|(_, sum)| **sum > 0.0);
        positive.map(move |(item, sum)| (*item, sum / total))
    }

    /// Sorted before it is added up: the order of a hash map would show in the last digits.
    fn total(&self) -> f64 {
        let mut positive: Vec<f64> = self.sums.values().copied().filter(|sum| *sum > 0.0).collect();
        positive.sort_unstable_by(f64::total_cmp);
        positive.iter().sum()
    }

    fn factor_at(&mut self, time: Timestamp) -> f64 {
        let reference = *self.reference.get_or_insert(time);
        let halvings = self.half_lives(reference, time);
        if halvings <= REACH {
            return halvings.exp2();
        }
        let shrink = (-halvings).exp2();
        self.sums.values_mut().for_each(|sum| *sum *= shrink);
        self.reference = Some(time);
        1.0
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds lost in 285,000 years do not count"
    )]
    fn half_lives(&self, from: Timestamp, to: Timestamp) -> f64 {
        to.0.saturating_sub(from.0) as f64 / self.half_life_ms
    }
}
