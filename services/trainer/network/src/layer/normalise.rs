//! Rows of length one.

use ndarray::{Array2, ArrayView1, ArrayView2, Zip};

use super::{Layer, Trace};
use crate::{
    graph::{Graph, to_i64},
    optimiser::Parameter,
    real::Real,
};

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

/// Divides each of the equal parts of a row by its own L2 norm.
#[derive(Debug)]
pub(crate) struct NormaliseParts {
    pub(crate) parts: usize,
    /// Cells of a part.
    pub(crate) length: usize,
}

impl NormaliseParts {
    /// One row a part.
    fn cut<T: Real>(&self, rows: ArrayView2<'_, T>) -> Array2<T> {
        let shape = (rows.nrows() * self.parts, self.length);
        let rows = rows.as_standard_layout().into_owned();
        rows.into_shape_with_order(shape).expect("a row is whole parts")
    }

    fn join<T: Real>(&self, rows: Array2<T>) -> Array2<T> {
        let shape = (rows.nrows() / self.parts, self.parts * self.length);
        rows.into_shape_with_order(shape).expect("the parts of a row stand together")
    }
}

impl<T: Real> Layer<T> for NormaliseParts {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        let units = Normalise.forward(self.cut(input).view()).output.into_owned();
        Trace::leaf(self.join(units))
    }

    fn backward(
        &mut self,
        input: ArrayView2<'_, T>,
        trace: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        let units = Trace::leaf(self.cut(trace.output.view()));
        let (input, gradient) = (self.cut(input), self.cut(gradient));
        self.join(Normalise.backward(input.view(), &units, gradient.view()))
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        Vec::new()
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let parts = graph.reshape(input, &[-1, to_i64(self.length)]);
        let units = Layer::<T>::export(&Normalise, graph, &parts);
        graph.reshape(&units, &[-1, to_i64(self.parts * self.length)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::tests::check_gradients;

    #[test]
    fn gradients() {
        check_gradients(Normalise, 4, 4);
        check_gradients(NormaliseParts { parts: 2, length: 3 }, 6, 6);
    }

    #[test]
    fn rows_have_length_one_and_zero_stays_zero() {
        let output = Normalise.forward(ndarray::array![[3.0, 4.0], [0.0, 0.0]].view()).output;
        assert_eq!(output, ndarray::array![[0.6, 0.8], [0.0, 0.0]]);
        let parts = NormaliseParts { parts: 2, length: 2 };
        let output = parts.forward(ndarray::array![[3.0, 4.0, 0.0, 2.0]].view()).output;
        assert_eq!(output, ndarray::array![[0.6, 0.8, 0.0, 1.0]]);
    }
}
