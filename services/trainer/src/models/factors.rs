//! The implicit matrix factorisation, by alternating least squares: the users' vectors while the
//! items' stand, then the items', and again.

use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tributary_domain::Event;
use tributary_retrieval::{
    factors::{Factors, Fold, Loss},
    vector::ItemVectors,
};

use super::ModelError;
use crate::{
    interactions::{Interactions, position},
    number::{float, narrow},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FactorsConfig {
    /// Numbers of a vector.
    pub dimension: usize,
    /// Rounds over both sides.
    pub iterations: usize,
    pub loss: Loss,
}

impl Default for FactorsConfig {
    fn default() -> Self {
        Self { dimension: 32, iterations: 10, loss: Loss::default() }
    }
}

/// How long the vectors are that the items begin with.
const LENGTH: f64 = 0.1;

/// The vectors of all items that somebody engaged with.
pub(crate) fn train(
    events: &[Event],
    config: &FactorsConfig,
    seed: u64,
) -> Result<Factors, ModelError> {
    check(config)?;
    let data = Interactions::of(events);
    let mut items = start(data.items.len(), config.dimension, seed);
    for _ in 0..config.iterations {
        let users = step(items, &data.by_user, config.loss);
        items = step(users, &data.by_item, config.loss);
    }
    let items = ItemVectors { ids: data.items, vectors: items.mapv(narrow) };
    Ok(Factors { items, loss: config.loss })
}

fn check(config: &FactorsConfig) -> Result<(), ModelError> {
    let Loss { unobserved, regularisation } = config.loss;
    let wrong = [
        ("factors.dimension", config.dimension == 0),
        ("factors.loss.unobserved", !(unobserved.is_finite() && unobserved > 0.0)),
        ("factors.loss.regularisation", !(regularisation.is_finite() && regularisation > 0.0)),
    ];
    match wrong.iter().find(|(_, wrong)| *wrong) {
        Some((key, _)) => {
            Err(ModelError::Shape { model: "factors", reason: format!("{key} must be above 0") })
        }
        None => Ok(()),
    }
}

fn start(items: usize, dimension: usize, seed: u64) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let scale = LENGTH / float(dimension).sqrt();
    Array2::from_shape_simple_fn((items, dimension), || {
        let value: f64 = StandardNormal.sample(&mut random);
        value * scale
    })
}

/// The best vectors of one side, given those of the other and who met whom.
fn step(others: Array2<f64>, met: &[Vec<u32>], loss: Loss) -> Array2<f64> {
    let mut vectors = Array2::zeros((met.len(), others.ncols()));
    let fold = Fold::new(others, loss);
    let rows: Vec<_> = vectors.axis_iter_mut(Axis(0)).zip(met).collect();
    rows.into_par_iter().for_each(|(mut vector, met)| {
        vector.assign(&fold.vector(met.iter().map(|row| (position(*row), 1.0))));
    });
    vectors
}

#[cfg(test)]
mod tests;
