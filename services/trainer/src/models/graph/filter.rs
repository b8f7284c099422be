//! Item embeddings by a linear filter of the graph (Shen et al., How Powerful is Graph Convolution
//! for Recommendation?, 2021): of the normalised window-item matrix only the smoothest directions
//! stay, which are the right singular vectors of its largest singular values.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::{
    decomposition::{Effort, decompose},
    windows::Sparse,
};
use crate::{
    interactions::position,
    models::ModelError,
    number::{float, narrow},
    progress::Step,
};

/// What the filter lets pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterConfig {
    /// A window's row is divided by its number of items to this power.
    pub window_power: f64,
    /// An item's column is divided by its number of windows to this power.
    pub item_power: f64,
    /// A direction is weighted with its singular value to this power: 0 treats all alike.
    pub value_power: f64,
    /// Rounds of subspace iteration.
    pub iterations: usize,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self { window_power: 0.0, item_power: 0.5, value_power: 0.5, iterations: 8 }
    }
}

/// [items, dimension]; narrower only where the graph is.
pub(super) fn embed(
    graph: &Sparse,
    config: &FilterConfig,
    dimension: usize,
    seed: u64,
    step: &Step,
) -> Result<Array2<f64>, ModelError> {
    let effort = Effort { rank: dimension, oversampling: 16, iterations: config.iterations, seed };
    step.expect(config.iterations);
    let found = decompose(&normalised(graph, config), effort, &|| step.advance(1))?;
    let mut embedding = found.right;
    for (mut column, value) in embedding.axis_iter_mut(Axis(1)).zip(found.values) {
        column *= value.powf(config.value_power);
    }
    Ok(embedding)
}

fn normalised(graph: &Sparse, config: &FilterConfig) -> Sparse {
    let items = graph.transposed();
    let factor = |size: usize, power: f64| float(size.max(1)).powf(-power);
    let row = |window: usize| {
        let entries = graph.row(window);
        let window = factor(entries.len(), config.window_power);
        let entry = |(column, value): &(u32, f32)| {
            let item = factor(items.row(position(*column)).len(), config.item_power);
            (*column, narrow(f64::from(*value) * window * item))
        };
        entries.iter().map(entry).collect()
    };
    Sparse::from_rows((0..graph.rows()).map(row).collect(), graph.columns())
}
