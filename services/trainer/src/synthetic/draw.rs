//! Items of a group to draw from, by popularity and as of a moment.

use rand::Rng;

/// Items in the order in which they appeared.
#[derive(Debug, Clone, Default)]
pub(super) struct Urn {
    items: Vec<u32>,
    created: Vec<i64>,
    /// Sum of the weights up to and including each item.
    weights: Vec<f64>,
}

impl Urn {
    /// Adds an item that appeared after all that are in already.
    pub(super) fn push(&mut self, item: u32, created: i64, weight: f64) {
        self.items.push(item);
        self.created.push(created);
        self.weights.push(self.weights.last().copied().unwrap_or(0.0) + weight);
    }

    /// How many are there by a moment.
    fn known(&self, moment: i64) -> usize {
        self.created.partition_point(|created| *created <= moment)
    }

    /// One of the items that are there by a moment, popular ones more often.
    pub(super) fn popular(&self, moment: i64, random: &mut impl Rng) -> Option<u32> {
        let weights = &self.weights[..self.known(moment)];
        let aim = random.random::<f64>() * weights.last()?;
        let index = weights.partition_point(|sum| *sum <= aim);
        self.items.get(index.min(weights.len() - 1)).copied()
    }

    /// One of the latest items by a moment, the last one in half of the cases.
    pub(super) fn latest(&self, moment: i64, random: &mut impl Rng) -> Option<u32> {
        let mut index = self.known(moment).checked_sub(1)?;
        while index > 0 && random.random_bool(0.5) {
            index -= 1;
        }
        Some(self.items[index])
    }
}
