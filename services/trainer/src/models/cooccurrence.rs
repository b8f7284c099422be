//! Which items share users.

use crate::interactions::{Interactions, position};

/// Counts one item after another. A count for every item of the catalogue is kept between them, so
/// that an item costs only what its users have.
pub(crate) struct Cooccurrence {
    /// All zero between two items.
    counts: Vec<u32>,
}

impl Cooccurrence {
    /// For matrices of this many items.
    pub(crate) fn over(items: usize) -> Self {
        Self { counts: vec![0; items] }
    }

    /// The other items that have users in common with `item`, and how many, in no order to rely on.
    pub(crate) fn of(&mut self, interactions: &Interactions, item: usize) -> Vec<(u32, u32)> {
        let mut touched = Vec::new();
        for user in &interactions.by_item[item] {
            for other in &interactions.by_user[position(*user)] {
                let count = &mut self.counts[position(*other)];
                if *count == 0 {
                    touched.push(*other);
                }
                *count += 1;
            }
        }
        let counted = touched.into_iter().map(|other| {
            let count = std::mem::take(&mut self.counts[position(other)]);
            (other, count)
        });
        counted.filter(|(other, _)| position(*other) != item).collect()
    }
}
