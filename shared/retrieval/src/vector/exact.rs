//! Inner products of a query with many rows.

use tributary_domain::Scored;

use super::Base;
use crate::top::top;

/// Numbers a loop works on at once; the compiler turns them into vector registers.
const LANES: usize = 16;

/// The best `size` of the given rows.
pub(super) fn best_of(
    index: &Base,
    query: &[f32],
    rows: impl IntoIterator<Item = usize>,
    size: usize,
) -> Vec<Scored> {
    let values = index.vectors.as_slice().expect("build keeps the vectors row-major");
    let width = query.len();
    let scored = rows.into_iter().map(|row| Scored {
        item: index.ids[row],
        score: dot(query, &values[row * width..][..width]),
    });
    top(scored.collect(), size)
}

pub(super) fn dot(left: &[f32], right: &[f32]) -> f32 {
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f32>() + rest
}
