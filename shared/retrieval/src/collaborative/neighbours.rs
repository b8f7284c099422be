//! Item-to-item tables.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::{Interactions, interactions::Lists};

/// For each item, other items with weights, largest first by absolute value. The numbers are
/// columns of the [`Interactions`] the table was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    lists: Lists,
    weights: Vec<f32>,
}

impl Neighbours {
    /// One row for each item. Keeps the `top_n` largest of a row by absolute value, ties by
    /// number; zeros and numbers that are not finite are left out.
    pub fn from_rows(rows: Vec<Vec<(usize, f32)>>, top_n: usize) -> Self {
        let rows: Vec<Vec<(usize, f32)>> =
            rows.into_par_iter().map(|row| strongest(row, top_n)).collect();
        let columns: Vec<Vec<usize>> =
            rows.iter().map(|row| row.iter().map(|(column, _)| *column).collect()).collect();
        let weights = rows.iter().flatten().map(|(_, weight)| *weight).collect();
        Self { lists: Lists::with_rows(&columns), weights }
    }

    /// From an item-item weight matrix `B` [items, items], such as EASE's: row i holds what an
    /// item i of the history gives to every other item.
    pub fn from_dense(weights: ArrayView2<'_, f32>, top_n: usize) -> Self {
        let rows = weights.rows().into_iter().map(|row| row.iter().copied().enumerate().collect());
        Self::from_rows(rows.collect(), top_n)
    }

    pub(super) fn from_parts(lists: Lists, weights: Vec<f32>) -> Self {
        Self { lists, weights }
    }

    /// The neighbours of an item.
    pub fn of(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let columns = self.lists.of(row);
        let end = self.lists.ends()[row];
        let weights = &self.weights[end - columns.len()..end];
        columns.iter().copied().zip(weights.iter().copied())
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn lists(&self) -> &Lists {
        &self.lists
    }

    pub(super) fn weights(&self) -> &[f32] {
        &self.weights
    }
}

fn strongest(mut row: Vec<(usize, f32)>, top_n: usize) -> Vec<(usize, f32)> {
    row.retain(|(_, weight)| weight.is_finite() && *weight != 0.0);
    row.sort_unstable_by(|(one, left), (other, right)| {
        right.abs().total_cmp(&left.abs()).then(one.cmp(other))
    });
    row.truncate(top_n);
    // Of many items few are kept: their rows must not hold the memory of all.
    row.shrink_to_fit();
    row
}

/// Cosine of the columns of the interaction matrix: the users two items share, over the root of
/// the product of their counts plus `shrink`. Keeps each item's `top_n`.
pub fn item_to_item_cosine(interactions: &Interactions, top_n: usize, shrink: f32) -> Neighbours {
    let fans = interactions.fans();
    let count = |item: usize| count_of(fans.of(item).len());
    let rows: Vec<Vec<(usize, f32)>> = (0..fans.len())
        .into_par_iter()
        .map_init(
            || vec![0.0_f32; fans.len()],
            |shared, item| {
                let touched = count_shared(interactions, fans.of(item), item, shared);
                let row = touched.into_iter().map(|other| {
                    let norm = (count(item) * count(other)).sqrt() + shrink;
                    (other, std::mem::take(&mut shared[other]) / norm)
                });
                strongest(row.collect(), top_n)
            },
        )
        .collect();
    Neighbours::from_rows(rows, top_n)
}

/// Adds up in `shared`, which is all zeros before, how many users each other item shares, and
/// returns the items that have any.
fn count_shared(
    interactions: &Interactions,
    users: &[usize],
    item: usize,
    shared: &mut [f32],
) -> Vec<usize> {
    let mut touched = Vec::new();
    for other in users.iter().flat_map(|user| interactions.of(*user)) {
        if *other != item {
            if shared[*other] == 0.0 {
                touched.push(*other);
            }
            shared[*other] += 1.0;
        }
    }
    touched
}

/// Counts stay far below 2^24, where single precision is exact.
#[expect(clippy::cast_precision_loss, reason = "rounding a huge count is harmless here")]
fn count_of(users: usize) -> f32 {
    users as f32
}
