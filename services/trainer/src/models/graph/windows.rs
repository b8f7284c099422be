//! The graph itself: session windows on one side, items on the other.

use ndarray::{Array2, ArrayView2, ArrayViewMut1, Axis};
use rayon::prelude::*;
use tributary_domain::{Event, ItemId};

use crate::{
    interactions::position,
    sessions::{SessionConfig, windows},
};

/// Rows of (column, value), end to end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sparse {
    columns: usize,
    ends: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl Sparse {
    pub(super) fn from_rows(rows: Vec<Vec<(u32, f32)>>, columns: usize) -> Self {
        let mut end = 0;
        let ends = rows.iter().map(|row| {
            end += row.len();
            end
        });
        Self { columns, ends: ends.collect(), entries: rows.concat() }
    }

    pub(super) fn rows(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn row(&self, row: usize) -> &[(u32, f32)] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[start..self.ends[row]]
    }

    pub(super) fn transposed(&self) -> Self {
        let mut rows = vec![Vec::new(); self.columns];
        for (row, number) in (0..self.rows()).zip(0..) {
            self.row(row).iter().for_each(|(column, value)| {
                rows[position(*column)].push((number, *value));
            });
        }
        Self::from_rows(rows, self.rows())
    }

    /// AᵀA times a dense matrix [columns, n], with A these rows and `transposed` their transpose.
    /// A's own product is [rows, n], so it is made for few columns at a time.
    pub(super) fn twice(&self, transposed: &Self, dense: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut product = Array2::zeros(dense.dim());
        let chunks = dense.axis_chunks_iter(Axis(1), COLUMNS);
        for (chunk, mut target) in chunks.zip(product.axis_chunks_iter_mut(Axis(1), COLUMNS)) {
            target.assign(&transposed.times(self.times(chunk).view()));
        }
        product
    }

    /// The product with a dense matrix [columns, n]: [rows, n].
    pub(super) fn times(&self, dense: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut product = Array2::zeros((self.rows(), dense.ncols()));
        let fill = |(row, mut sums): (usize, ArrayViewMut1<'_, f64>)| {
            for (column, value) in self.row(row) {
                sums.scaled_add(f64::from(*value), &dense.row(position(*column)));
            }
        };
        let rows: Vec<_> = product.axis_iter_mut(Axis(0)).enumerate().collect();
        rows.into_par_iter().for_each(fill);
        product
    }
}

/// Columns of a dense matrix that are multiplied at once.
const COLUMNS: usize = 32;

/// Which windows hold which items. A window of one item connects nothing and is left out.
pub(super) struct Windows {
    /// Ascending; the columns. The items that share a window with another.
    pub(super) items: Vec<ItemId>,
    /// Windows × items, 1 where the window holds the item; items in order of meeting.
    pub(super) matrix: Sparse,
}

impl Windows {
    pub(super) fn of(events: &[Event], config: &SessionConfig) -> Self {
        let mut windows = windows(events, config);
        windows.retain(|window| window.len() > 1);
        let mut items = windows.concat();
        items.sort_unstable();
        items.dedup();
        let column = |item: &ItemId| {
            let column = items.binary_search(item).expect("the items of all windows are there");
            (u32::try_from(column).expect("fewer than 2^32 items"), 1.0)
        };
        let rows = windows.iter().map(|window| window.iter().map(column).collect()).collect();
        let matrix = Sparse::from_rows(rows, items.len());
        Self { items, matrix }
    }
}
