//! Where the rows of a training come from.

use crate::inputs::Inputs;

/// Rows of input by number, made when they are asked for: a training of any length holds no more
/// of them than a batch.
pub trait Source: Sync {
    /// How many there are.
    fn rows(&self) -> usize;

    /// The given rows, in the order given; a row may be asked for more than once and is the same
    /// each time.
    ///
    /// # Panics
    /// May panic where a row does not exist.
    fn select(&self, rows: &[usize]) -> Inputs;
}

impl Source for Inputs {
    fn rows(&self) -> usize {
        self.rows
    }

    fn select(&self, rows: &[usize]) -> Inputs {
        Self::select(self, rows)
    }
}
