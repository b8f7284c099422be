//! The length of a capsule between zero and one (Sabour et al., 2017).

use ndarray::{Array2, ArrayView1, ArrayView2, Zip};

use super::{Layer, Trace};
use crate::{graph::Graph, optimiser::Parameter, real::Real};

/// `x · |x| / (1 + |x|²)` for each row: its direction, with a length that grows from 0 to 1.
#[derive(Debug)]
pub(crate) struct Squash;

fn norm<T: Real>(row: ArrayView1<'_, T>) -> T {
    row.iter().map(|&value| value * value).sum::<T>().sqrt()
}

impl<T: Real> Layer<T> for Squash {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        let mut output = input.to_owned();
        for mut row in output.rows_mut() {
            let norm = norm(row.view());
            row *= norm / (T::one() + norm * norm);
        }
        Trace::leaf(output)
    }

    fn backward(
        &mut self,
        input: ArrayView2<'_, T>,
        _: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        let mut result = gradient.to_owned();
        Zip::from(result.rows_mut()).and(input.rows()).for_each(|mut row, input| {
            let norm = norm(input);
            let scale = T::one() + norm * norm;
            // Of `f(n) · x` with `f(n) = n / (1 + n²)`: along x, f'(n) / n is added. At zero both
            // parts are.
            let along = match norm > T::zero() {
                true => row.dot(&input) * (T::one() - norm * norm) / (scale * scale * norm),
                false => T::zero(),
            };
            row.zip_mut_with(&input, |cell, &x| *cell = *cell * norm / scale + along * x);
        });
        result
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        Vec::new()
    }

    /// Works on the last axis, whatever the others.
    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let norm = graph.norm(input);
        let one = graph.scalar(1.0);
        let square = graph.node("Mul", &[&norm, &norm]);
        let scale = graph.node("Add", &[&square, &one]);
        let factor = graph.node("Div", &[&norm, &scale]);
        graph.node("Mul", &[input, &factor])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::layer::tests::check_gradients;

    #[test]
    fn gradients() {
        check_gradients(Squash, 4, 4);
    }

    #[test]
    fn lengths_stay_below_one_and_zero_stays_zero() {
        let input = array![[3.0, 4.0], [0.0, 0.0]];
        let trace = Squash.forward(input.view());
        let expected = array![[15.0f64 / 26.0, 20.0 / 26.0], [0.0, 0.0]];
        assert!((&trace.output - &expected).iter().all(|apart: &f64| apart.abs() < 1e-12));
        assert_eq!(trace.output.row(1).to_vec(), [0.0, 0.0]);
        let gradient = Squash.backward(input.view(), &trace, array![[0.0, 0.0], [1.0, 2.0]].view());
        assert_eq!(gradient.row(1).to_vec(), [0.0, 0.0]);
    }
}
