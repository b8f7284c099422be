//! What the channels make of a user's past: the latest items, each with its weight.

use tributary_domain::{Behaviour, ItemId, UserContext};

/// How the items of a history are weighed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighing {
    /// Weight of an item that the user liked (bookmarked or shared).
    pub(crate) liked: f32,
    /// Weight of an item that the user otherwise dealt with.
    pub(crate) engaged: f32,
    /// How many of the latest items count.
    pub(crate) items: usize,
    /// After how many later items a weight has halved; 0 for never.
    pub(crate) half_life: f32,
}

impl Weighing {
    /// Latest first; an item that was met several times counts once, at its latest place, with
    /// the larger weight.
    pub(crate) fn latest(&self, context: &UserContext) -> Vec<(ItemId, f32)> {
        let mut items: Vec<(ItemId, f32)> = Vec::new();
        for behaviour in context.behaviours.iter().rev() {
            let Some(weight) = self.weight(behaviour) else { continue };
            match items.iter().position(|(item, _)| *item == behaviour.item) {
                Some(index) => items[index].1 = items[index].1.max(weight),
                None if items.len() < self.items => items.push((behaviour.item, weight)),
                None => {}
            }
        }
        let mut decay = 1.0;
        for (_, weight) in &mut items {
            *weight *= decay;
            decay *= self.decay();
        }
        items
    }

    fn weight(&self, behaviour: &Behaviour) -> Option<f32> {
        match behaviour.action {
            action if action.is_liking() => Some(self.liked),
            action if action.is_engagement() => Some(self.engaged),
            _ => None,
        }
    }

    fn decay(&self) -> f32 {
        match self.half_life {
            half_life if half_life > 0.0 => (-half_life.recip()).exp2(),
            _ => 1.0,
        }
    }
}
