//! The arithmetic of the attention, all entries of all rows as one matrix.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Zip};
use rayon::prelude::*;

use super::AttentionWeights;
use crate::{embedding::to_row, inputs::Inputs, layer::Trace, real::Real, table::Table};

/// Rows that one task computes at least.
const ROWS: usize = 32;

/// What a forward pass leaves.
#[derive(Debug)]
pub(crate) struct Pass<T> {
    pub(super) rows: Rows<T>,
    /// `h ⊙ t`, `[rows · length, dimension]`.
    pub(super) products: Array2<T>,
    pub(super) target: Trace<T>,
    /// The first layer's output `[rows · length, width]`.
    pub(super) sum: Array2<T>,
    pub(super) rest: Trace<T>,
    /// `[rows, length]`; 0 for padding.
    pub(super) weights: Array2<T>,
    /// `[rows, dimension]`.
    pub(crate) output: Array2<T>,
}

/// The vectors that attend to each other.
#[derive(Debug)]
pub(super) struct Rows<T> {
    /// The entries of the first row, then those of the second: `[rows · length, dimension]`.
    pub(super) sequence: Array2<T>,
    /// `[rows, dimension]`.
    pub(super) targets: Array2<T>,
    /// `[rows, length]`.
    present: Array2<bool>,
}

impl<T: Real> Rows<T> {
    pub(super) fn new(table: &Table<T>, inputs: &Inputs, bag: usize, column: usize) -> Self {
        let (bag, targets) = (&inputs.bags[bag], inputs.ids.index_axis(Axis(1), column));
        Self {
            sequence: gather(table, bag.iter()),
            targets: gather(table, targets.iter()),
            present: bag.mapv(|id| id != 0),
        }
    }

    fn length(&self) -> usize {
        self.present.ncols()
    }

    /// The entries of each row, with the row's candidate.
    fn pairs(&self) -> impl IndexedParallelIterator<Item = (&[T], &[T])> {
        let dimension = self.targets.ncols();
        let entries = cells(&self.sequence).par_chunks(self.length() * dimension);
        entries.zip(cells(&self.targets).par_chunks(dimension)).with_min_len(ROWS)
    }

    pub(super) fn products(&self) -> Array2<T> {
        let mut products = Array2::zeros(self.sequence.dim());
        rows_mut(&mut products, self.length()).zip(self.pairs()).for_each(
            |(products, (entries, target))| {
                let factors = entries.iter().zip(target.iter().cycle());
                for (product, (&entry, &target)) in products.iter_mut().zip(factors) {
                    *product = entry * target;
                }
            },
        );
        products
    }

    /// Adds each row of `targets` to all its entries' rows of `sums`.
    pub(super) fn add_to_entries(&self, sums: &mut Array2<T>, targets: &Array2<T>) {
        let targets = cells(targets).par_chunks(targets.ncols());
        rows_mut(sums, self.length()).zip(targets).for_each(|(sums, target)| {
            sums.iter_mut().zip(target.iter().cycle()).for_each(|(sum, &target)| *sum += target);
        });
    }

    /// `[rows · length, width]` to `[rows, width]`.
    pub(super) fn sum_of_entries(&self, entries: &Array2<T>) -> Array2<T> {
        let width = entries.ncols();
        let mut sums = Array2::zeros((self.targets.nrows(), width));
        let entries = cells(entries).par_chunks(self.length() * width);
        rows_mut(&mut sums, 1).zip(entries).for_each(|(sums, entries)| {
            entries.chunks_exact(width).for_each(|entry| add(sums, T::one(), entry));
        });
        sums
    }

    /// Scores `[rows · length, 1]` to weights `[rows, length]`.
    pub(super) fn weights(&self, scores: ArrayView2<'_, T>, kind: AttentionWeights) -> Array2<T> {
        let scores = scores.iter().copied().collect();
        let mut weights = Array2::from_shape_vec(self.present.dim(), scores)
            .expect("there is one score an entry");
        Zip::from(weights.rows_mut()).and(self.present.rows()).for_each(|mut weights, present| {
            let highest = masked(weights.view(), present).fold(T::neg_infinity(), T::max);
            weights.zip_mut_with(&present, |weight, &present| {
                *weight = match (present, kind) {
                    (false, _) => T::zero(),
                    (true, AttentionWeights::Raw) => *weight,
                    (true, AttentionWeights::Softmax) => (*weight - highest).exp(),
                };
            });
            if kind == AttentionWeights::Softmax && highest > T::neg_infinity() {
                let sum = weights.sum();
                weights /= sum;
            }
        });
        weights
    }

    /// The gradient of the scores `[rows · length, 1]`, given that of the weighted sums.
    pub(super) fn score_gradient(
        &self,
        weights: &Array2<T>,
        gradient: ArrayView2<'_, T>,
        kind: AttentionWeights,
    ) -> Array2<T> {
        let mut result = Array2::zeros((self.sequence.nrows(), 1));
        let dimension = self.targets.ncols();
        let present = self.present.as_slice().expect("a fresh array is contiguous");
        rows_mut(&mut result, self.length())
            .zip(self.pairs())
            .zip(cells(weights).par_chunks(self.length()))
            .zip(present.par_chunks(self.length()))
            .enumerate()
            .for_each(|(row, (((slopes, (entries, _)), weights), present))| {
                let gradient = gradient.row(row);
                let entries = ArrayView2::from_shape((self.length(), dimension), entries)
                    .expect("a row has its length of entries");
                for ((slope, entry), _) in slopes
                    .iter_mut()
                    .zip(entries.rows())
                    .zip(present)
                    .filter(|(_, present)| **present)
                {
                    *slope = entry.dot(&gradient);
                }
                if kind == AttentionWeights::Softmax {
                    through_softmax(slopes, weights);
                }
            });
        result
    }

    /// `[rows, dimension]`.
    pub(super) fn weighted_sum(&self, weights: &Array2<T>) -> Array2<T> {
        let mut sums = Array2::zeros(self.targets.dim());
        let dimension = self.targets.ncols();
        let weights = cells(weights).par_chunks(self.length());
        rows_mut(&mut sums, 1).zip(self.pairs()).zip(weights).for_each(
            |((sums, (entries, _)), weights)| {
                for (entry, &weight) in entries.chunks_exact(dimension).zip(weights) {
                    add(sums, weight, entry);
                }
            },
        );
        sums
    }

    /// What the weighted sums' gradient gives to the entries.
    pub(super) fn add_sum_gradient(
        &self,
        sequence: &mut Array2<T>,
        weights: &Array2<T>,
        gradient: ArrayView2<'_, T>,
    ) {
        let dimension = self.targets.ncols();
        let weights = cells(weights).par_chunks(self.length());
        rows_mut(sequence, self.length()).zip(weights).enumerate().for_each(
            |(row, (entries, weights))| {
                let gradient = gradient.row(row);
                for (entry, &weight) in entries.chunks_exact_mut(dimension).zip(weights) {
                    for (cell, &slope) in entry.iter_mut().zip(&gradient) {
                        *cell += weight * slope;
                    }
                }
            },
        );
    }

    /// What the products' gradient gives to their factors.
    pub(super) fn add_product_gradient(
        &self,
        sequence: &mut Array2<T>,
        targets: &mut Array2<T>,
        gradient: &Array2<T>,
    ) {
        let dimension = self.targets.ncols();
        rows_mut(sequence, self.length())
            .zip(rows_mut(targets, 1))
            .zip(self.pairs())
            .zip(cells(gradient).par_chunks(self.length() * dimension))
            .for_each(|(((sequence, targets), (entries, target)), gradient)| {
                for ((sequence, entry), gradient) in sequence
                    .chunks_exact_mut(dimension)
                    .zip(entries.chunks_exact(dimension))
                    .zip(gradient.chunks_exact(dimension))
                {
                    for cell in 0..dimension {
                        sequence[cell] += gradient[cell] * target[cell];
                        targets[cell] += gradient[cell] * entry[cell];
                    }
                }
            });
    }
}

/// `sum += scale · part`.
fn add<T: Real>(sum: &mut [T], scale: T, part: &[T]) {
    sum.iter_mut().zip(part).for_each(|(sum, &part)| *sum += scale * part);
}

fn cells<T>(array: &Array2<T>) -> &[T] {
    array.as_slice().expect("the arrays of a pass are in row-major order")
}

/// Pieces of so many rows of the array.
fn rows_mut<T: Real>(
    array: &mut Array2<T>,
    rows: usize,
) -> impl IndexedParallelIterator<Item = &mut [T]> {
    let width = array.ncols();
    let cells = array.as_slice_mut().expect("the arrays of a pass are in row-major order");
    cells.par_chunks_mut(rows * width).with_min_len(ROWS)
}

fn gather<'a, T: Real>(table: &Table<T>, ids: impl ExactSizeIterator<Item = &'a i64>) -> Array2<T> {
    let count = ids.len();
    let mut cells = Vec::with_capacity(count * table.dimension);
    ids.for_each(|&id| cells.extend_from_slice(table.row(to_row(id))));
    Array2::from_shape_vec((count, table.dimension), cells).expect("one vector an id")
}

fn masked<'a, T: Real>(
    values: ArrayView1<'a, T>,
    present: ArrayView1<'a, bool>,
) -> impl Iterator<Item = T> {
    values
        .into_iter()
        .copied()
        .zip(present)
        .filter(|(_, present)| **present)
        .map(|(value, _)| value)
}

/// From the gradient of a row's weights to that of its scores.
fn through_softmax<T: Real>(slopes: &mut [T], weights: &[T]) {
    let mean: T = slopes.iter().zip(weights).map(|(&slope, &weight)| slope * weight).sum();
    for (slope, &weight) in slopes.iter_mut().zip(weights) {
        *slope = weight * (*slope - mean);
    }
}
