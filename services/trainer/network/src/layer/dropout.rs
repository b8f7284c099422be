//! Dropout (Srivastava et al., 2014), inverted: what stays is scaled up in training, so that
//! inference has nothing to do.

use ndarray::{Array2, ArrayView2};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Layer, Trace};
use crate::{graph::Graph, optimiser::Parameter, real::Real};

/// Sets cells to zero with a probability. Does nothing outside a training step.
#[derive(Debug)]
pub(crate) struct Dropout<T> {
    rate: f32,
    width: usize,
    /// What the cells of the step under way are multiplied by.
    factors: Option<Array2<T>>,
}

impl<T: Real> Dropout<T> {
    /// `rate` is the probability that a cell is dropped, below 1.
    pub(crate) fn new(width: usize, rate: f32) -> Self {
        Self { rate, width, factors: None }
    }

    fn apply(&self, cells: ArrayView2<'_, T>) -> Array2<T> {
        match &self.factors {
            None => cells.to_owned(),
            Some(factors) => &cells * factors,
        }
    }
}

impl<T: Real> Layer<T> for Dropout<T> {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        Trace::leaf(self.apply(input))
    }

    fn backward(
        &mut self,
        _: ArrayView2<'_, T>,
        _: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        self.apply(gradient)
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        Vec::new()
    }

    fn begin_step(&mut self, rows: usize, random: &mut ChaCha8Rng) {
        let kept = T::from_f64(1.0 / (1.0 - f64::from(self.rate)));
        let factor = || if random.random::<f32>() < self.rate { T::zero() } else { kept };
        self.factors = Some(Array2::from_shape_simple_fn((rows, self.width), factor));
    }

    fn end_step(&mut self) {
        self.factors = None;
    }

    fn export(&self, _: &mut Graph, input: &str) -> String {
        input.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::layer::tests::check_gradients;

    #[test]
    fn gradients() {
        let mut layer = Dropout::new(6, 0.5);
        layer.begin_step(4, &mut ChaCha8Rng::seed_from_u64(1));
        check_gradients(layer, 6, 6);
        check_gradients(Dropout::new(6, 0.5), 6, 6);
    }

    #[test]
    fn drops_its_share_and_keeps_the_mean() {
        let mut layer: Dropout<f64> = Dropout::new(50, 0.2);
        let ones = Array2::ones((400, 50));
        layer.begin_step(400, &mut ChaCha8Rng::seed_from_u64(1));
        let output = layer.forward(ones.view()).output.into_owned();
        let dropped = output.iter().filter(|cell| **cell == 0.0).count() as f64 / 20_000.0;
        assert!((dropped - 0.2).abs() < 0.01, "{dropped}");
        assert!(output.iter().all(|cell| *cell == 0.0 || (*cell - 1.25).abs() < 1e-7));
        layer.end_step();
        assert_eq!(layer.forward(ones.view()).output, ones);
    }
}
