//! Implicit matrix factorisation: an item is a vector, a user the vector that explains the own
//! history best (Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback Datasets,
//! 2008, with the regularisation of Rendle et al., Revisiting the Performance of iALS, 2021).
//!
//! No user is stored: whoever asks is folded in by the step that the training takes for its users,
//! so that a new user, and a new deed, count at once.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use tributary_domain::ItemId;

use crate::{
    archive::{Archive, ArchiveWriter, TableError},
    vector::ItemVectors,
};

/// What the vectors make small: over all pairs `unobserved` · prediction², over the observed ones
/// in addition (1 − prediction)², and `regularisation` times the squared length of every vector
/// times what that vector takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loss {
    pub unobserved: f64,
    pub regularisation: f64,
}

impl Default for Loss {
    fn default() -> Self {
        Self { unobserved: 0.1, regularisation: 0.03 }
    }
}

/// Finds the best vector of one side while the vectors of the other side stand.
#[derive(Debug, Clone)]
pub struct Fold {
    /// [others, dimensions]
    others: Array2<f64>,
    /// `unobserved` times the sum of the outer products of all others.
    base: Array2<f64>,
    loss: Loss,
}

impl Fold {
    /// # Panics
    /// Where the loss is not positive in both parts: the system would have no one solution.
    pub fn new(others: Array2<f64>, loss: Loss) -> Self {
        assert!(loss.unobserved > 0.0 && loss.regularisation > 0.0, "both parts are positive");
        let base = others.t().dot(&others) * loss.unobserved;
        Self { others, base, loss }
    }

    /// The vector of somebody who met these others, by row, each with its weight; zeros where it
    /// is nobody.
    pub fn vector(&self, met: impl IntoIterator<Item = (usize, f64)>) -> Array1<f64> {
        let mut system = self.base.clone();
        let mut target = Array1::zeros(self.others.ncols());
        let mut weights = 0.0;
        for (row, weight) in met {
            let other = self.others.row(row);
            add_outer(&mut system, other, weight);
            target.scaled_add(weight, &other);
            weights += weight;
        }
        let part = weights + self.loss.unobserved * count(self.others.nrows());
        system.diag_mut().iter_mut().for_each(|cell| *cell += self.loss.regularisation * part);
        solve(&mut system, &mut target);
        target
    }

    /// [others, dimensions]
    pub fn others(&self) -> ArrayView2<'_, f64> {
        self.others.view()
    }
}

/// Fills the lower triangle only, which is all that [`solve`] reads.
fn add_outer(system: &mut Array2<f64>, vector: ArrayView1<'_, f64>, weight: f64) {
    for (row, mut cells) in system.axis_iter_mut(Axis(0)).enumerate() {
        let factor = weight * vector[row];
        for (cell, value) in cells.iter_mut().zip(vector).take(row + 1) {
            *cell += factor * value;
        }
    }
}

/// Solves a symmetric positive definite system by Cholesky's factors, which replace its lower
/// triangle; the solution replaces the target.
fn solve(system: &mut Array2<f64>, target: &mut Array1<f64>) {
    let size = target.len();
    for row in 0..size {
        for column in 0..=row {
            let known: f64 =
                (0..column).map(|inner| system[[row, inner]] * system[[column, inner]]).sum();
            let rest = system[[row, column]] - known;
            system[[row, column]] =
                if row == column { rest.sqrt() } else { rest / system[[column, column]] };
        }
        let known: f64 = (0..row).map(|inner| system[[row, inner]] * target[inner]).sum();
        target[row] = (target[row] - known) / system[[row, row]];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|inner| system[[inner, row]] * target[inner]).sum();
        target[row] = (target[row] - known) / system[[row, row]];
    }
}

/// Counts stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "rounding a huge count is harmless here")]
fn count(items: usize) -> f64 {
    items as f64
}

/// The items of a factorisation as they stand in a bundle: [`ItemVectors`] with the loss that they
/// were trained with, `loss` F32 [2]: `unobserved` and `regularisation`.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    pub items: ItemVectors,
    pub loss: Loss,
}

const LOSS: &str = "loss";

impl Factors {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut archive = ArchiveWriter::default();
        self.items.add_to(&mut archive);
        let Loss { unobserved, regularisation } = self.loss;
        archive.add(LOSS, &[2], [unobserved, regularisation].map(narrow));
        archive.to_bytes()
    }

    /// Refuses what [`ItemVectors::from_bytes`] refuses, and a loss that is not positive.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TableError> {
        let items = ItemVectors::from_bytes(bytes)?;
        let loss: Vec<f32> = Archive::open(bytes)?.list(LOSS)?;
        let positive = loss.iter().all(|part| part.is_finite() && *part > 0.0);
        let [unobserved, regularisation] = loss[..] else {
            return Err(TableError::invalid(LOSS, format_args!("{} numbers, not 2", loss.len())));
        };
        if !positive {
            return Err(TableError::invalid(LOSS, "holds a number that is not positive"));
        }
        let loss = Loss { unobserved: unobserved.into(), regularisation: regularisation.into() };
        Ok(Self { items, loss })
    }

    /// What finds a user's vector among these items.
    pub fn fold(&self) -> Fold {
        Fold::new(self.items.vectors.mapv(f64::from), self.loss)
    }

    /// The rows of items, by id.
    pub(crate) fn rows(&self) -> std::collections::HashMap<ItemId, usize> {
        self.items.ids.iter().copied().zip(0..).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the loss keeps seven digits")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests;
