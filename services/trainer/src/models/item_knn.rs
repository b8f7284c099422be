//! Item-to-item neighbours by cosine (Sarwar et al., 2001).

use rayon::prelude::*;
use tributary_domain::{Scored, UserContext};

use super::{Baseline, best};
use crate::{
    interactions::{Interactions, position},
    number::float32,
};

/// For each item its nearest items by the cosine of their user sets; a context scores an item with
/// the sum of the similarities to what the user engaged with.
pub(crate) struct ItemKnn {
    interactions: Interactions,
    /// (item row, cosine), best first, at most `neighbours` each.
    neighbours: Vec<Vec<(u32, f32)>>,
}

impl ItemKnn {
    /// Keeps the `neighbours` nearest of each item. `shrinkage` is added to the denominator and
    /// holds down pairs that few users have in common.
    pub(crate) fn train(interactions: Interactions, neighbours: usize, shrinkage: f32) -> Self {
        let lists = (0..interactions.items.len())
            .into_par_iter()
            .map(|item| nearest(&interactions, item, neighbours, shrinkage))
            .collect();
        Self { interactions, neighbours: lists }
    }
}

impl Baseline for ItemKnn {
    fn rank(&self, context: &UserContext, size: usize) -> Vec<Scored> {
        let mut scores = vec![0.0; self.interactions.items.len()];
        for row in self.interactions.rows_of(context) {
            for (neighbour, cosine) in &self.neighbours[position(row)] {
                scores[position(*neighbour)] += cosine;
            }
        }
        best(&self.interactions.items, &scores, context, size)
    }
}

fn nearest(
    interactions: &Interactions,
    item: usize,
    neighbours: usize,
    shrinkage: f32,
) -> Vec<(u32, f32)> {
    let mut common = vec![0_usize; interactions.items.len()];
    for user in &interactions.by_item[item] {
        for other in &interactions.by_user[position(*user)] {
            common[position(*other)] += 1;
        }
    }
    let size = |row: usize| float32(interactions.by_item[row].len());
    let mut list: Vec<(u32, f32)> = (0_u32..)
        .zip(common)
        .filter(|(other, common)| position(*other) != item && *common > 0)
        .map(|(other, common)| {
            let norm = (size(item) * size(position(other))).sqrt();
            (other, float32(common) / (norm + shrinkage))
        })
        .collect();
    list.sort_unstable_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    list.truncate(neighbours);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ease::tests::{dense, random_interactions};

    #[test]
    fn neighbours_are_the_cosines_of_the_columns() {
        let interactions = random_interactions(3, 14, 9);
        let matrix = dense(&interactions);
        let model = ItemKnn::train(interactions, 4, 0.0);
        let column = |item: usize| matrix.iter().map(move |row| row[item]);
        let dot = |one, other| column(one).zip(column(other)).map(|(a, b)| a * b).sum::<f64>();
        for (item, list) in model.neighbours.iter().enumerate() {
            let mut expected: Vec<(usize, f64)> = (0..matrix[0].len())
                .filter(|other| *other != item && dot(item, *other) > 0.0)
                .map(|other| {
                    let norm = (dot(item, item) * dot(other, other)).sqrt();
                    (other, dot(item, other) / norm)
                })
                .collect();
            expected.sort_by(|one, other| other.1.total_cmp(&one.1));
            expected.truncate(4);
            assert_eq!(list.len(), expected.len());
            for ((_, cosine), (_, expected)) in list.iter().zip(&expected) {
                assert!((f64::from(*cosine) - expected).abs() < 1e-6);
            }
        }
    }
}
