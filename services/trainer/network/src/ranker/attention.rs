//! Target-aware attention: what a candidate has to do with each of the user's recent items.
//!
//! The local activation unit of DIN (Zhou et al., 2018, "Deep interest network for click-through
//! rate prediction"): a small perceptron gives each entry of a sequence a weight in the light of
//! the candidate, and the entries' weighted sum joins the embedded row.

mod config;
mod export;
mod pass;

use ndarray::{Array2, ArrayView2, Axis};
use rand::Rng;

pub use self::config::{AttentionConfig, AttentionWeights};
use self::pass::{Pass, Rows};
use crate::{
    inputs::{BagShape, InputLayout, Inputs},
    layer::{Chain, Layer, Linear, Relu},
    optimiser::Parameter,
    real::Real,
    table::Table,
};

/// One sequence's attention.
///
/// The unit reads an entry `h` and the candidate `t` as `[h, t, h ⊙ t]`. The difference `h - t` is
/// left out: the first layer is linear in `h` and `t`, so that it would add parameters and no
/// function. That layer is kept in three parts, and the candidate's is computed once a row.
#[derive(Debug)]
pub(super) struct Attention<T: Real> {
    pub(super) config: AttentionConfig,
    /// Number of the sequence among the bags.
    pub(super) bag: usize,
    /// Number of the candidate among the id columns.
    pub(super) column: usize,
    table: usize,
    length: usize,
    pub(super) dimension: usize,
    /// Of the first layer.
    width: usize,
    history: Linear<T>,
    target: Linear<T>,
    product: Linear<T>,
    /// From the first layer's sum to one score.
    rest: Chain<T>,
}

impl<T: Real> Attention<T> {
    /// The configuration has been checked against the layout.
    pub(super) fn new(
        layout: &InputLayout,
        config: &AttentionConfig,
        random: &mut impl Rng,
    ) -> Self {
        let (bag, column) = config.find(layout).expect("the configuration was checked");
        let BagShape { table, length, .. } = layout.bags[bag];
        let dimension = layout.tables[table].dimension;
        let (width, rest) = match &config.hidden[..] {
            [] => (1, Chain::new()),
            [first, later @ ..] => {
                let last = later.last().unwrap_or(first);
                let unit = Chain::new().then(Relu).then(Chain::perceptron(*first, later, random));
                (*first, unit.then(Linear::new(*last, 1, random)))
            }
        };
        Self {
            config: config.clone(),
            bag,
            column,
            table,
            length,
            dimension,
            width,
            history: Linear::without_bias(dimension, width, random),
            target: Linear::new(dimension, width, random),
            product: Linear::without_bias(dimension, width, random),
            rest,
        }
    }

    /// The weighted sums `[rows, dimension]` and what the backward pass needs.
    pub(super) fn forward(&self, tables: &[Table<T>], inputs: &Inputs) -> Pass<T> {
        let rows = Rows::new(&tables[self.table], inputs, self.bag, self.column);
        let products = rows.products();
        let history = self.history.forward(rows.sequence.view());
        let target = self.target.forward(rows.targets.view());
        let product = self.product.forward(products.view());
        let mut sum = history.output.into_owned() + &product.output;
        rows.add_to_entries(&mut sum, &target.output.to_owned());
        let rest = self.rest.forward(sum.view());
        let weights = rows.weights(rest.output.view(), self.config.weights);
        let output = rows.weighted_sum(&weights);
        Pass { rows, products, target, sum, rest, weights, output }
    }

    /// Adds the gradient of the parameters to theirs, and that of the vectors to the table's.
    pub(super) fn backward(
        &mut self,
        tables: &mut [Table<T>],
        inputs: &Inputs,
        pass: &Pass<T>,
        gradient: ArrayView2<'_, T>,
    ) {
        let rows = &pass.rows;
        let scores = rows.score_gradient(&pass.weights, gradient, self.config.weights);
        let sum = self.rest.backward(pass.sum.view(), &pass.rest, scores.view());
        // Linear layers do not look at their output again.
        let mut sequence = self.history.backward(rows.sequence.view(), &pass.rest, sum.view());
        let products = self.product.backward(pass.products.view(), &pass.rest, sum.view());
        let shared = rows.sum_of_entries(&sum);
        let mut targets = self.target.backward(rows.targets.view(), &pass.target, shared.view());
        rows.add_product_gradient(&mut sequence, &mut targets, &products);
        rows.add_sum_gradient(&mut sequence, &pass.weights, gradient);
        let table = &mut tables[self.table];
        scatter(table, inputs.bags[self.bag].iter(), &sequence);
        scatter(table, inputs.ids.index_axis(Axis(1), self.column).iter(), &targets);
    }

    pub(super) fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        let parts: [&mut dyn Layer<T>; 4] =
            [&mut self.history, &mut self.target, &mut self.product, &mut self.rest];
        parts.into_iter().flat_map(|part| part.parameters()).collect()
    }
}

fn scatter<'a, T: Real>(
    table: &mut Table<T>,
    ids: impl Iterator<Item = &'a i64> + Clone + Sync,
    gradient: &Array2<T>,
) {
    table.scatter(|shard| {
        for (&id, gradient) in ids.clone().zip(gradient.rows()).filter(|(id, _)| **id != 0) {
            let gradient = gradient.to_slice().expect("gradients are in row-major order");
            shard.accumulate(crate::embedding::to_row(id), T::one(), gradient);
        }
    });
}

#[cfg(test)]
mod tests;
