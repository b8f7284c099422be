//! `max(x, 0)`.

use ndarray::{Array2, ArrayView2, Zip};

use super::{Layer, Trace};
use crate::{graph::Graph, optimiser::Parameter, real::Real};

/// The rectifier.
#[derive(Debug)]
pub(crate) struct Relu;

impl<T: Real> Layer<T> for Relu {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        Trace::leaf(input.mapv(|value| value.max(T::zero())))
    }

    fn backward(
        &mut self,
        _: ArrayView2<'_, T>,
        trace: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        Zip::from(&trace.output)
            .and(gradient)
            .map_collect(|&output, &gradient| if output > T::zero() { gradient } else { T::zero() })
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        Vec::new()
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        graph.node("Relu", &[input])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::tests::check_gradients;

    #[test]
    fn gradients() {
        check_gradients(Relu, 6, 6);
    }

    #[test]
    fn cuts_at_zero() {
        let output = Relu.forward(ndarray::array![[-1.0, 0.0, 2.0]].view()).output;
        assert_eq!(output, ndarray::array![[0.0, 0.0, 2.0]]);
    }
}
