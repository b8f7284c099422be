//! Two layers on the same input, their outputs side by side.

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use rand_chacha::ChaCha8Rng;

use super::{Chain, Layer, Trace};
use crate::{graph::Graph, optimiser::Parameter, real::Real};

/// `[left(x), right(x)]`.
#[derive(Debug)]
pub(crate) struct Branches<T: Real> {
    pub(crate) left: Chain<T>,
    pub(crate) right: Chain<T>,
}

impl<T: Real> Layer<T> for Branches<T> {
    fn forward(&self, input: ArrayView2<'_, T>) -> Trace<T> {
        let (left, right) = (self.left.forward(input), self.right.forward(input));
        let output = concatenate(Axis(1), &[left.output.view(), right.output.view()])
            .expect("both branches keep the number of rows");
        Trace { output: output.into_shared(), inner: vec![left, right] }
    }

    fn backward(
        &mut self,
        input: ArrayView2<'_, T>,
        trace: &Trace<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Array2<T> {
        let [left, right] = &trace.inner[..] else {
            unreachable!("the forward pass leaves two traces")
        };
        let width = left.output.ncols();
        let sum = self.left.backward(input, left, gradient.slice(s![.., ..width]));
        sum + self.right.backward(input, right, gradient.slice(s![.., width..]))
    }

    fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        let mut parameters = self.left.parameters();
        parameters.extend(self.right.parameters());
        parameters
    }

    fn begin_step(&mut self, rows: usize, random: &mut ChaCha8Rng) {
        self.left.begin_step(rows, random);
        self.right.begin_step(rows, random);
    }

    fn end_step(&mut self) {
        self.left.end_step();
        self.right.end_step();
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let left = self.left.export(graph, input);
        let right = self.right.export(graph, input);
        graph.concat(&[left, right])
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::layer::tests::check_gradients;

    #[test]
    fn gradients() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let left = Chain::perceptron(4, &[3], &mut random);
        let right = Chain::perceptron(4, &[2, 5], &mut random);
        check_gradients(Branches { left, right }, 4, 8);
    }
}
