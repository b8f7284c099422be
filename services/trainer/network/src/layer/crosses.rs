//! The cross network of DCN-V2: products of features, one order more with each layer.

use ndarray::{Array2, ArrayView2};
use rand::Rng;

use super::{Chain, Layer, Linear, Trace};
use crate::{graph::Graph, optimiser::Parameter, real::Real};

/// `x₍ₗ₊₁₎ = x₀ ⊙ (Wₗ xₗ + bₗ) + xₗ`, with `Wₗ` whole or a product of two thin matrices.
#[derive(Debug)]
pub(crate) struct Crosses<T: Real> {
    layers: Vec<Chain<T>>,
}

impl<T: Real> Crosses<T> {
    /// `rank` 0 takes whole matrices.
    pub(crate) fn new(width: usize, layers: usize, rank: usize, random: &mut impl Rng) -> Self {
        let mut projection = || match rank {
            0 => Chain::new().then(Linear::new(width, width, random)),
            _ => Chain::new()
                .then(Linear::without_bias(width, rank, random))
                .then(Linear::new(rank, width, random)),
        };
        Self { layers: (0..layers).map(|_| projection()).collect() }
    }
}

impl<T: Real> Layer<T> for Crosses<T> {
    /// The inner traces are pairs: the projection, then the layer's whole output.
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        let mut inner: Vec<Trace<T>> = Vec::with_capacity(2 * self.layers.len());
        for layer in &self.layers {
            let current = inner.last().map_or(input, |trace| trace.output.view());
            let projection = layer.forward(current);
            let next = &projection.output * &input + current;
            inner.push(projection);
            inner.push(Trace::leaf(next));
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
        let mut direct = Array2::zeros(input.dim());
        for (number, layer) in self.layers.iter_mut().enumerate().rev() {
            let projection = &trace.inner[2 * number];
            let before = (2 * number).checked_sub(1).map(|at| trace.inner[at].output.view());
            direct += &(&gradient * &projection.output);
            let projected = &gradient * &input;
            gradient += &layer.backward(before.unwrap_or(input), projection, projected.view());
        }
        gradient + direct
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        self.layers.iter_mut().flat_map(|layer| layer.parameters()).collect()
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let mut current = input.to_owned();
        for layer in &self.layers {
            let projection = layer.export(graph, &current);
            let crossed = graph.node("Mul", &[input, &projection]);
            current = graph.node("Add", &[&crossed, &current]);
        }
        current
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::layer::tests::check_gradients;

    #[test]
    fn gradients() {
        for (layers, rank) in [(0, 0), (1, 0), (3, 0), (3, 2)] {
            let random = &mut ChaCha8Rng::seed_from_u64(7);
            check_gradients(Crosses::new(4, layers, rank, random), 4, 4);
        }
    }

    #[test]
    fn crosses_by_hand() {
        let mut crosses: Crosses<f64> = Crosses::new(2, 1, 0, &mut ChaCha8Rng::seed_from_u64(1));
        crosses.parameters()[0].value.assign(&ndarray::array![[1.0, 2.0], [3.0, 4.0]]);
        crosses.parameters()[1].value.assign(&ndarray::array![[0.5, -1.0]]);
        // x W + b = [1·1 + 2·3 + 0.5, 1·2 + 2·4 - 1] = [7.5, 9].
        let output = crosses.forward(ndarray::array![[1.0, 2.0]].view()).output;
        assert_eq!(output, ndarray::array![[8.5, 20.0]]);
    }
}
