//! Embedding tables: sparse gradients, and Adam moments that move only for touched rows.
//!
//! A dense gradient would make each step cost as much as the table is long.

use rand::Rng;
use rand_distr::{Distribution, Normal};

use crate::{inputs::TableShape, optimiser::Update, real::Real};

/// Standard deviation of fresh embeddings.
const DEVIATION: f64 = 0.05;
const UNTOUCHED: u32 = u32::MAX;

/// A table `[rows, dimension]`. Row 0 is padding: it is zero and stays so.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    pub(crate) dimension: usize,
    pub(crate) values: Vec<T>,
    first: Vec<T>,
    second: Vec<T>,
    gradient: SparseGradient<T>,
}

/// The gradient of the rows that a batch touched, in the order they were first touched in.
#[derive(Debug, Clone)]
struct SparseGradient<T> {
    touched: Vec<usize>,
    /// Position in `touched` of each table row.
    slots: Vec<u32>,
    values: Vec<T>,
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
            gradient: SparseGradient {
                touched: Vec::new(),
                slots: vec![UNTOUCHED; shape.rows],
                values: Vec::new(),
            },
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.gradient.slots.len()
    }

    pub(crate) fn row(&self, row: usize) -> &[T] {
        &self.values[row * self.dimension..(row + 1) * self.dimension]
    }

    /// Adds `scale · gradient` to a row's gradient; padding takes none.
    pub(crate) fn accumulate(&mut self, row: usize, scale: T, gradient: &[T]) {
        if row == 0 {
            return;
        }
        let sums = self.gradient.slot(row, self.dimension);
        for (sum, &part) in sums.iter_mut().zip(gradient) {
            *sum += scale * part;
        }
    }

    /// Applies the gradient to the touched rows and clears it.
    pub(crate) fn step(&mut self, update: &Update<T>) {
        let width = self.dimension;
        let gradients = self.gradient.values.chunks_exact(width);
        for (&row, gradient) in self.gradient.touched.iter().zip(gradients) {
            let cells = row * width..(row + 1) * width;
            let values = self.values[cells.clone()].iter_mut();
            let first = self.first[cells.clone()].iter_mut();
            let second = self.second[cells].iter_mut();
            for (((value, first), second), &gradient) in values.zip(first).zip(second).zip(gradient)
            {
                update.apply(value, first, second, gradient);
            }
        }
        self.gradient.clear();
    }

    /// The values and their two moments, in row-major order.
    pub(crate) fn state(&mut self) -> [&mut [T]; 3] {
        [&mut self.values, &mut self.first, &mut self.second]
    }

    /// The gradient of a row, where it was touched.
    #[cfg(test)]
    pub(crate) fn gradient(&self, row: usize) -> Option<&[T]> {
        let slot = usize::try_from(self.gradient.slots[row]).unwrap();
        let from = slot.checked_mul(self.dimension)?;
        self.gradient.values.get(from..from + self.dimension)
    }
}

impl<T: Real> SparseGradient<T> {
    fn slot(&mut self, row: usize, width: usize) -> &mut [T] {
        if self.slots[row] == UNTOUCHED {
            self.slots[row] =
                u32::try_from(self.touched.len()).expect("a batch touches fewer than 2^32 rows");
            self.touched.push(row);
            self.values.resize(self.values.len() + width, T::zero());
        }
        let slot = usize::try_from(self.slots[row]).expect("a slot is a position in a vector");
        &mut self.values[slot * width..(slot + 1) * width]
    }

    fn clear(&mut self) {
        for row in self.touched.drain(..) {
            self.slots[row] = UNTOUCHED;
        }
        self.values.clear();
    }
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

    #[test]
    fn sums_the_gradients_of_a_row() {
        let mut table = table();
        table.accumulate(3, 0.5, &[1.0, 2.0]);
        table.accumulate(1, 1.0, &[7.0, 8.0]);
        table.accumulate(3, 2.0, &[1.0, -1.0]);
        assert_eq!(table.gradient(3), Some(&[2.5, -1.0][..]));
        assert_eq!(table.gradient(1), Some(&[7.0, 8.0][..]));
        assert_eq!(table.gradient(2), None);
    }

    #[test]
    fn padding_is_zero_and_takes_no_gradient() {
        let mut table = table();
        table.accumulate(0, 1.0, &[1.0, 1.0]);
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
            table.accumulate(row, 1.0, &[1.0, -3.0]);
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
