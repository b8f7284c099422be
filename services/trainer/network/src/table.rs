//! Embedding tables: sparse gradients, and Adam moments that move only for touched rows.
//!
//! A dense gradient would make each step cost as much as the table is long.

use rand::Rng;
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

use crate::{inputs::TableShape, optimiser::Update, real::Real};

/// Standard deviation of fresh embeddings.
const DEVIATION: f64 = 0.05;
const UNTOUCHED: u32 = u32::MAX;
/// Tasks that gather gradients side by side; row `r` is of shard `r % SHARDS`. Fixed, and each row
/// has its sums from one task, so that they do not hang on the number of threads.
const SHARDS: usize = 4;
/// Rows that one task steps at most.
const BLOCK: usize = 512;

/// A table `[rows, dimension]`. Row 0 is padding: it is zero and stays so.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    pub(crate) dimension: usize,
    pub(crate) values: Vec<T>,
    first: Vec<T>,
    second: Vec<T>,
    shards: Vec<Shard<T>>,
}

/// The gradient of those rows of a shard that a batch touched, in the order they were first
/// touched in.
#[derive(Debug, Clone)]
pub(crate) struct Shard<T> {
    number: usize,
    dimension: usize,
    touched: Vec<usize>,
    /// Position in `touched` of each row of the shard.
    slots: Vec<u32>,
    gradient: Vec<T>,
}

impl<T: Real> Table<T> {
    pub(crate) fn new(shape: &TableShape, random: &mut impl Rng) -> Self {
        let cells = shape.rows * shape.dimension;
        let normal = Normal::new(0.0, DEVIATION).expect("the deviation is positive");
        let mut values: Vec<T> = (0..cells).map(|_| T::from_f64(normal.sample(random))).collect();
        values[..shape.dimension].fill(T::zero());
        Self {
            dimension: shape.dimension,
            values,
            first: vec![T::zero(); cells],
            second: vec![T::zero(); cells],
            shards: (0..SHARDS).map(|number| Shard::new(number, shape)).collect(),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.values.len() / self.dimension
    }

    pub(crate) fn row(&self, row: usize) -> &[T] {
        &self.values[row * self.dimension..(row + 1) * self.dimension]
    }

    /// Lets every shard take its gradients out of all that `add` goes through.
    pub(crate) fn scatter(&mut self, add: impl Fn(&mut Shard<T>) + Send + Sync) {
        self.shards.par_iter_mut().for_each(add);
    }

    /// Applies the gradient to the touched rows and clears it.
    pub(crate) fn step(&mut self, update: &Update<T>) {
        let (width, shards) = (self.dimension, &self.shards);
        let mut is_touched = vec![false; self.values.len().div_ceil(BLOCK * width)];
        for row in shards.iter().flat_map(|shard| &shard.touched) {
            is_touched[row / BLOCK] = true;
        }
        self.values
            .par_chunks_mut(BLOCK * width)
            .zip(self.first.par_chunks_mut(BLOCK * width))
            .zip(self.second.par_chunks_mut(BLOCK * width))
            .enumerate()
            .filter(|(block, _)| is_touched[*block])
            .for_each(|(block, ((values, first), second))| {
                let rows = values.chunks_exact_mut(width).zip(first.chunks_exact_mut(width));
                let rows = rows.zip(second.chunks_exact_mut(width));
                for (row, ((values, first), second)) in (block * BLOCK..).zip(rows) {
                    let Some(gradient) = shards[row % SHARDS].of(row) else { continue };
                    let moments = first.iter_mut().zip(second);
                    for ((value, (first, second)), &gradient) in
                        values.iter_mut().zip(moments).zip(gradient)
                    {
                        update.apply(value, first, second, gradient);
                    }
                }
            });
        self.shards.iter_mut().for_each(Shard::clear);
    }

    /// The values and their two moments, in row-major order.
    pub(crate) fn state(&mut self) -> [&mut [T]; 3] {
        [&mut self.values, &mut self.first, &mut self.second]
    }

    /// The gradient of a row, where it was touched.
    #[cfg(test)]
    pub(crate) fn gradient(&self, row: usize) -> Option<&[T]> {
        self.shards[row % SHARDS].of(row)
    }
}

impl<T: Real> Shard<T> {
    fn new(number: usize, shape: &TableShape) -> Self {
        let slots = vec![UNTOUCHED; shape.rows.div_ceil(SHARDS)];
        let dimension = shape.dimension;
        Self { number, dimension, touched: Vec::new(), slots, gradient: Vec::new() }
    }

    /// Whether the row takes gradients, and takes them here; padding takes none.
    pub(crate) fn has(&self, row: usize) -> bool {
        row != 0 && row % SHARDS == self.number
    }

    /// Adds `scale · gradient` to a row's gradient, where it is of this shard.
    pub(crate) fn accumulate(&mut self, row: usize, scale: T, gradient: &[T]) {
        if !self.has(row) {
            return;
        }
        for (sum, &part) in self.slot(row).iter_mut().zip(gradient) {
            *sum += scale * part;
        }
    }

    fn slot(&mut self, row: usize) -> &mut [T] {
        let slot = &mut self.slots[row / SHARDS];
        if *slot == UNTOUCHED {
            *slot =
                u32::try_from(self.touched.len()).expect("a batch touches fewer than 2^32 rows");
            self.touched.push(row);
            self.gradient.resize(self.gradient.len() + self.dimension, T::zero());
        }
        let from = to_position(*slot) * self.dimension;
        &mut self.gradient[from..from + self.dimension]
    }

    /// The gradient of a row of this shard, where it was touched.
    fn of(&self, row: usize) -> Option<&[T]> {
        let slot = self.slots[row / SHARDS];
        let gradient = || &self.gradient[to_position(slot) * self.dimension..][..self.dimension];
        (slot != UNTOUCHED).then(gradient)
    }

    fn clear(&mut self) {
        for row in self.touched.drain(..) {
            self.slots[row / SHARDS] = UNTOUCHED;
        }
        self.gradient.clear();
    }
}

fn to_position(slot: u32) -> usize {
    usize::try_from(slot).expect("a slot is a position in a vector")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::optimiser::Adam;

    fn table() -> Table<f64> {
        let shape = TableShape { name: "item".into(), rows: 5, dimension: 2 };
        Table::new(&shape, &mut ChaCha8Rng::seed_from_u64(1))
    }

    fn accumulate(table: &mut Table<f64>, row: usize, scale: f64, gradient: &[f64]) {
        table.scatter(|shard| shard.accumulate(row, scale, gradient));
    }

    #[test]
    fn sums_the_gradients_of_a_row() {
        let mut table = table();
        accumulate(&mut table, 3, 0.5, &[1.0, 2.0]);
        accumulate(&mut table, 1, 1.0, &[7.0, 8.0]);
        accumulate(&mut table, 3, 2.0, &[1.0, -1.0]);
        assert_eq!(table.gradient(3), Some(&[2.5, -1.0][..]));
        assert_eq!(table.gradient(1), Some(&[7.0, 8.0][..]));
        assert_eq!(table.gradient(2), None);
    }

    #[test]
    fn padding_is_zero_and_takes_no_gradient() {
        let mut table = table();
        accumulate(&mut table, 0, 1.0, &[1.0, 1.0]);
        assert_eq!(table.gradient(0), None);
        let mut adam = Adam::new(0.1);
        adam.advance();
        table.step(&adam.update(1.0));
        assert_eq!(table.row(0), [0.0, 0.0]);
    }

    #[test]
    fn a_step_moves_touched_rows_only() {
        let mut table = table();
        let before = table.values.clone();
        let mut adam = Adam::new(0.1);
        for row in [4, 2] {
            accumulate(&mut table, row, 1.0, &[1.0, -3.0]);
            adam.advance();
            table.step(&adam.update(0.0));
        }
        let moved: Vec<bool> =
            (0..5).map(|row| table.row(row) != &before[row * 2..row * 2 + 2]).collect();
        assert_eq!(moved, [false, false, true, false, true]);
        // The first step of Adam is the learning rate against the gradient's sign.
        assert!((table.row(4)[0] - (before[8] - 0.1)).abs() < 1e-6);
        assert!((table.row(4)[1] - (before[9] + 0.1)).abs() < 1e-6);
    }
}
