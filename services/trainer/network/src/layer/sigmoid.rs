//! `1 / (1 + e^-x)`.

use ndarray::{Array2, ArrayView2, Zip};

use super::{Layer, Trace};
use crate::{graph::Graph, optimiser::Parameter, real::Real};

/// The logistic function.
#[derive(Debug)]
pub(crate) struct Sigmoid;

/// The logistic function of one value, without overflow at either end.
pub(crate) fn sigmoid<T: Real>(value: T) -> T {
    let small = (-value.abs()).exp();
    let upper = T::one() / (T::one() + small);
    if value >= T::zero() { upper } else { small * upper }
}

impl<T: Real> Layer<T> for Sigmoid {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        Trace::leaf(input.mapv(sigmoid))
    }

    fn backward(
        &mut self,
        _: ArrayView2<'_, T>,
        trace: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        Zip::from(&trace.output)
            .and(gradient)
            .map_collect(|&output, &gradient| gradient * output * (T::one() - output))
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        Vec::new()
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        graph.node("Sigmoid", &[input])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::tests::check_gradients;

    #[test]
    fn gradients() {
        check_gradients(Sigmoid, 3, 3);
    }

    #[test]
    fn stays_inside_its_bounds() {
        for (value, expected) in [(0.0, 0.5), (2.0, 0.880_797), (-2.0, 0.119_203)] {
            assert!((sigmoid::<f64>(value) - expected).abs() < 1e-6, "{value}");
        }
        for value in [-1e6f32, -100.0, 100.0, 1e6] {
            assert!((0.0..=1.0).contains(&sigmoid(value)), "{value}");
        }
    }
}
