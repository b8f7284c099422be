//! EASE: the closed-form linear item model (Steck, Embarrassingly Shallow Autoencoders for Sparse
//! Data, 2019). With P = (XᵀX + λI)⁻¹ the weights are B = −P / diag(P) by columns, diagonal 0.
//!
//! Where there are fewer users than items, P comes from the users' side by Woodbury's identity,
//! P = (I − Xᵀ(XXᵀ + λI)⁻¹X) / λ: the system is then users × users. Where the catalogue is too
//! large for items × items numbers, [`sparse`] approximates it.

mod sparse;

use faer::{Mat, linalg::solvers::DenseSolveCore};
use ndarray::{Array2, ArrayView1, Axis};
use rayon::prelude::*;
use tributary_domain::{Scored, UserContext};

use super::{Baseline, ModelError, best};
use crate::{
    interactions::{Interactions, position},
    number::float32,
};

/// A trained EASE.
pub(crate) struct Ease {
    interactions: Interactions,
    weights: Weights,
}

/// Row i holds what engaging with item i says of the others.
enum Weights {
    /// Items × items.
    Dense(Array2<f32>),
    /// (item row, weight), the others are 0.
    Sparse(Vec<sparse::Row>),
}

impl Ease {
    /// Solves for the weights. Takes 8 bytes × items² of memory at most (4 × where users are
    /// fewer), so callers bound the catalogue.
    pub(crate) fn train(
        interactions: Interactions,
        regularisation: f32,
    ) -> Result<Self, ModelError> {
        let weights = match interactions.users.len() < interactions.items.len() {
            true => weights_by_users(&interactions, regularisation)?,
            false => weights_by_items(&interactions, regularisation)?,
        };
        Ok(Self { interactions, weights: Weights::Dense(weights) })
    }

    /// The approximation: each item from its `candidates` most telling others. Takes memory for
    /// items × candidates weights, and time for as many systems of candidates² as there are items.
    /// Calls `after` each item.
    pub(crate) fn approximate(
        interactions: Interactions,
        regularisation: f32,
        candidates: usize,
        after: &(dyn Fn() + Sync),
    ) -> Result<Self, ModelError> {
        let weights = sparse::weights(&interactions, regularisation, candidates, after)?;
        Ok(Self { interactions, weights: Weights::Sparse(weights) })
    }

    /// The items of the model, in the order of the weights.
    pub(crate) fn interactions(&self) -> &Interactions {
        &self.interactions
    }

    /// For each item the `size` items that it says most of, by absolute weight.
    pub(crate) fn strongest(&self, size: usize) -> Vec<Vec<(u32, f32)>> {
        match &self.weights {
            Weights::Dense(weights) => {
                let rows: Vec<_> = weights.axis_iter(Axis(0)).collect();
                let entries = |row: ArrayView1<'_, f32>| (0..).zip(row.iter().copied()).collect();
                rows.into_par_iter().map(|row| strongest(entries(row), size)).collect()
            }
            Weights::Sparse(rows) => {
                rows.par_iter().map(|row| strongest(row.clone(), size)).collect()
            }
        }
    }
}

/// The largest by absolute value, without zeros.
fn strongest(mut row: Vec<(u32, f32)>, size: usize) -> Vec<(u32, f32)> {
    row.retain(|(_, weight)| *weight != 0.0);
    let strength = |entry: &(u32, f32)| entry.1.abs();
    row.sort_unstable_by(|one, other| {
        strength(other).total_cmp(&strength(one)).then(one.0.cmp(&other.0))
    });
    row.truncate(size);
    // Of many items few are kept: their rows must not hold the memory of all.
    row.shrink_to_fit();
    row
}

impl Baseline for Ease {
    fn rank(&self, context: &UserContext, size: usize) -> Vec<Scored> {
        let mut scores = vec![0.0; self.interactions.items.len()];
        for row in self.interactions.rows_of(context) {
            match &self.weights {
                Weights::Dense(weights) => {
                    let weights = weights.row(position(row));
                    scores.iter_mut().zip(weights).for_each(|(score, weight)| *score += weight);
                }
                Weights::Sparse(rows) => {
                    rows[position(row)].iter().for_each(|(item, weight)| {
                        scores[position(*item)] += weight;
                    });
                }
            }
        }
        best(&self.interactions.items, &scores, context, size)
    }
}

fn weights_by_items(data: &Interactions, regularisation: f32) -> Result<Array2<f32>, ModelError> {
    let inverse = inverse(gram(&data.by_item, &data.by_user), regularisation)?;
    let items = data.items.len();
    let mut weights = Array2::zeros((items, items));
    par_rows(&mut weights, |item, row| {
        for (other, weight) in row.iter_mut().enumerate() {
            *weight = -inverse[(item, other)] / inverse[(other, other)];
        }
        row[item] = 0.0;
    });
    Ok(weights)
}

fn weights_by_users(data: &Interactions, regularisation: f32) -> Result<Array2<f32>, ModelError> {
    let inverse = inverse(gram(&data.by_user, &data.by_item), regularisation)?;
    // XᵀK: items × users.
    let mut left = Array2::zeros((data.items.len(), data.users.len()));
    par_rows(&mut left, |item, row| {
        for user in &data.by_item[item] {
            for (column, value) in row.iter_mut().enumerate() {
                *value += inverse[(position(*user), column)];
            }
        }
    });
    let entry = |item: usize, other: usize| -> f32 {
        data.by_item[other].iter().map(|user| left[[item, position(*user)]]).sum()
    };
    let items = data.items.len();
    let diagonal: Vec<f32> =
        (0..items).into_par_iter().map(|item| (1.0 - entry(item, item)) / regularisation).collect();
    let mut weights = Array2::zeros((items, items));
    par_rows(&mut weights, |item, row| {
        for (other, weight) in row.iter_mut().enumerate() {
            *weight = entry(item, other) / (regularisation * diagonal[other]);
        }
        row[item] = 0.0;
    });
    Ok(weights)
}

fn par_rows(matrix: &mut Array2<f32>, fill: impl Fn(usize, &mut [f32]) + Sync) {
    let width = matrix.ncols().max(1);
    let values = matrix.as_slice_mut().expect("a new array is contiguous");
    values.par_chunks_mut(width).enumerate().for_each(|(index, row)| fill(index, row));
}

/// Counts of what two rows have in common; `columns` is the transpose of `rows`.
fn gram(rows: &[Vec<u32>], columns: &[Vec<u32>]) -> Mat<f32> {
    let mut gram = Mat::zeros(rows.len(), rows.len());
    for (index, row) in rows.iter().enumerate() {
        let mut counts = vec![0_usize; rows.len()];
        for column in row {
            for other in &columns[position(*column)] {
                counts[position(*other)] += 1;
            }
        }
        for (other, count) in counts.into_iter().enumerate() {
            gram[(other, index)] = float32(count);
        }
    }
    gram
}

fn inverse(mut gram: Mat<f32>, regularisation: f32) -> Result<Mat<f32>, ModelError> {
    let size = gram.nrows();
    for index in 0..size {
        gram[(index, index)] += regularisation;
    }
    let factor = gram.llt(faer::Side::Lower).map_err(|_| ModelError::Singular { size })?;
    Ok(factor.inverse())
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use tributary_domain::{Action, Behaviour, Event, ItemId, Timestamp, UserId};

    use super::*;

    /// About a third of all pairs, and at least one event a user.
    pub(crate) fn random_interactions(seed: u64, users: u64, items: u64) -> Interactions {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut events = Vec::new();
        for user in 1..=users {
            for item in 1..=items {
                if random.random_bool(0.35) || item == user % items + 1 {
                    let (item, time) = (ItemId(item), Timestamp(1));
                    let behaviour = Behaviour { item, action: Action::View, time, dwell_ms: 0 };
                    events.push(Event { user: UserId(user), behaviour });
                }
            }
        }
        Interactions::of(&events)
    }

    /// Users and items of four groups: half of what a user's own group offers, a little of the rest.
    pub(crate) fn clustered_interactions(seed: u64, users: u64, items: u64) -> Interactions {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut events = Vec::new();
        for user in 1..=users {
            for item in 1..=items {
                let chance = if user % 4 == item % 4 { 0.5 } else { 0.05 };
                if random.random_bool(chance) {
                    let (item, time) = (ItemId(item), Timestamp(1));
                    let behaviour = Behaviour { item, action: Action::View, time, dwell_ms: 0 };
                    events.push(Event { user: UserId(user), behaviour });
                }
            }
        }
        Interactions::of(&events)
    }

    pub(crate) fn dense(interactions: &Interactions) -> Vec<Vec<f64>> {
        let mut matrix = vec![vec![0.0; interactions.items.len()]; interactions.users.len()];
        for (row, items) in matrix.iter_mut().zip(&interactions.by_user) {
            items.iter().for_each(|item| row[position(*item)] = 1.0);
        }
        matrix
    }

    /// Gauss-Jordan with partial pivots, f64.
    fn invert(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let size = matrix.len();
        for (index, row) in matrix.iter_mut().enumerate() {
            row.extend((0..size).map(|column| if column == index { 1.0 } else { 0.0 }));
        }
        for pivot in 0..size {
            let best = (pivot..size)
                .max_by(|one, other| {
                    matrix[*one][pivot].abs().total_cmp(&matrix[*other][pivot].abs())
                })
                .unwrap();
            matrix.swap(pivot, best);
            let scale = matrix[pivot][pivot];
            matrix[pivot].iter_mut().for_each(|value| *value /= scale);
            let source = matrix[pivot].clone();
            for (index, row) in matrix.iter_mut().enumerate() {
                let factor = row[pivot];
                if index != pivot {
                    row.iter_mut().zip(&source).for_each(|(value, from)| *value -= factor * from);
                }
            }
        }
        matrix.into_iter().map(|row| row[size..].to_vec()).collect()
    }

    fn reference(interactions: &Interactions, regularisation: f64) -> Vec<Vec<f64>> {
        let matrix = dense(interactions);
        let items = interactions.items.len();
        let mut gram = vec![vec![0.0; items]; items];
        for (one, row) in gram.iter_mut().enumerate() {
            for (other, value) in row.iter_mut().enumerate() {
                *value = matrix.iter().map(|user| user[one] * user[other]).sum();
            }
            row[one] += regularisation;
        }
        let inverse = invert(gram);
        let weight = |one: usize, other: usize| match one == other {
            true => 0.0,
            false => -inverse[one][other] / inverse[other][other],
        };
        (0..items).map(|one| (0..items).map(|other| weight(one, other)).collect()).collect()
    }

    fn matrix(model: &Ease) -> &Array2<f32> {
        match &model.weights {
            Weights::Dense(weights) => weights,
            Weights::Sparse(_) => panic!("trained exactly"),
        }
    }

    #[test]
    fn both_sides_give_the_closed_form() {
        for (users, items, side) in [(30, 12, "items"), (7, 12, "users")] {
            let interactions = random_interactions(7, users, items);
            let expected = reference(&interactions, 5.0);
            let model = Ease::train(interactions, 5.0).unwrap();
            for ((one, other), weight) in matrix(&model).indexed_iter() {
                let difference = (f64::from(*weight) - expected[one][other]).abs();
                assert!(difference < 1e-5, "{side}: [{one}, {other}] is off by {difference}");
            }
        }
    }

    #[test]
    fn a_system_that_is_not_positive_definite_is_an_error() {
        let interactions = random_interactions(7, 6, 3);
        let trained = Ease::train(interactions, -100.0);
        assert!(matches!(trained, Err(ModelError::Singular { size: 3 })));
    }

    #[test]
    fn strongest_are_the_largest_absolute_weights() {
        let model = Ease::train(random_interactions(1, 40, 10), 2.0).unwrap();
        for (row, list) in model.strongest(3).iter().enumerate() {
            let mut expected: Vec<f32> = matrix(&model).row(row).iter().map(|w| w.abs()).collect();
            expected.sort_by(|one, other| other.total_cmp(one));
            let found: Vec<f32> = list.iter().map(|(_, weight)| weight.abs()).collect();
            assert_eq!(found, expected[..3]);
        }
    }
}
