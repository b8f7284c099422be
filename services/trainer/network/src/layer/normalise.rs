//! Rows of length one.

use ndarray::{Array2, ArrayView1, ArrayView2, Zip};

use super::{Layer, Trace};
use crate::{graph::Graph, optimiser::Parameter, real::Real};

/// Shorter rows are divided by this instead of their length, so that a zero row stays zero.
const SHORTEST: f32 = 1e-12;

/// Divides each row by its L2 norm.
#[derive(Debug)]
pub(crate) struct Normalise;

fn length<T: Real>(row: ArrayView1<'_, T>) -> T {
    row.iter().map(|&value| value * value).sum::<T>().sqrt()
}

fn shortest<T: Real>() -> T {
    T::from_f64(f64::from(SHORTEST))
}

impl<T: Real> Layer<T> for Normalise {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        let mut output = input.to_owned();
        for mut row in output.rows_mut() {
            let norm = length(row.view()).max(shortest());
            row.mapv_inplace(|value| value / norm);
        }
        Trace::leaf(output)
    }

    fn backward(
        &mut self,
        input: ArrayView2<'_, T>,
        trace: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        let mut result = gradient.to_owned();
        let rows = Zip::from(result.rows_mut()).and(input.rows()).and(trace.output.rows());
        rows.for_each(|mut row, input, output| {
            let norm = length(input);
            if norm > shortest() {
                // Only what is orthogonal to the row changes its direction.
                let along = row.dot(&output);
                row.zip_mut_with(&output, |value, &unit| *value = (*value - along * unit) / norm);
            } else {
                row.mapv_inplace(|value| value / shortest());
            }
        });
        result
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        Vec::new()
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let norm = graph.reduce("ReduceL2", input);
        let shortest = graph.scalar(SHORTEST);
        let norm = graph.node("Max", &[&norm, &shortest]);
        graph.node("Div", &[input, &norm])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::tests::check_gradients;

    #[test]
    fn gradients() {
        check_gradients(Normalise, 4, 4);
    }

    #[test]
    fn rows_have_length_one_and_zero_stays_zero() {
        let output = Normalise.forward(ndarray::array![[3.0, 4.0], [0.0, 0.0]].view()).output;
        assert_eq!(output, ndarray::array![[0.6, 0.8], [0.0, 0.0]]);
    }
}
