//! Vectors laid out for fast products of many with one.

use ndarray::{ArrayView1, ArrayView2};

/// Candidates a loop works on at once; the compiler turns them into vector registers.
pub(super) const LANES: usize = 16;

/// One number for each candidate of a block.
pub(super) type Lanes = [f32; LANES];

/// Unit vectors in blocks of [`LANES`] candidates, dimension by dimension within a block, so that
/// no sum runs across a register. The last block is filled up with zero vectors.
pub(super) struct UnitRows {
    values: Vec<Lanes>,
    dimensions: usize,
}

impl UnitRows {
    /// Copies the rows at `indices`, normalised. A row that has no direction (zeros, or a number
    /// that is not finite) becomes zeros.
    pub(super) fn gather(vectors: ArrayView2<'_, f32>, indices: &[usize]) -> Self {
        assert_eq!(vectors.nrows(), indices.len(), "one vector a candidate");
        let dimensions = vectors.ncols();
        let mut values = vec![[0.0; LANES]; indices.len().div_ceil(LANES) * dimensions];
        for (place, index) in indices.iter().enumerate() {
            let block = &mut values[place / LANES * dimensions..][..dimensions];
            copy_unit(vectors.row(*index), block, place % LANES);
        }
        Self { values, dimensions }
    }

    pub(super) fn row(&self, place: usize) -> Vec<f32> {
        self.block(place / LANES).iter().map(|lanes| lanes[place % LANES]).collect()
    }

    /// The products of a block's vectors with `direction`.
    pub(super) fn products(&self, block: usize, direction: &[f32]) -> Lanes {
        let mut sums = [0.0; LANES];
        for (lanes, factor) in self.block(block).iter().zip(direction) {
            for lane in 0..LANES {
                sums[lane] += lanes[lane] * factor;
            }
        }
        sums
    }

    pub(super) fn scale(&mut self, factor: f32) {
        for value in self.values.as_flattened_mut() {
            *value *= factor;
        }
    }

    fn block(&self, block: usize) -> &[Lanes] {
        &self.values[block * self.dimensions..][..self.dimensions]
    }
}

fn copy_unit(from: ArrayView1<'_, f32>, block: &mut [Lanes], lane: usize) {
    let norm = from.dot(&from).sqrt();
    let scale = norm.recip();
    if norm.is_finite() && scale.is_finite() {
        for (lanes, value) in block.iter_mut().zip(from) {
            lanes[lane] = value * scale;
        }
    }
}

pub(super) fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// One state for each candidate, brought up to date block by block, only where it is looked at:
/// the greedy selection mostly looks at the candidates with the best scores.
pub(super) struct LazyState {
    lanes: Vec<Lanes>,
    /// For each block, how many of the steps it has seen.
    seen: Vec<usize>,
}

impl LazyState {
    pub(super) fn new(candidates: usize, value: f32) -> Self {
        let blocks = candidates.div_ceil(LANES);
        Self { lanes: vec![[value; LANES]; blocks], seen: vec![0; blocks] }
    }

    /// The candidate's state after all `steps`; `apply` takes a block one step on.
    pub(super) fn at<S>(
        &mut self,
        place: usize,
        steps: &[S],
        mut apply: impl FnMut(usize, &S, &mut Lanes),
    ) -> f32 {
        let block = place / LANES;
        for step in &steps[self.seen[block]..] {
            apply(block, step, &mut self.lanes[block]);
        }
        self.seen[block] = steps.len();
        self.lanes[block][place % LANES]
    }
}
