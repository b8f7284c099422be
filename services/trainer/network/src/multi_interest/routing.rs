//! Behaviour-to-interest dynamic routing (Li et al., 2019, "Multi-interest network with dynamic
//! routing for recommendation at Tmall"): which behaviour counts how much in which interest.
//!
//! The map `S` from behaviours to interests is shared, so that a weighted sum of mapped behaviours
//! is the mapped weighted sum: the products are over interests, of which a user has a few, and not
//! over behaviours.
//!
//! The paper draws the first logits at random. Here a behaviour's are the cosines of its item with
//! one fixed direction an interest, times the length of that direction: the same item starts the
//! same way for every user, every time and in every batch, and like items start alike.

use ndarray::{Array2, ArrayView2, Axis, linalg::general_mat_mul};
use rayon::prelude::*;

use crate::{
    embedding::to_row,
    layer::{Layer, squash::Squash},
    real::Real,
    table::Table,
};

/// Users that one task routes: their behaviours fit the cache.
const USERS: usize = 32;
const LANES: usize = 8;
/// Shorter embeddings are divided by this instead of their length.
pub(super) const SHORTEST: f32 = 1e-6;

/// What routing reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Routing<'a, T> {
    pub(super) table: &'a Table<T>,
    /// `[dimension of the table, dimension of an interest]`.
    pub(super) map: &'a Array2<T>,
    /// The directions of the first logits, `[interests, dimension of the table]`.
    pub(super) start: &'a Array2<T>,
    pub(super) iterations: usize,
}

/// How much of each behaviour goes to each interest.
#[derive(Debug, Clone)]
pub(super) struct Shares<T> {
    /// `[rows · length, interests]`; zero for padding and for interests not in use.
    weights: Array2<T>,
    /// Where each row's interests begin among all that are in use, and at last their number.
    pub(super) starts: Vec<usize>,
}

/// `max(1, min(maximum, ⌊log₂ behaviours⌋))`: interests of a user with so many behaviours.
pub(super) fn interests(behaviours: usize, maximum: usize) -> usize {
    let bits = behaviours.checked_ilog2().unwrap_or(0);
    usize::try_from(bits).unwrap_or(maximum).clamp(1, maximum)
}

/// The fewest behaviours with which a user has interest number `interest`, from 0.
pub(super) fn threshold(interest: usize) -> f32 {
    let power = i32::try_from(interest + 1).unwrap_or(i32::MAX);
    if interest == 0 { 0.0 } else { 2f32.powi(power) }
}

impl<T: Real> Shares<T> {
    /// All interests in use.
    pub(super) fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The row that each interest belongs to.
    pub(super) fn owners(&self) -> Vec<usize> {
        let rows = self.starts.windows(2).enumerate();
        rows.flat_map(|(row, pair)| std::iter::repeat_n(row, pair[1] - pair[0])).collect()
    }

    /// The weighted sums of each user's behaviours `[interests in use, dimension of the table]`.
    pub(super) fn pool(&self, table: &Table<T>, history: ArrayView2<'_, i64>) -> Array2<T> {
        let width = table.dimension;
        let rows: Vec<usize> = (0..history.nrows()).collect();
        let parts: Vec<Vec<T>> = rows
            .par_chunks(USERS)
            .map(|rows| {
                let from = self.starts[rows[0]];
                let to = self.starts[rows[rows.len() - 1] + 1];
                let mut sums = vec![T::zero(); (to - from) * width];
                for &row in rows {
                    let own =
                        (self.starts[row] - from) * width..(self.starts[row + 1] - from) * width;
                    self.pool_row(table, history, row, &mut sums[own]);
                }
                sums
            })
            .collect();
        Array2::from_shape_vec((self.len(), width), parts.concat())
            .expect("every interest has one sum")
    }

    fn pool_row(&self, table: &Table<T>, history: ArrayView2<'_, i64>, row: usize, sums: &mut [T]) {
        for (&id, weights) in self.behaviours(history, row) {
            let vector = table.row(to_row(id));
            for (sum, &weight) in sums.chunks_exact_mut(table.dimension).zip(weights) {
                add_scaled(sum, weight, vector);
            }
        }
    }

    /// Adds the gradient of [`Shares::pool`] to the table's, the weights held fixed.
    pub(super) fn backward(
        &self,
        table: &mut Table<T>,
        history: ArrayView2<'_, i64>,
        gradient: ArrayView2<'_, T>,
    ) {
        let dimension = table.dimension;
        table.scatter(|shard| {
            let mut sum = vec![T::zero(); dimension];
            for row in 0..history.nrows() {
                for (&id, weights) in self.behaviours(history, row) {
                    if !shard.has(to_row(id)) {
                        continue;
                    }
                    sum.fill(T::zero());
                    let parts = gradient.axis_iter(Axis(0)).skip(self.starts[row]);
                    let count = self.starts[row + 1] - self.starts[row];
                    for (part, &weight) in parts.take(count).zip(weights) {
                        let part =
                            part.to_slice().expect("rows of a row-major array are contiguous");
                        add_scaled(&mut sum, weight, part);
                    }
                    shard.accumulate(to_row(id), T::one(), &sum);
                }
            }
        });
    }

    /// A row's behaviours with their weights, padding left out.
    fn behaviours<'a>(
        &'a self,
        history: ArrayView2<'a, i64>,
        row: usize,
    ) -> impl Iterator<Item = (&'a i64, &'a [T])> {
        let width = self.weights.ncols();
        let cells = self.weights.as_slice().expect("weights are in row-major order");
        let length = history.ncols();
        let own = &cells[row * length * width..][..length * width];
        let ids = history.to_slice().expect("a history is in row-major order");
        let ids = &ids[row * length..][..length];
        ids.iter().zip(own.chunks_exact(width)).filter(|(id, _)| **id != 0)
    }
}

impl<T: Real> Routing<'_, T> {
    /// The weights of the last iteration. No gradient flows through them.
    pub(super) fn route(&self, history: ArrayView2<'_, i64>) -> Shares<T> {
        let (rows, length) = history.dim();
        let maximum = self.start.nrows();
        let used: Vec<usize> = history
            .rows()
            .into_iter()
            .map(|ids| interests(ids.iter().filter(|id| **id != 0).count(), maximum))
            .collect();
        let mut weights = Array2::zeros((rows * length, maximum));
        let cells = weights.as_slice_mut().expect("a fresh array is contiguous");
        let ids = history.to_slice().expect("a history is in row-major order");
        cells
            .par_chunks_mut(USERS * length * maximum)
            .zip(ids.par_chunks(USERS * length))
            .zip(used.par_chunks(USERS))
            .for_each(|((weights, ids), used)| self.route_users(ids, used, weights));
        let ends = used.iter().scan(0, |end, used| {
            *end += used;
            Some(*end)
        });
        Shares { weights, starts: std::iter::once(0).chain(ends).collect() }
    }

    /// `weights` hold the logits until the last iteration makes them weights.
    fn route_users(&self, ids: &[i64], used: &[usize], weights: &mut [T]) {
        let (maximum, width) = self.start.dim();
        let mut sums = Array2::zeros((used.len() * maximum, width));
        let mut directions = Array2::zeros(sums.dim());
        self.start(ids, weights);
        for _ in 1..self.iterations {
            sums.fill(T::zero());
            self.step(ids, used, weights, &mut sums);
            self.agree(&sums, &mut directions);
            self.add_agreement(ids, used, weights, &directions);
        }
        let length = ids.len() / used.len();
        for (logits, &used) in weights.chunks_exact_mut(length * maximum).zip(used) {
            logits.chunks_exact_mut(maximum).for_each(|logits| softmax(logits, used));
        }
        for (weights, _) in weights.chunks_exact_mut(maximum).zip(ids).filter(|(_, id)| **id == 0) {
            weights.fill(T::zero());
        }
    }

    /// Writes the first logits of each behaviour.
    fn start(&self, ids: &[i64], logits: &mut [T]) {
        let shortest = T::from_f64(f64::from(SHORTEST));
        let start = self.start.as_slice().expect("directions are in row-major order");
        let (maximum, width) = self.start.dim();
        for (logits, &id) in logits.chunks_exact_mut(maximum).zip(ids) {
            let vector = self.table.row(to_row(id));
            let norm = dot(vector, vector).sqrt().max(shortest);
            for (logit, direction) in logits.iter_mut().zip(start.chunks_exact(width)) {
                *logit = dot(direction, vector) / norm;
            }
        }
    }

    /// Adds up each user's behaviours by the softmax of their logits.
    fn step(&self, ids: &[i64], used: &[usize], logits: &[T], sums: &mut Array2<T>) {
        let (maximum, width) = self.start.dim();
        let length = ids.len() / used.len();
        let sums = sums.as_slice_mut().expect("sums are in row-major order");
        let mut weights = vec![T::zero(); maximum];
        for (user, &used) in used.iter().enumerate() {
            let sums = &mut sums[user * maximum * width..][..used * width];
            for place in user * length..(user + 1) * length {
                if ids[place] == 0 {
                    continue;
                }
                weights.copy_from_slice(&logits[place * maximum..][..maximum]);
                softmax(&mut weights, used);
                let vector = self.table.row(to_row(ids[place]));
                for (sum, &weight) in sums.chunks_exact_mut(width).zip(&weights) {
                    add_scaled(sum, weight, vector);
                }
            }
        }
    }

    /// `squash(sums · S) · Sᵀ`: the direction in which a behaviour agrees with each interest.
    fn agree(&self, sums: &Array2<T>, directions: &mut Array2<T>) {
        let mut capsules = Array2::zeros((sums.nrows(), self.map.ncols()));
        general_mat_mul(T::one(), sums, self.map, T::zero(), &mut capsules);
        let capsules = Squash.forward(capsules.view()).output;
        general_mat_mul(T::one(), &capsules, &self.map.t(), T::zero(), directions);
    }

    fn add_agreement(&self, ids: &[i64], used: &[usize], logits: &mut [T], directions: &Array2<T>) {
        let (maximum, width) = self.start.dim();
        let length = ids.len() / used.len();
        let directions = directions.as_slice().expect("directions are in row-major order");
        for (user, &used) in used.iter().enumerate() {
            let directions = &directions[user * maximum * width..][..used * width];
            for place in user * length..(user + 1) * length {
                if ids[place] == 0 {
                    continue;
                }
                let vector = self.table.row(to_row(ids[place]));
                let logits = &mut logits[place * maximum..][..used];
                for (logit, direction) in logits.iter_mut().zip(directions.chunks_exact(width)) {
                    *logit += dot(direction, vector);
                }
            }
        }
    }
}

/// The softmax of the first `used` logits; the others become zero.
fn softmax<T: Real>(logits: &mut [T], used: usize) {
    let (logits, unused) = logits.split_at_mut(used);
    unused.fill(T::zero());
    let largest = logits.iter().copied().fold(T::neg_infinity(), T::max);
    logits.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
    let sum = logits.iter().copied().sum::<T>();
    logits.iter_mut().for_each(|logit| *logit /= sum);
}

fn add_scaled<T: Real>(sum: &mut [T], scale: T, vector: &[T]) {
    for (sum, &value) in sum.iter_mut().zip(vector) {
        *sum += scale * value;
    }
}

/// The inner product, in an order of additions that the processor can do side by side.
fn dot<T: Real>(left: &[T], right: &[T]) -> T {
    let (left, right) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    let mut lanes = [T::zero(); LANES];
    for (left, right) in left.0.iter().zip(right.0) {
        for ((lane, &left), &right) in lanes.iter_mut().zip(left).zip(right) {
            *lane += left * right;
        }
    }
    let rest: T = left.1.iter().zip(right.1).map(|(&left, &right)| left * right).sum();
    lanes.into_iter().sum::<T>() + rest
}
