//! Squeeze and excitation over the columns of an embedded row (Huang et al., 2019, "FiBiNET"): a
//! small network sees the mean of every column and says how much each counts.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use rand::Rng;

use super::{Chain, Layer, Linear, Sigmoid, Trace};
use crate::{graph::Graph, optimiser::Parameter, product::product, real::Real};

/// The hidden layer is as many times narrower than there are columns.
const REDUCTION: usize = 2;

/// `x ⊙ 2 σ(W₂ relu(W₁ means))`, one factor a column; the factors start near one. Cells outside
/// all columns stay as they are.
#[derive(Debug)]
pub(crate) struct Senet<T: Real> {
    /// Means of the columns, `[width, columns]`.
    squeeze: Array2<T>,
    /// Factors of the columns to their cells, `[columns, width]`.
    spread: Array2<T>,
    /// One where a cell has no column, `[1, width]`.
    rest: Array2<T>,
    excite: Chain<T>,
}

impl<T: Real> Senet<T> {
    /// For rows of that width, in which the columns are these cells.
    pub(crate) fn new(width: usize, columns: &[Range<usize>], random: &mut impl Rng) -> Self {
        let count = columns.len();
        let mut squeeze = Array2::zeros((width, count));
        let mut spread = Array2::zeros((count, width));
        let mut rest = Array2::ones((1, width));
        for (number, cells) in columns.iter().enumerate() {
            for cell in cells.clone() {
                squeeze[[cell, number]] = T::one() / T::from_count(cells.len());
                spread[[number, cell]] = T::from_count(2);
                rest[[0, cell]] = T::zero();
            }
        }
        let hidden = (count / REDUCTION).max(1);
        let excite = Chain::perceptron(count, &[hidden], random)
            .then(Linear::new(hidden, count, random))
            .then(Sigmoid);
        Self { squeeze, spread, rest, excite }
    }
}

impl<T: Real> Layer<T> for Senet<T> {
    /// The inner traces are the means, the excitation, and the factors of the cells.
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        let means = Trace::leaf(product(input, self.squeeze.view()));
        let excited = self.excite.forward(means.output.view());
        let factors = product(excited.output.view(), self.spread.view()) + &self.rest;
        let output = (&factors * &input).into_shared();
        Trace { output, inner: vec![means, excited, Trace::leaf(factors)] }
    }

    fn backward(
        &mut self,
        input: ArrayView2<'_, T>,
        trace: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        let [means, excited, factors] = &trace.inner[..] else {
            unreachable!("the forward pass leaves three traces")
        };
        let slopes = product((&gradient * &input).view(), self.spread.t());
        let slopes = self.excite.backward(means.output.view(), excited, slopes.view());
        product(slopes.view(), self.squeeze.t()) + &(&factors.output * &gradient)
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        self.excite.parameters()
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let squeeze = graph.matrix(&self.squeeze);
        let means = graph.node("MatMul", &[input, &squeeze]);
        let excited = self.excite.export(graph, &means);
        let (spread, rest) = (graph.matrix(&self.spread), graph.matrix(&self.rest));
        let factors = graph.node("Gemm", &[&excited, &spread, &rest]);
        graph.node("Mul", &[input, &factors])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::layer::tests::check_gradients;

    fn senet() -> Senet<f64> {
        Senet::new(6, &[0..2, 2..5], &mut ChaCha8Rng::seed_from_u64(3))
    }

    #[test]
    fn gradients() {
        check_gradients(senet(), 6, 6);
    }

    #[test]
    fn a_column_has_one_factor_and_other_cells_none() {
        let mut senet = senet();
        let parameters = senet.parameters();
        for (parameter, value) in parameters.into_iter().zip([1.0, 0.0, 0.0, 0.0]) {
            parameter.value.fill(value);
        }
        // The second bias decides alone: σ(ln 3) is three quarters.
        senet.parameters()[3].value.assign(&array![[3f64.ln(), -(3f64.ln())]]);
        let output = senet.forward(array![[1.0, 2.0, 1.0, 2.0, 4.0, 8.0]].view()).output;
        let expected = array![[1.5, 3.0, 0.5, 1.0, 2.0, 8.0]];
        assert!((&output - &expected).iter().all(|apart: &f64| apart.abs() < 1e-12), "{output}");
    }
}
