//! The largest singular values of a sparse matrix with their right vectors, by randomised subspace
//! iteration (Halko, Martinsson and Tropp, Finding Structure with Randomness, 2011).
//!
//! Takes memory for (rows + columns) × (rank + oversampling) numbers; nothing of the size columns²
//! is ever made.

use faer::{Mat, Side};
use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::windows::Sparse;
use crate::models::ModelError;

/// How exactly to look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Singular values wanted.
    pub(super) rank: usize,
    /// Further directions that are looked at and dropped.
    pub(super) oversampling: usize,
    /// Multiplications with AᵀA; each sharpens the gap between wanted and unwanted directions.
    pub(super) iterations: usize,
    pub(super) seed: u64,
}

/// A ≈ U · diag(values) · rightᵀ.
pub(super) struct Decomposition {
    /// Descending; fewer than asked for only where the matrix is smaller.
    pub(super) values: Vec<f64>,
    /// [columns, values], orthonormal columns.
    pub(super) right: Array2<f64>,
}

/// Decomposes a matrix; calls `after` each iteration.
pub(super) fn decompose(
    matrix: &Sparse,
    effort: Effort,
    after: &dyn Fn(),
) -> Result<Decomposition, ModelError> {
    let width = (effort.rank + effort.oversampling).min(matrix.columns()).min(matrix.rows());
    let rank = effort.rank.min(width);
    if rank == 0 {
        return Ok(Decomposition {
            values: Vec::new(),
            right: Array2::zeros((matrix.columns(), 0)),
        });
    }
    let transposed = matrix.transposed();
    let mut random = ChaCha8Rng::seed_from_u64(effort.seed);
    let start = || StandardNormal.sample(&mut random);
    let alone = Alone::new()?;
    let begin = Array2::from_shape_simple_fn((matrix.columns(), width), start);
    let mut basis = alone.orthonormal(&begin);
    for _ in 0..effort.iterations {
        basis = alone.orthonormal(&matrix.twice(&transposed, basis.view()));
        after();
    }
    // AᵀA restricted to the basis is small: its eigenvectors turn the basis into A's right vectors.
    let small = basis.t().dot(&matrix.twice(&transposed, basis.view()));
    let small = to_faer(&small);
    let small = alone.0.install(|| small.self_adjoint_eigen(Side::Lower)).map_err(|error| {
        let reason = format!("its decomposition did not converge: {error:?}");
        ModelError::Shape { model: "graph", reason }
    })?;
    // The eigenvalues ascend.
    let last = width - 1;
    let turn =
        Array2::from_shape_fn((width, rank), |(row, column)| small.U()[(row, last - column)]);
    let squares = small.S().column_vector();
    let values = (0..rank).map(|column| squares[last - column].max(0.0).sqrt()).collect();
    Ok(Decomposition { values, right: basis.dot(&turn) })
}

/// One thread for what `faer` does: it cuts its work by the number of threads, and the last bits
/// of what comes out hang on the cut.
struct Alone(ThreadPool);

impl Alone {
    fn new() -> Result<Self, ModelError> {
        let pool = ThreadPoolBuilder::new().num_threads(1).build();
        pool.map(Self).map_err(|error| {
            let reason = format!("cannot start a thread: {error}");
            ModelError::Shape { model: "graph", reason }
        })
    }

    /// An orthonormal basis of the columns.
    fn orthonormal(&self, matrix: &Array2<f64>) -> Array2<f64> {
        let matrix = to_faer(matrix);
        let basis = self.0.install(|| matrix.qr().compute_thin_Q());
        Array2::from_shape_fn(basis.shape(), |(row, column)| basis[(row, column)])
    }
}

fn to_faer(matrix: &Array2<f64>) -> Mat<f64> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |row, column| matrix[[row, column]])
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    fn random_sparse(seed: u64, rows: usize, columns: usize) -> (Sparse, Mat<f64>) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut dense = Mat::zeros(rows, columns);
        let mut sparse = vec![Vec::new(); rows];
        for (row, list) in sparse.iter_mut().enumerate() {
            for column in 0_u32..u32::try_from(columns).unwrap() {
                if random.random_bool(0.2) {
                    let value: f32 = random.random_range(-1.0..1.0);
                    dense[(row, usize::try_from(column).unwrap())] = f64::from(value);
                    list.push((column, value));
                }
            }
        }
        (Sparse::from_rows(sparse, columns), dense)
    }

    #[test]
    fn finds_the_largest_of_the_dense_decomposition() {
        for (rows, columns, rank) in [(60, 40, 6), (30, 50, 8), (12, 9, 20)] {
            let (sparse, dense) = random_sparse(3, rows, columns);
            let effort = Effort { rank, oversampling: 8, iterations: 60, seed: 1 };
            let found = decompose(&sparse, effort, &|| ()).unwrap();
            let expected = dense.thin_svd().unwrap();
            let rank = rank.min(rows).min(columns);
            assert_eq!((found.values.len(), found.right.dim()), (rank, (columns, rank)));
            for (index, value) in found.values.iter().enumerate() {
                let exact = expected.S().column_vector()[index];
                assert!((value - exact).abs() < 1e-6 * exact, "{value} is not {exact}");
                let cosine: f64 = (0..columns)
                    .map(|row| found.right[[row, index]] * expected.V()[(row, index)])
                    .sum();
                assert!((cosine.abs() - 1.0).abs() < 1e-5, "vector {index}: {cosine}");
            }
        }
    }

    #[test]
    fn transposing_and_products_are_those_of_the_dense_matrix() {
        let (sparse, dense) = random_sparse(9, 7, 5);
        let other = Array2::from_shape_fn((5, 3), |(row, column)| {
            f64::from(u8::try_from(row * 3 + column).unwrap())
        });
        let product = sparse.times(other.view());
        for ((row, column), value) in product.indexed_iter() {
            let exact: f64 = (0..5).map(|inner| dense[(row, inner)] * other[[inner, column]]).sum();
            assert!((value - exact).abs() < 1e-9);
        }
        assert_eq!(sparse.transposed().transposed(), sparse);
    }
}
