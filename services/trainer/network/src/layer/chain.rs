//! Layers one after another.

use ndarray::{Array2, ArrayView2};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Dropout, Layer, Linear, Relu, Trace};
use crate::{graph::Graph, optimiser::Parameter, real::Real};

/// Each layer reads the output of the one before it. Without layers, the identity.
#[derive(Debug)]
pub(crate) struct Chain<T: Real> {
    layers: Vec<Box<dyn Layer<T>>>,
}

impl<T: Real> Chain<T> {
    pub(crate) fn new() -> Self {
        Self { layers: Vec::new() }
    }

    /// Linear layers of these widths, each with a ReLU.
    pub(crate) fn perceptron(inputs: usize, widths: &[usize], random: &mut impl Rng) -> Self {
        Self::perceptron_with_dropout(inputs, widths, 0.0, random)
    }

    /// The same, with dropout of that rate after each ReLU.
    pub(crate) fn perceptron_with_dropout(
        inputs: usize,
        widths: &[usize],
        rate: f32,
        random: &mut impl Rng,
    ) -> Self {
        let mut chain = Self::new();
        let mut width = inputs;
        for &next in widths {
            chain = chain.then(Linear::new(width, next, random)).then(Relu);
            if rate > 0.0 {
                chain = chain.then(Dropout::new(next, rate));
            }
            width = next;
        }
        chain
    }

    #[must_use]
    pub(crate) fn then(mut self, layer: impl Layer<T> + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }
}

impl<T: Real> Layer<T> for Chain<T> {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        let mut inner: Vec<Trace<T>> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let input = inner.last().map_or(input, |trace| trace.output.view());
            inner.push(layer.forward(input));
        }
        let output = inner.last().map_or_else(|| input.to_shared(), |trace| trace.output.clone());
        Trace { output, inner }
    }

    fn backward(
        &mut self,
        input: ArrayView2<'_, T>,
        trace: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        let mut gradient = gradient.to_owned();
        for (number, layer) in self.layers.iter_mut().enumerate().rev() {
            let before = number.checked_sub(1).map(|before| trace.inner[before].output.view());
            let input = before.unwrap_or(input);
            gradient = layer.backward(input, &trace.inner[number], gradient.view());
        }
        gradient
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        self.layers.iter_mut().flat_map(|layer| layer.parameters()).collect()
    }

    fn begin_step(&mut self, rows: usize, random: &mut ChaCha8Rng) {
        self.layers.iter_mut().for_each(|layer| layer.begin_step(rows, random));
    }

    fn end_step(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.end_step());
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let mut value = input.to_owned();
        for layer in &self.layers {
            value = layer.export(graph, &value);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::layer::{Sigmoid, tests::check_gradients};

    #[test]
    fn gradients() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        check_gradients(Chain::perceptron(3, &[5, 4], &mut random).then(Sigmoid), 3, 4);
        check_gradients(Chain::new(), 3, 3);
    }
}
