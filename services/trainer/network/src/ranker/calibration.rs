//! Platt scaling (Platt, 1999, "Probabilistic outputs for support vector machines"): a line
//! through the logits, so that probabilities are as large as what they predict is frequent.

use ndarray::Array2;

use crate::{graph::Graph, layer::sigmoid::sigmoid, real::Real};

/// The least slope of standardised logits. A slope of zero or less would undo the ranking, however
/// little the held-out rows agree with it.
const LEAST_SLOPE: f64 = 1e-3;
/// Logits closer together are taken for one, to which any slope fits.
const LEAST_DEVIATION: f64 = 1e-9;
const STEPS: usize = 100;
/// Steps of standardised parameters below this end the fit.
const SMALLEST_STEP: f64 = 1e-10;

/// `slope · logit + offset`, with a positive slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    pub slope: f32,
    pub offset: f32,
}

impl Calibration {
    /// Leaves logits as they are.
    pub(super) const NONE: Self = Self { slope: 1.0, offset: 0.0 };

    /// The line of the least log loss. Rows of one class say nothing of a slope and give
    /// [`Calibration::NONE`].
    pub(super) fn fit(rows: &[Outcome]) -> Self {
        let total = |part: &dyn Fn(&Outcome) -> f64| -> f64 { rows.iter().map(part).sum() };
        let positive = total(&|row| row.weight * row.label);
        let negative = total(&|row| row.weight * (1.0 - row.label));
        if positive <= 0.0 || negative <= 0.0 {
            return Self::NONE;
        }
        let mean = total(&|row| row.weight * row.logit) / (positive + negative);
        let variance = total(&|row| row.weight * (row.logit - mean).powi(2));
        let deviation = (variance / (positive + negative)).sqrt();
        let deviation = if deviation > LEAST_DEVIATION { deviation } else { 1.0 };
        // Platt's targets: rows that can be parted without an error must not give an infinite
        // slope. They sum to the same.
        let (upper, lower) = ((positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0));
        let standard = |row: &Outcome| Outcome {
            logit: (row.logit - mean) / deviation,
            label: row.label * upper + (1.0 - row.label) * lower,
            weight: row.weight,
        };
        let rows: Vec<Outcome> = rows.iter().map(standard).collect();
        let (slope, offset) = Line::fit(&rows);
        let slope = slope / deviation;
        Self { slope: slope.to_single(), offset: (offset - slope * mean).to_single() }
    }

    /// The line of the same slope whose predictions sum to the labels. Rows of one class leave it
    /// as it is.
    pub(super) fn at_level_of(self, rows: &[Outcome]) -> Self {
        let positive = rows.iter().any(|row| row.weight * row.label > 0.0);
        let negative = rows.iter().any(|row| row.weight * (1.0 - row.label) > 0.0);
        if !positive || !negative {
            return self;
        }
        let mut line = Line { slope: self.slope.into(), offset: self.offset.into() };
        line.descend(rows, false);
        Self { offset: line.offset.to_single(), ..self }
    }

    /// Probabilities from logits `[rows, tasks]`.
    pub(super) fn probabilities(all: &[Self], mut logits: Array2<f32>) -> Array2<f32> {
        for (one, mut column) in all.iter().zip(logits.columns_mut()) {
            column.mapv_inplace(|logit| sigmoid(logit * one.slope + one.offset));
        }
        logits
    }

    /// The calibrated logits' node.
    pub(super) fn export(all: &[Self], graph: &mut Graph, logits: &str) -> String {
        if all.iter().all(|one| *one == Self::NONE) {
            return logits.to_owned();
        }
        let slopes = graph.floats(&[all.len()], all.iter().map(|one| one.slope));
        let offsets = graph.floats(&[all.len()], all.iter().map(|one| one.offset));
        let scaled = graph.node("Mul", &[logits, &slopes]);
        graph.node("Add", &[&scaled, &offsets])
    }
}

/// One row of one task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) logit: f64,
    pub(super) label: f64,
    pub(super) weight: f64,
}

/// Newton's method in two parameters; the loss is convex.
struct Line {
    slope: f64,
    offset: f64,
}

impl Line {
    fn fit(rows: &[Outcome]) -> (f64, f64) {
        let mut line = Self { slope: 1.0, offset: 0.0 };
        line.descend(rows, true);
        if line.slope < LEAST_SLOPE {
            line.slope = LEAST_SLOPE;
            line.descend(rows, false);
        }
        (line.slope, line.offset)
    }

    fn descend(&mut self, rows: &[Outcome], with_slope: bool) {
        for _ in 0..STEPS {
            let (slope, offset) = self.newton(rows, with_slope);
            let before = self.loss(rows);
            let scale = std::iter::successors(Some(1.0), |scale| Some(scale * 0.5))
                .take(40)
                .find(|scale| self.moved(scale * slope, scale * offset).loss(rows) <= before);
            let Some(scale) = scale else { return };
            *self = self.moved(scale * slope, scale * offset);
            if slope.abs().max(offset.abs()) < SMALLEST_STEP {
                return;
            }
        }
    }

    fn moved(&self, slope: f64, offset: f64) -> Self {
        Self { slope: self.slope + slope, offset: self.offset + offset }
    }

    fn loss(&self, rows: &[Outcome]) -> f64 {
        let losses = rows.iter().map(|row| {
            let logit = self.slope * row.logit + self.offset;
            row.weight * (logit.max(0.0) - logit * row.label + (-logit.abs()).exp().ln_1p())
        });
        losses.sum()
    }

    /// The step to the minimum of the loss's second-order approximation.
    fn newton(&self, rows: &[Outcome], with_slope: bool) -> (f64, f64) {
        let (mut first, mut second) = ([0.0; 2], [0.0; 3]);
        for row in rows {
            let probability = sigmoid(self.slope * row.logit + self.offset);
            let slope = row.weight * (probability - row.label);
            let curvature = row.weight * probability * (1.0 - probability);
            first[0] += slope * row.logit;
            first[1] += slope;
            second[0] += curvature * row.logit * row.logit;
            second[1] += curvature * row.logit;
            second[2] += curvature;
        }
        let curvature = second[2].max(f64::MIN_POSITIVE);
        let determinant = second[0] * curvature - second[1] * second[1];
        if !with_slope || determinant <= f64::EPSILON * second[0] * curvature {
            return (0.0, -first[1] / curvature);
        }
        let slope = (second[1] * first[1] - curvature * first[0]) / determinant;
        (slope, (second[1] * first[0] - second[0] * first[1]) / determinant)
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Outcomes drawn with the probability of a line through their logits.
    fn drawn(count: usize, slope: f64, offset: f64) -> Vec<Outcome> {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mut one = || {
            let logit = random.random_range(-3.0..1.0);
            let happens = random.random_bool(sigmoid(slope * logit + offset));
            Outcome { logit, label: f64::from(u8::from(happens)), weight: 1.0 }
        };
        (0..count).map(|_| one()).collect()
    }

    #[test]
    fn finds_the_line() {
        for (slope, offset) in [(1.0, 0.0), (0.5, -2.0), (2.0, 1.5)] {
            let found = Calibration::fit(&drawn(200_000, slope, offset));
            assert!((f64::from(found.slope) - slope).abs() < 0.03, "{found:?}");
            assert!((f64::from(found.offset) - offset).abs() < 0.05, "{found:?}");
        }
    }

    #[test]
    fn a_weight_stands_for_as_many_rows() {
        let mut rows = drawn(2000, 0.7, -1.0);
        let twice: Vec<Outcome> =
            rows.iter().flat_map(|row| [*row; 3]).chain(rows.iter().copied()).collect();
        rows.iter_mut().for_each(|row| row.weight = 4.0);
        let (one, other) = (Calibration::fit(&rows), Calibration::fit(&twice));
        assert!((one.slope - other.slope).abs() < 1e-6, "{one:?} {other:?}");
        assert!((one.offset - other.offset).abs() < 1e-6, "{one:?} {other:?}");
    }

    #[test]
    fn the_predictions_sum_to_the_outcomes() {
        let rows = drawn(3000, 1.3, -2.0);
        let found = Calibration::fit(&rows);
        let line = |logit: f64| f64::from(found.slope) * logit + f64::from(found.offset);
        let predicted: f64 = rows.iter().map(|row| sigmoid(line(row.logit))).sum();
        let observed: f64 = rows.iter().map(|row| row.label).sum();
        assert!((predicted / observed - 1.0).abs() < 1e-4, "{}", predicted / observed);
    }

    #[test]
    fn a_level_moves_the_offset_alone() {
        let rows = drawn(3000, 1.3, -2.0);
        let before = Calibration { slope: 0.5, offset: 3.0 };
        let after = before.at_level_of(&rows);
        assert_eq!(after.slope, before.slope);
        let line = |logit: f64| 0.5 * logit + f64::from(after.offset);
        let predicted: f64 = rows.iter().map(|row| sigmoid(line(row.logit))).sum();
        let observed: f64 = rows.iter().map(|row| row.label).sum();
        assert!((predicted / observed - 1.0).abs() < 1e-4, "{}", predicted / observed);
        assert_eq!(before.at_level_of(&[]), before);
    }

    #[test]
    fn stays_finite_and_increasing() {
        let row = |logit: f64, label: f64| Outcome { logit, label, weight: 1.0 };
        let parted: Vec<Outcome> =
            (0..20).map(|n| row(f64::from(n), f64::from(u8::from(n > 9)))).collect();
        let against: Vec<Outcome> = parted.iter().map(|one| row(-one.logit, one.label)).collect();
        let equal: Vec<Outcome> = parted.iter().map(|one| row(5.0, one.label)).collect();
        let far: Vec<Outcome> = parted.iter().map(|one| row(1e4 * one.logit, one.label)).collect();
        for rows in [parted, against, equal, far] {
            let found = Calibration::fit(&rows);
            assert!(found.slope > 0.0 && found.slope.is_finite(), "{found:?}");
            assert!(found.offset.is_finite(), "{found:?}");
        }
        assert_eq!(Calibration::fit(&[row(1.0, 1.0), row(2.0, 1.0)]), Calibration::NONE);
        assert_eq!(Calibration::fit(&[]), Calibration::NONE);
    }
}
