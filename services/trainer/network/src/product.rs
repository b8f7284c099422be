//! The matrix product, spread over threads so that the result does not depend on their number.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, linalg::general_mat_mul, s};
use rayon::prelude::*;

use crate::real::Real;

/// Rows of the result that one task computes. Fixed: a result cut by the number of threads could
/// differ with it in its last bits.
const ROWS: usize = 128;

/// `left · right`, `[m, k] × [k, n] → [m, n]`.
pub(crate) fn product<T: Real>(left: ArrayView2<'_, T>, right: ArrayView2<'_, T>) -> Array2<T> {
    let columns = right.ncols();
    let mut result = Array2::zeros((left.nrows(), columns));
    if columns == 0 {
        return result;
    }
    let cells = result.as_slice_mut().expect("a fresh array is contiguous");
    cells.par_chunks_mut(ROWS * columns).enumerate().for_each(|(chunk, cells)| {
        let rows = cells.len() / columns;
        let left = left.slice(s![chunk * ROWS..chunk * ROWS + rows, ..]);
        let mut part = ArrayViewMut2::from_shape((rows, columns), cells)
            .expect("a chunk is whole rows of the result");
        general_mat_mul(T::one(), &left, &right, T::zero(), &mut part);
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, columns: usize) -> Array2<f64> {
        Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 13) % 11) as f64 - 5.0)
    }

    fn check(m: usize, k: usize, n: usize) {
        let (left, right) = (matrix(m, k), matrix(k, n));
        let expected = Array2::from_shape_fn((m, n), |(i, j)| {
            (0..k).map(|x| left[[i, x]] * right[[x, j]]).sum::<f64>()
        });
        assert_eq!(product(left.view(), right.view()), expected, "{m} x {k} x {n}");
        let turned = left.t().to_owned();
        assert_eq!(product(turned.t(), right.view()), expected, "transposed {m} x {k} x {n}");
    }

    #[test]
    fn equals_the_definition() {
        for (m, k, n) in [(1, 1, 1), (128, 3, 2), (129, 5, 7), (300, 17, 1), (3, 0, 2), (2, 2, 0)] {
            check(m, k, n);
        }
    }
}
