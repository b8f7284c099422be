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
    top(scores(index, query, rows).collect(), size)
}

/// The best `size` of all rows that are allowed. That is asked about the best ones only: to look
/// an item up costs more than to score it.
pub(super) fn best_that_pass(
    index: &Base,
    query: &[f32],
    size: usize,
    allowed: &dyn Fn(usize) -> bool,
) -> Vec<Scored> {
    let mut scored: Vec<Scored> = scores(index, query, 0..index.ids.len()).collect();
    let (mut rest, mut next) = (&mut scored[..], size.saturating_mul(2));
    let mut found = Vec::new();
    while found.len() < size && !rest.is_empty() {
        let count = next.min(rest.len());
        if count < rest.len() {
            rest.select_nth_unstable_by(count, Scored::best_first);
        }
        let (best, others) = rest.split_at_mut(count);
        best.sort_unstable_by(Scored::best_first);
        let passed = best.iter().filter(|scored| allowed(index.rows[&scored.item])).copied();
        found.extend(passed.take(size - found.len()));
        (rest, next) = (others, next.saturating_mul(2));
    }
    found
}

fn scores<'a>(
    index: &'a Base,
    query: &'a [f32],
    rows: impl IntoIterator<Item = usize, IntoIter: 'a>,
) -> impl Iterator<Item = Scored> + 'a {
    let values = index.vectors.as_slice().expect("build keeps the vectors row-major");
    let width = query.len();
    rows.into_iter().map(move |row| Scored {
        item: index.ids[row],
        score: dot(query, &values[row * width..][..width]),
    })
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
