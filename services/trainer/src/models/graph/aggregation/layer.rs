//! The layer with its gradient. z = h / |h| with h = Wₒ e + Wₚ Σ αₙ eₙ, for an item's vector e and
//! those eₙ of its neighbours with their importances αₙ.

use std::collections::HashMap;

use ndarray::{Array1, Array2, ArrayView1, Axis, Zip};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::super::windows::Sparse;
use crate::{interactions::position, number::float};

/// Pairs of items that are to be near to each other.
pub(super) struct Batch<'a> {
    pub(super) pairs: &'a [(usize, usize)],
    /// How often an item is the second of a pair, as a share.
    pub(super) frequency: &'a Array1<f64>,
    pub(super) temperature: f64,
}

/// The trainable numbers, or their gradient.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    /// [items, dimension]
    pub(super) items: Array2<f64>,
    /// [dimension, dimension]
    pub(super) own: Array2<f64>,
    /// [dimension, dimension]
    pub(super) pooled: Array2<f64>,
}

pub(super) struct Layer {
    neighbours: Sparse,
    weights: Weights,
    /// Adagrad's sums of squared gradients; one for all numbers of an item.
    squares: Weights,
}

/// What the way back needs of the way there.
struct Forward {
    own: Array2<f64>,
    pooled: Array2<f64>,
    lengths: Array1<f64>,
    vectors: Array2<f64>,
}

/// The gradient of a batch.
pub(super) struct Gradient {
    pub(super) loss: f64,
    pub(super) items: Rows,
    pub(super) own: Array2<f64>,
    pub(super) pooled: Array2<f64>,
}

/// The gradient of the items' vectors, for the items of the batch alone.
pub(super) struct Rows {
    dimension: usize,
    /// In order of the first addition.
    items: Vec<usize>,
    places: HashMap<usize, usize>,
    values: Vec<f64>,
}

impl Rows {
    fn new(dimension: usize) -> Self {
        Self { dimension, items: Vec::new(), places: HashMap::new(), values: Vec::new() }
    }

    fn add(&mut self, item: usize, factor: f64, row: ArrayView1<'_, f64>) {
        let next = self.items.len();
        let place = *self.places.entry(item).or_insert(next);
        if place == next {
            self.items.push(item);
            self.values.resize(self.values.len() + self.dimension, 0.0);
        }
        let values = &mut self.values[place * self.dimension..][..self.dimension];
        values.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
    }

    fn iter(&self) -> impl Iterator<Item = (usize, ArrayView1<'_, f64>)> {
        let rows = self.values.chunks_exact(self.dimension.max(1)).map(ArrayView1::from);
        self.items.iter().copied().zip(rows)
    }
}

const EPSILON: f64 = 1e-9;

impl Layer {
    /// Begins as the plain mean of an item and its neighbours.
    pub(super) fn new(neighbours: Sparse, dimension: usize, random: &mut ChaCha8Rng) -> Self {
        let scale = float(dimension.max(1)).sqrt().recip();
        let mut start = || {
            let sample: f64 = StandardNormal.sample(random);
            sample * scale
        };
        let items = Array2::from_shape_simple_fn((neighbours.rows(), dimension), &mut start);
        let squares = Weights {
            items: Array2::zeros((neighbours.rows(), 1)),
            own: Array2::zeros((dimension, dimension)),
            pooled: Array2::zeros((dimension, dimension)),
        };
        let weights =
            Weights { items, own: Array2::eye(dimension), pooled: Array2::eye(dimension) };
        Self { neighbours, weights, squares }
    }

    /// The unit vectors of items: [items, dimension].
    pub(super) fn vectors(&self, items: &[usize]) -> Array2<f64> {
        self.forward(items).vectors
    }

    /// One step of Adagrad; gives the batch's loss before it.
    pub(super) fn learn(&mut self, batch: &Batch<'_>, rate: f64) -> f64 {
        let gradient = self.gradient(batch);
        for (item, row) in gradient.items.iter() {
            let square = &mut self.squares.items[[item, 0]];
            *square += row.dot(&row) / float(row.len().max(1));
            let step = rate / (square.sqrt() + EPSILON);
            self.weights.items.row_mut(item).scaled_add(-step, &row);
        }
        adagrad(&mut self.weights.own, &mut self.squares.own, &gradient.own, rate);
        adagrad(&mut self.weights.pooled, &mut self.squares.pooled, &gradient.pooled, rate);
        gradient.loss
    }

    /// Of the mean cross entropy of finding each pair's second item among all second items.
    pub(super) fn gradient(&self, batch: &Batch<'_>) -> Gradient {
        let first: Vec<usize> = batch.pairs.iter().map(|pair| pair.0).collect();
        let second: Vec<usize> = batch.pairs.iter().map(|pair| pair.1).collect();
        let (left, right) = (self.forward(&first), self.forward(&second));
        let (loss, errors) = softmax(batch, &left.vectors, &right.vectors);
        let mut gradient = Gradient {
            loss,
            items: Rows::new(self.weights.own.nrows()),
            own: Array2::zeros(self.weights.own.dim()),
            pooled: Array2::zeros(self.weights.pooled.dim()),
        };
        self.backward(&first, &left, errors.dot(&right.vectors), &mut gradient);
        self.backward(&second, &right, errors.t().dot(&left.vectors), &mut gradient);
        gradient
    }

    fn forward(&self, items: &[usize]) -> Forward {
        let own = self.weights.items.select(Axis(0), items);
        let mut pooled = Array2::zeros(own.dim());
        for (item, mut sum) in items.iter().zip(pooled.rows_mut()) {
            for (neighbour, importance) in self.neighbours.row(*item) {
                let row = self.weights.items.row(position(*neighbour));
                sum.scaled_add(f64::from(*importance), &row);
            }
        }
        let mut vectors = own.dot(&self.weights.own) + pooled.dot(&self.weights.pooled);
        let lengths = vectors.map_axis(Axis(1), |row| row.dot(&row).sqrt().max(EPSILON));
        vectors /= &lengths.view().insert_axis(Axis(1));
        Forward { own, pooled, lengths, vectors }
    }

    /// Adds the gradient by the vectors of `items` to that of the weights.
    fn backward(
        &self,
        items: &[usize],
        forward: &Forward,
        mut errors: Array2<f64>,
        gradient: &mut Gradient,
    ) {
        for ((mut error, vector), length) in
            errors.rows_mut().into_iter().zip(forward.vectors.rows()).zip(&forward.lengths)
        {
            let along = error.dot(&vector);
            error.scaled_add(-along, &vector);
            error /= *length;
        }
        gradient.own += &forward.own.t().dot(&errors);
        gradient.pooled += &forward.pooled.t().dot(&errors);
        let own = errors.dot(&self.weights.own.t());
        let pooled = errors.dot(&self.weights.pooled.t());
        for ((item, own), pooled) in items.iter().zip(own.rows()).zip(pooled.rows()) {
            gradient.items.add(*item, 1.0, own);
            for (neighbour, importance) in self.neighbours.row(*item) {
                gradient.items.add(position(*neighbour), f64::from(*importance), pooled);
            }
        }
    }
}

/// The loss, and its gradient by the products of the vectors.
fn softmax(batch: &Batch<'_>, left: &Array2<f64>, right: &Array2<f64>) -> (f64, Array2<f64>) {
    let count = float(batch.pairs.len());
    let mut errors = left.dot(&right.t()) / batch.temperature;
    let mut loss = 0.0;
    for (index, mut row) in errors.rows_mut().into_iter().enumerate() {
        let (first, second) = batch.pairs[index];
        for (other, value) in row.iter_mut().enumerate() {
            let item = batch.pairs[other].1;
            *value -= batch.frequency[item].max(EPSILON).ln();
            // The item itself and repeats of the right answer are no wrong answers.
            if other != index && (item == first || item == second) {
                *value = f64::NEG_INFINITY;
            }
        }
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let right_answer = row[index] - largest;
        row.mapv_inplace(|value| (value - largest).exp());
        let sum = row.sum();
        loss += sum.ln() - right_answer;
        row /= sum;
        row[index] -= 1.0;
    }
    errors /= count * batch.temperature;
    (loss / count, errors)
}

fn adagrad(
    weights: &mut Array2<f64>,
    squares: &mut Array2<f64>,
    gradient: &Array2<f64>,
    rate: f64,
) {
    Zip::from(weights).and(squares).and(gradient).for_each(|weight, square, gradient| {
        *square += gradient * gradient;
        *weight -= rate * gradient / (square.sqrt() + EPSILON);
    });
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const PAIRS: [(usize, usize); 5] = [(0, 1), (2, 3), (1, 0), (3, 1), (4, 2)];

    fn layer() -> Layer {
        let rows = vec![
            vec![(1, 0.7), (2, 0.3)],
            vec![(0, 1.0)],
            vec![(3, 0.5), (4, 0.5)],
            vec![],
            vec![(2, 1.0)],
        ];
        Layer::new(Sparse::from_rows(rows, 5), 3, &mut ChaCha8Rng::seed_from_u64(5))
    }

    fn check(name: &str, gradient: f64, change: impl Fn(&mut Layer, f64)) {
        let frequency = Array1::from(vec![0.3, 0.1, 0.2, 0.25, 0.15]);
        let batch = Batch { pairs: &PAIRS, frequency: &frequency, temperature: 0.3 };
        let loss = |by: f64| {
            let mut layer = layer();
            change(&mut layer, by);
            layer.gradient(&batch).loss
        };
        let numeric = (loss(1e-5) - loss(-1e-5)) / 2e-5;
        assert!((numeric - gradient).abs() < 1e-7, "{name}: {gradient} is not {numeric}");
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let frequency = Array1::from(vec![0.3, 0.1, 0.2, 0.25, 0.15]);
        let batch = Batch { pairs: &PAIRS, frequency: &frequency, temperature: 0.3 };
        let gradient = layer().gradient(&batch);
        for row in 0..3 {
            for column in 0..3 {
                check("own", gradient.own[[row, column]], |layer, by| {
                    layer.weights.own[[row, column]] += by;
                });
                check("pooled", gradient.pooled[[row, column]], |layer, by| {
                    layer.weights.pooled[[row, column]] += by;
                });
            }
        }
        for item in 0..5 {
            for column in 0..3 {
                let rows = gradient.items.iter().filter(|(other, _)| *other == item);
                let sum = rows.map(|(_, row)| row[column]).sum();
                check("items", sum, |layer, by| layer.weights.items[[item, column]] += by);
            }
        }
    }
}
