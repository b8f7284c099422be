//! Label-aware attention: during training, the item that the user went on to choose says which of
//! the user's interests learn from it.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::real::Real;

/// Rows with one vector for each of several interests, and what each is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attention<'a, T> {
    /// `[interests, dimension]`.
    pub(super) interests: ArrayView2<'a, T>,
    /// Where each row's interests begin, and at last their number.
    pub(super) starts: &'a [usize],
    /// `[rows, dimension]`.
    pub(super) labels: ArrayView2<'a, T>,
    /// Interests are weighted by `exp(inner product with the label)` to this power: 0 takes their
    /// mean, a large power the nearest.
    pub(super) power: T,
}

/// The outcome of an [`Attention`].
#[derive(Debug)]
pub(super) struct Attended<T> {
    /// The weighted mean of each row's interests, `[rows, dimension]`.
    pub(super) vectors: Array2<T>,
    /// One an interest.
    weights: Vec<T>,
}

/// The gradients of an [`Attention`]'s inputs.
#[derive(Debug)]
pub(super) struct Gradients<T> {
    pub(super) interests: Array2<T>,
    pub(super) labels: Array2<T>,
}

impl<T: Real> Attention<'_, T> {
    pub(super) fn forward(&self) -> Attended<T> {
        let mut vectors = Array2::zeros(self.labels.dim());
        let mut weights = Vec::with_capacity(self.interests.nrows());
        for (row, (mut vector, label)) in
            vectors.rows_mut().into_iter().zip(self.labels.rows()).enumerate()
        {
            let first = weights.len();
            weights.extend(self.own(row).map(|(_, interest)| interest.dot(&label) * self.power));
            softmax(&mut weights[first..]);
            for ((_, interest), &weight) in self.own(row).zip(&weights[first..]) {
                vector.scaled_add(weight, &interest);
            }
        }
        Attended { vectors, weights }
    }

    /// For the loss whose gradient with respect to the vectors is `gradient`.
    pub(super) fn backward(
        &self,
        attended: &Attended<T>,
        gradient: ArrayView2<'_, T>,
    ) -> Gradients<T> {
        let mut interests = Array2::zeros(self.interests.dim());
        let mut labels = Array2::zeros(self.labels.dim());
        let weights = &attended.weights;
        for (row, gradient) in gradient.rows().into_iter().enumerate() {
            let mean = gradient.dot(&attended.vectors.row(row));
            let mut label_gradient = labels.row_mut(row);
            for (number, interest) in self.own(row) {
                let slope = self.power * weights[number] * (interest.dot(&gradient) - mean);
                let mut cells = interests.row_mut(number);
                cells.scaled_add(weights[number], &gradient);
                cells.scaled_add(slope, &self.labels.row(row));
                label_gradient.scaled_add(slope, &interest);
            }
        }
        Gradients { interests, labels }
    }

    /// A row's interests by number.
    fn own(&self, row: usize) -> impl Iterator<Item = (usize, ArrayView1<'_, T>)> {
        let own = self.starts[row]..self.starts[row + 1];
        own.map(|number| (number, self.interests.index_axis(Axis(0), number)))
    }
}

fn softmax<T: Real>(logits: &mut [T]) {
    let largest = logits.iter().copied().fold(T::neg_infinity(), T::max);
    logits.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
    let sum = logits.iter().copied().sum::<T>();
    logits.iter_mut().for_each(|logit| *logit /= sum);
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::layer::tests::{assert_close, random};

    const STARTS: [usize; 4] = [0, 2, 3, 6];

    fn attention<'a>(
        interests: &'a Array2<f64>,
        labels: &'a Array2<f64>,
        power: f64,
    ) -> Attention<'a, f64> {
        let (interests, labels) = (interests.view(), labels.view());
        Attention { interests, starts: &STARTS, labels, power }
    }

    #[test]
    fn the_power_goes_from_the_mean_to_the_nearest() {
        let interests =
            array![[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]];
        let labels = array![[0.8, 0.6], [1.0, 0.0], [0.0, 1.0]];
        let vectors = |power| attention(&interests, &labels, power).forward().vectors;
        assert_eq!(vectors(0.0).row(0).to_vec(), [0.5, 0.5]);
        assert_eq!(vectors(1e6), array![[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]);
        let share = 1.0 / (1.0 + (-2.0 * 0.2f64).exp());
        assert_close(vectors(2.0)[[0, 0]], share, "share of the first interest");
    }

    #[test]
    fn gradients() {
        let mut interests = random(6, 3, 1);
        let mut labels = random(3, 3, 2);
        let slopes = random(3, 3, 3);
        let whole = attention(&interests, &labels, 2.5);
        let gradients = whole.backward(&whole.forward(), slopes.view());
        let loss = |interests: &Array2<f64>, labels: &Array2<f64>| {
            (attention(interests, labels, 2.5).forward().vectors * &slopes).sum()
        };
        for cell in ndarray::indices(interests.dim()) {
            let mut at = |step: f64| {
                interests[cell] += step;
                loss(&interests, &labels)
            };
            let numeric = (at(1e-6) - at(-2e-6)) / 2e-6;
            at(1e-6);
            assert_close(gradients.interests[cell], numeric, &format!("interest {cell:?}"));
        }
        for cell in ndarray::indices(labels.dim()) {
            let mut at = |step: f64| {
                labels[cell] += step;
                loss(&interests, &labels)
            };
            let numeric = (at(1e-6) - at(-2e-6)) / 2e-6;
            at(1e-6);
            assert_close(gradients.labels[cell], numeric, &format!("label {cell:?}"));
        }
    }
}
