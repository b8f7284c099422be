//! Item embeddings by importance pooling (Ying et al., PinSage, 2018), with a learned vector for
//! each item where PinSage has content: an item is a mix of its own vector and of those of the
//! items that random walks from it visit, and is trained to be near to what it shares a window
//! with, by softmax over the batch with the logQ correction.

mod layer;

use ndarray::{Array1, Array2};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::layer::{Batch, Layer};
use super::{
    walks::{Walks, neighbours},
    windows::Sparse,
};
use crate::{interactions::position, models::ModelError, number::float, progress::Step};

/// How the aggregation is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AggregationConfig {
    /// Neighbours of an item that are pooled.
    pub neighbours: usize,
    /// Steps of the random walks from an item.
    pub steps: usize,
    /// Chance that a walk begins anew after a step.
    pub restart: f64,
    pub epochs: usize,
    /// Pairs an epoch at most.
    pub pairs: usize,
    pub batch: usize,
    pub learning_rate: f64,
    pub temperature: f64,
}

impl Default for AggregationConfig {
    fn default() -> Self {
        Self {
            neighbours: 20,
            steps: 1_000,
            restart: 0.5,
            epochs: 10,
            pairs: 500_000,
            batch: 512,
            learning_rate: 0.05,
            temperature: 0.1,
        }
    }
}

/// [items, dimension], unit vectors. Fails where the training diverges.
pub(super) fn embed(
    graph: &Sparse,
    config: &AggregationConfig,
    dimension: usize,
    seed: u64,
    step: &Step,
) -> Result<Array2<f64>, ModelError> {
    step.expect(config.epochs);
    let walks =
        Walks { steps: config.steps, restart: config.restart, neighbours: config.neighbours, seed };
    let pooled = Sparse::from_rows(neighbours(graph, walks), graph.columns());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut layer = Layer::new(pooled, dimension, &mut random);
    let frequency = frequencies(graph);
    for _ in 0..config.epochs {
        let pairs = pairs(graph, config.pairs, &mut random);
        for pairs in pairs.chunks(config.batch.max(2)) {
            let batch = Batch { pairs, frequency: &frequency, temperature: config.temperature };
            if !layer.learn(&batch, config.learning_rate).is_finite() {
                return Err(diverged());
            }
        }
        step.advance(1);
    }
    let all: Vec<usize> = (0..graph.columns()).collect();
    Ok(layer.vectors(&all))
}

fn diverged() -> ModelError {
    let reason = "the training diverged: lower graph.aggregation.learning_rate".to_owned();
    ModelError::Shape { model: "the graph's aggregation", reason }
}

/// For each item its share of the places in windows.
fn frequencies(graph: &Sparse) -> Array1<f64> {
    let mut counts: Array1<f64> = Array1::zeros(graph.columns());
    for window in (0..graph.rows()).map(|row| graph.row(row)) {
        window.iter().for_each(|(item, _)| counts[position(*item)] += 1.0);
    }
    let total = counts.sum().max(1.0);
    counts / total
}

/// Every place of a window with another place of it, in random order.
fn pairs(graph: &Sparse, most: usize, random: &mut ChaCha8Rng) -> Vec<(usize, usize)> {
    let windows = (0..graph.rows()).map(|row| graph.row(row));
    let places: usize = windows.clone().map(<[_]>::len).sum();
    let keep = (float(most) / float(places.max(1))).min(1.0);
    let mut pairs = Vec::with_capacity(places.min(most));
    for window in windows {
        for (place, (item, _)) in window.iter().enumerate() {
            // Any place but the item's own.
            let other = (place + random.random_range(1..window.len())) % window.len();
            if random.random_bool(keep) {
                pairs.push((position(*item), position(window[other].0)));
            }
        }
    }
    pairs.shuffle(random);
    pairs
}
