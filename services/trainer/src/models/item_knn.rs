//! Item-to-item neighbours by cosine (Sarwar et al., 2001).

use rayon::prelude::*;
use tributary_domain::{Scored, UserContext};

use super::{Baseline, best, cooccurrence::Cooccurrence};
use crate::{
    interactions::{Interactions, position},
    number::{float, narrow},
};

/// For each item its nearest items by the cosine of their user sets; an item's score is the sum of
/// the similarities to those of its nearest items that the user engaged with. (The other way round,
/// adding up the neighbours of what the user engaged with, favours items that are near to many:
/// NDCG@10 on MovieLens 100K falls from .42 to .38, by `tests/oracles/top_lists.py`.)
pub(crate) struct ItemKnn {
    interactions: Interactions,
    /// For each item the items that have it among their nearest: (item row, cosine).
    nearest_of: Vec<Vec<(u32, f32)>>,
}

impl ItemKnn {
    /// Keeps the `neighbours` nearest of each item. `shrinkage` is added to the denominator and
    /// holds down pairs that few users have in common.
    pub(crate) fn train(interactions: Interactions, neighbours: usize, shrinkage: f32) -> Self {
        let lists: Vec<Vec<(u32, f32)>> = (0..interactions.items.len())
            .into_par_iter()
            .map_init(
                || Cooccurrence::over(interactions.items.len()),
                |shared, item| nearest(&interactions, shared, item, neighbours, shrinkage),
            )
            .collect();
        let mut nearest_of = vec![Vec::new(); lists.len()];
        for (item, list) in (0..).zip(lists) {
            for (other, cosine) in list {
                nearest_of[position(other)].push((item, cosine));
            }
        }
        Self { interactions, nearest_of }
    }
}

impl Baseline for ItemKnn {
    fn rank(&self, context: &UserContext, size: usize) -> Vec<Scored> {
        let mut scores = vec![0.0; self.interactions.items.len()];
        for row in self.interactions.rows_of(context) {
            for (item, cosine) in &self.nearest_of[position(row)] {
                scores[position(*item)] += cosine;
            }
        }
        best(&self.interactions.items, &scores, context, size)
    }
}

/// (item row, cosine) of the nearest items, best first, ties by row.
fn nearest(
    interactions: &Interactions,
    shared: &mut Cooccurrence,
    item: usize,
    neighbours: usize,
    shrinkage: f32,
) -> Vec<(u32, f32)> {
    let size = |row: usize| float(interactions.by_item[row].len());
    let mut list: Vec<(u32, f32)> = shared
        .of(interactions, item)
        .into_iter()
        .map(|(other, common)| {
            // Worked out in f64, so that equal cosines come out equal and ties go by row.
            let norm = (size(item) * size(position(other))).sqrt();
            (other, narrow(f64::from(common) / (norm + f64::from(shrinkage))))
        })
        .collect();
    list.sort_unstable_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    list.truncate(neighbours);
    // Of many items few are kept: their rows must not hold the memory of all.
    list.shrink_to_fit();
    list
}

#[cfg(test)]
mod tests {
    use tributary_domain::{Action, Behaviour, Timestamp, UserId};

    use super::*;
    use crate::models::ease::tests::{dense, random_interactions};

    #[test]
    fn an_item_scores_by_its_nearest_among_what_the_user_took() {
        let interactions = random_interactions(3, 14, 9);
        let matrix = dense(&interactions);
        let model = ItemKnn::train(interactions.clone(), 4, 0.0);
        let column = |item: usize| matrix.iter().map(move |row| row[item]);
        let dot = |one, other| column(one).zip(column(other)).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |one, other| dot(one, other) / (dot(one, one) * dot(other, other)).sqrt();
        let nearest = |item: usize| {
            let mut others: Vec<usize> = (0..9).filter(|other| *other != item).collect();
            others.sort_by(|one, other| {
                cosine(item, *other).total_cmp(&cosine(item, *one)).then(one.cmp(other))
            });
            others.truncate(4);
            others
        };
        for taken in [vec![0], vec![1, 5], vec![2, 3, 7, 8]] {
            let context = context(&interactions, &taken);
            for Scored { item, score } in model.rank(&context, 9) {
                let item = position(interactions.row(item).unwrap());
                let near = nearest(item).into_iter().filter(|other| taken.contains(other));
                let expected: f64 = near.map(|other| cosine(item, other)).sum();
                assert!((f64::from(score) - expected).abs() < 1e-6, "{score} is not {expected}");
            }
        }
    }

    fn context(interactions: &Interactions, taken: &[usize]) -> UserContext {
        let behaviour = |row: &usize| Behaviour {
            item: interactions.items[*row],
            action: Action::View,
            time: Timestamp(1),
            dwell_ms: 0,
        };
        let behaviours: Vec<Behaviour> = taken.iter().map(behaviour).collect();
        let seen = behaviours.iter().map(|step| step.item).collect();
        UserContext { behaviours, seen, ..UserContext::cold(UserId(1)) }
    }
}
