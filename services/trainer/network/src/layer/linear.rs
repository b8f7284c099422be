//! `x · weights + bias`.

use ndarray::{Array2, ArrayView2, Axis};
use rand::Rng;
use rand_distr::{Distribution, Normal};

use super::{Layer, Trace};
use crate::{graph::Graph, optimiser::Parameter, product::product, real::Real};

/// A linear layer with weights `[inputs, outputs]`, and a bias `[1, outputs]` where it has one.
#[derive(Debug)]
pub(crate) struct Linear<T> {
    weights: Parameter<T>,
    bias: Option<Parameter<T>>,
}

impl<T: Real> Linear<T> {
    /// Random weights that keep the variance of their input (He et al., 2015, for the half that a
    /// ReLU before it lets through), bias zero.
    pub(crate) fn new(inputs: usize, outputs: usize, random: &mut impl Rng) -> Self {
        let bias = Some(Parameter::new(Array2::zeros((1, outputs))));
        Self { bias, ..Self::without_bias(inputs, outputs, random) }
    }

    pub(crate) fn without_bias(inputs: usize, outputs: usize, random: &mut impl Rng) -> Self {
        let deviation = (2.0 / (inputs + outputs).max(1) as f64).sqrt();
        let normal = Normal::new(0.0, deviation).expect("the deviation is positive and finite");
        let weights =
            Array2::from_shape_simple_fn((inputs, outputs), || T::from_f64(normal.sample(random)));
        Self { weights: Parameter::new(weights), bias: None }
    }

    pub(crate) fn weights(&self) -> &Array2<T> {
        &self.weights.value
    }
}

impl<T: Real> Layer<T> for Linear<T> {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        let mut output = product(input, self.weights.value.view());
        if let Some(bias) = &self.bias {
            output += &bias.value;
        }
        Trace::leaf(output)
    }

    fn backward(
        &mut self,
        input: ArrayView2<'_, T>,
        _: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        self.weights.gradient += &product(input.t(), gradient);
        if let Some(bias) = &mut self.bias {
            bias.gradient += &gradient.sum_axis(Axis(0)).insert_axis(Axis(0));
        }
        product(gradient, self.weights.value.t())
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        std::iter::once(&mut self.weights).chain(&mut self.bias).collect()
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let weights = graph.matrix(&self.weights.value);
        match &self.bias {
            None => graph.node("MatMul", &[input, &weights]),
            Some(bias) => {
                let bias = graph.matrix(&bias.value);
                graph.node("Gemm", &[input, &weights, &bias])
            }
        }
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
        let mut random = ChaCha8Rng::seed_from_u64(1);
        check_gradients(Linear::new(5, 3, &mut random), 5, 3);
        check_gradients(Linear::without_bias(2, 4, &mut random), 2, 4);
    }

    #[test]
    fn adds_its_bias() {
        let mut layer: Linear<f64> = Linear::new(2, 1, &mut ChaCha8Rng::seed_from_u64(1));
        layer.parameters()[0].value.assign(&ndarray::array![[2.0], [3.0]]);
        layer.parameters()[1].value.fill(0.5);
        let output = layer.forward(ndarray::array![[1.0, 10.0]].view()).output;
        assert_eq!(output, ndarray::array![[32.5]]);
    }
}
