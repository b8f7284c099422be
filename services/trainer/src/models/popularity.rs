use tributary_domain::{Event, ItemId, Scored, UserContext};

use super::{Baseline, best};
use crate::{interactions::Interactions, number::float32};

/// Items by how many users engaged with them.
pub(crate) struct Popularity {
    items: Vec<ItemId>,
    scores: Vec<f32>,
}

impl Popularity {
    pub(crate) fn of(events: &[Event]) -> Self {
        let interactions = Interactions::of(events);
        let scores = interactions.by_item.iter().map(|users| float32(users.len())).collect();
        Self { items: interactions.items, scores }
    }
}

impl Baseline for Popularity {
    fn rank(&self, context: &UserContext, size: usize) -> Vec<Scored> {
        best(&self.items, &self.scores, context, size)
    }
}
