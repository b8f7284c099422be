//! The gain of a determinantal point process.
//!
//! The incremental Cholesky factor is kept as an orthonormal basis of what was picked: the factor's
//! entry for candidate i and pick k is the product of the candidate's vector with the k-th basis
//! vector. A step then costs one product of all vectors with one basis vector, whatever the number
//! of picks, and a window slides by rotating the basis until one vector holds all that leaves.
//!
//! The share of the identity gives every item a dimension of its own. It need not be stored: it
//! is orthogonal to all other items, so that only the factor's diagonal sees it.

use std::collections::VecDeque;

use super::{
    greedy::Gain,
    rows::{LazyState, UnitRows, dot},
};

/// Below this a remainder is rounding noise in single precision.
const NOISE: f32 = 1e-6;

/// The squared product with a direction goes off every rest (sign -1) or back on (sign 1).
struct Step {
    direction: Vec<f32>,
    sign: f32,
}

pub(super) struct Dpp {
    rows: UnitRows,
    /// (1 - theta) score.
    relevance: Vec<f32>,
    /// For each candidate, what the picked ones leave of its self-similarity of 1.
    rest: LazyState,
    steps: Vec<Step>,
    theta: f32,
    floor: f32,
    /// How many picks a candidate is compared with.
    reach: usize,
    /// One for each pick in reach, oldest first.
    basis: VecDeque<Vec<f32>>,
    /// The picks' rows of the factor; row k has an entry for each of the first k + 1 basis vectors.
    factor: VecDeque<VecDeque<f32>>,
}

impl Dpp {
    pub(super) fn new(
        mut rows: UnitRows,
        scores: &[f32],
        theta: f32,
        epsilon: f32,
        window: usize,
    ) -> Self {
        let theta = theta.clamp(0.0, 1.0);
        let epsilon = epsilon.clamp(0.0, 1.0);
        rows.scale((1.0 - epsilon).sqrt());
        Self {
            rows,
            relevance: scores.iter().map(|score| (1.0 - theta) * score).collect(),
            rest: LazyState::new(scores.len(), 1.0),
            steps: Vec::new(),
            theta,
            floor: epsilon.max(NOISE),
            reach: window.saturating_sub(1),
            basis: VecDeque::new(),
            factor: VecDeque::new(),
        }
    }

    /// Adds the pick's direction, orthogonal to the basis, which it returns, and its row of the
    /// factor.
    fn extend(&mut self, place: usize) -> Vec<f32> {
        let row = self.rows.row(place);
        let mut direction = row.clone();
        let mut entries = VecDeque::with_capacity(self.basis.len() + 1);
        let mut rest = 1.0;
        for axis in &self.basis {
            // With the row itself, not with what is left of it: the axes' own dimensions, which
            // are not stored, are orthogonal to the row only.
            let entry = dot(&row, axis);
            add_scaled(&mut direction, axis, -entry);
            rest -= entry * entry;
            entries.push_back(entry);
        }
        let diagonal = rest.max(self.floor).sqrt();
        direction.iter_mut().for_each(|value| *value /= diagonal);
        entries.push_back(diagonal);
        self.basis.push_back(direction.clone());
        self.factor.push_back(entries);
        direction
    }

    /// Takes the oldest pick out and returns the direction that leaves with it.
    ///
    /// Rotations of the oldest axis with each later one clear the first column of the later picks'
    /// rows, which leaves a valid factor without that column.
    fn slide(&mut self) -> Option<Vec<f32>> {
        self.factor.pop_front()?;
        let mut leaving = self.basis.pop_front()?;
        for (index, axis) in self.basis.iter_mut().enumerate() {
            let entries = &self.factor[index];
            let rotation = Rotation::clearing(entries[0], entries[index + 1]);
            for row in self.factor.range_mut(index..) {
                let (first, later) = rotation.turn(row[0], row[index + 1]);
                row[0] = first;
                row[index + 1] = later;
            }
            for (leaving, axis) in leaving.iter_mut().zip(axis) {
                (*leaving, *axis) = rotation.turn(*leaving, *axis);
            }
        }
        for row in &mut self.factor {
            row.pop_front();
        }
        Some(leaving)
    }

    fn rest(&mut self, place: usize) -> f32 {
        let Self { rows, rest, steps, floor, .. } = self;
        rest.at(place, steps, |block, step, rest| {
            for (rest, along) in rest.iter_mut().zip(rows.products(block, &step.direction)) {
                *rest = (*rest + step.sign * along * along).clamp(*floor, 1.0);
            }
        })
    }
}

impl Gain for Dpp {
    /// The rest is at most 1, its logarithm at most 0.
    fn ceiling(&self, place: usize) -> f32 {
        self.relevance[place]
    }

    fn gain(&mut self, place: usize, over: f32) -> Option<f32> {
        let rest = self.rest(place);
        // ln x ≤ x - 1 spares most logarithms.
        let bound = self.relevance[place] + self.theta * (rest - 1.0);
        (bound > over).then(|| self.relevance[place] + self.theta * rest.ln())
    }

    fn is_spent(&mut self, place: usize) -> bool {
        self.theta > 0.0 && self.rest(place) <= 2.0 * self.floor
    }

    fn picked(&mut self, place: usize) {
        if self.reach == 0 || self.theta == 0.0 {
            return;
        }
        let direction = self.extend(place);
        self.steps.push(Step { direction, sign: -1.0 });
        if self.basis.len() > self.reach
            && let Some(direction) = self.slide()
        {
            self.steps.push(Step { direction, sign: 1.0 });
        }
    }
}

/// A Givens rotation.
struct Rotation {
    cosine: f32,
    sine: f32,
}

impl Rotation {
    /// The one that turns (first, later) into (0, length).
    fn clearing(first: f32, later: f32) -> Self {
        let length = first.hypot(later);
        Self { cosine: later / length, sine: first / length }
    }

    fn turn(&self, first: f32, later: f32) -> (f32, f32) {
        let Self { cosine, sine } = self;
        (cosine * first - sine * later, cosine * later + sine * first)
    }
}

fn add_scaled(to: &mut [f32], axis: &[f32], factor: f32) {
    for (to, axis) in to.iter_mut().zip(axis) {
        *to += factor * axis;
    }
}
