//! What a layer is: it computes, it learns, and it writes itself into an ONNX graph.

pub(crate) mod branches;
pub(crate) mod chain;
pub(crate) mod crosses;
pub(crate) mod dropout;
pub(crate) mod linear;
pub(crate) mod normalise;
pub(crate) mod relu;
pub(crate) mod senet;
pub(crate) mod sigmoid;
pub(crate) mod squash;

use std::fmt::Debug;

use ndarray::{ArcArray2, Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;

use crate::{graph::Graph, optimiser::Parameter, real::Real};

pub(crate) use self::{
    branches::Branches,
    chain::Chain,
    crosses::Crosses,
    dropout::Dropout,
    linear::Linear,
    normalise::{Normalise, NormaliseParts},
    relu::Relu,
    senet::Senet,
    sigmoid::Sigmoid,
    squash::Squash,
};

/// What a forward pass leaves for the backward pass.
#[derive(Debug)]
pub(crate) struct Trace<T> {
    /// `[rows, outputs]`.
    pub(crate) output: ArcArray2<T>,
    /// The traces of the layers inside, where there are any.
    pub(crate) inner: Vec<Trace<T>>,
}

impl<T: Real> Trace<T> {
    pub(crate) fn leaf(output: Array2<T>) -> Self {
        Self { output: output.into_shared(), inner: Vec::new() }
    }
}

/// A function of rows, `[rows, inputs] → [rows, outputs]`, each row for itself.
pub(crate) trait Layer<T: Real>: Debug + Send + Sync {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T>;

    /// Adds the gradient of the parameters to theirs and gives back the gradient of the input,
    /// both for the loss whose gradient with respect to the output is `gradient`.
    fn backward(
        &mut self,
        input: ArrayView2<'_, T>,
        trace: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T>;

    /// The trained arrays, always in the same order.
    fn parameters(&mut self) -> Vec<&mut Parameter<T>>;

    /// Draws what is random in a training step of so many rows.
    fn begin_step(&mut self, _rows: usize, _random: &mut ChaCha8Rng) {}

    /// Forgets it, so that forward passes are those of inference.
    fn end_step(&mut self) {}

    /// Adds the layer's nodes to the graph and names their output.
    fn export(&self, graph: &mut Graph, input: &str) -> String;
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const STEP: f64 = 1e-6;

    pub(crate) fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_fn((rows, columns), |_| random.random_range(-1.0..1.0))
    }

    /// A loss with a different slope for each output.
    fn loss(layer: &dyn Layer<f64>, input: &Array2<f64>, slopes: &Array2<f64>) -> f64 {
        (&layer.forward(input.view()).output * slopes).sum()
    }

    pub(crate) fn assert_close(analytic: f64, numeric: f64, what: &str) {
        let scale = 1.0 + analytic.abs().max(numeric.abs());
        assert!((analytic - numeric).abs() < 1e-6 * scale, "{what}: {analytic} against {numeric}");
    }

    /// Compares the gradients of the input and of every parameter with central differences.
    pub(crate) fn check_gradients(mut layer: impl Layer<f64>, inputs: usize, outputs: usize) {
        let (mut input, slopes) = (random(4, inputs, 11), random(4, outputs, 12));
        // Biases start at zero, where a ReLU after dead inputs has no derivative.
        for (seed, parameter) in (20..).zip(layer.parameters()) {
            let (rows, columns) = parameter.value.dim();
            parameter.value += &random(rows, columns, seed);
        }
        let trace = layer.forward(input.view());
        assert_eq!(trace.output.dim(), (4, outputs));
        let gradient = layer.backward(input.view(), &trace, slopes.view());
        for cell in ndarray::indices(input.dim()) {
            let mut at = |step: f64| {
                input[cell] += step;
                loss(&layer, &input, &slopes)
            };
            let numeric = (at(STEP) - at(-2.0 * STEP)) / (2.0 * STEP);
            at(STEP);
            assert_close(gradient[cell], numeric, &format!("input {cell:?}"));
        }
        for number in 0..layer.parameters().len() {
            check_parameter(&mut layer, number, &input, &slopes);
        }
    }

    fn check_parameter(
        layer: &mut dyn Layer<f64>,
        number: usize,
        input: &Array2<f64>,
        slopes: &Array2<f64>,
    ) {
        let gradient = layer.parameters()[number].gradient.clone();
        for cell in ndarray::indices(gradient.dim()) {
            let mut at = |step: f64| {
                layer.parameters()[number].value[cell] += step;
                loss(layer, input, slopes)
            };
            let numeric = (at(STEP) - at(-2.0 * STEP)) / (2.0 * STEP);
            at(STEP);
            assert_close(gradient[cell], numeric, &format!("parameter {number} {cell:?}"));
        }
    }
}
