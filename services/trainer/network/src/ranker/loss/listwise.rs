//! The softmax over the rows of one question (ListNet: Cao et al., 2007, "Learning to rank: from
//! pairwise approach to listwise approach"), which looks at the order and not at the level.

use ndarray::{Array2, ArrayView1, ArrayView2, s};

use super::{Balance, Goal};
use crate::real::Real;

/// One task's rows of a group.
struct Group<'a, T> {
    logits: ArrayView1<'a, T>,
    labels: ArrayView1<'a, T>,
    weights: &'a [T],
}

/// The weighted sum over groups and tasks; its gradient is added to `gradient`.
///
/// A row's weight says for how many rows it stands, in the softmax too. Each group counts as much
/// as the log losses of its rows; one without a positive says nothing.
pub(super) fn listwise<T: Real>(
    logits: ArrayView2<'_, T>,
    goal: &Goal<T>,
    balance: &Balance<T>,
    gradient: &mut Array2<T>,
) -> T {
    let mut total = T::zero();
    let mut start = 0;
    for size in goal.groups.iter().flatten() {
        let rows = start..start + size;
        start = rows.end;
        for (task, &weight) in balance.tasks.iter().enumerate() {
            let group = Group {
                logits: logits.slice(s![rows.clone(), task]),
                labels: goal.labels.slice(s![rows.clone(), task]),
                weights: &goal.weights[rows.clone()],
            };
            if let Some((loss, slopes)) = group.loss() {
                let scale = balance.listwise * weight * group.weights.iter().copied().sum();
                total += scale * loss;
                let mut cells = gradient.slice_mut(s![rows.clone(), task]);
                cells.iter_mut().zip(slopes).for_each(|(cell, slope)| *cell += scale * slope);
            }
        }
    }
    total
}

impl<T: Real> Group<'_, T> {
    /// The cross entropy of the softmax against the positives' shares, and its gradient.
    fn loss(&self) -> Option<(T, Vec<T>)> {
        let rows = || self.logits.iter().zip(&self.labels).zip(self.weights);
        let positive: T = rows().map(|((_, &label), &weight)| weight * label).sum();
        if positive <= T::zero() {
            return None;
        }
        let counted = rows().filter(|(_, weight)| **weight > T::zero());
        let highest = counted.map(|((&logit, _), _)| logit).fold(T::neg_infinity(), T::max);
        let power = |logit: T| (logit - highest).min(T::zero()).exp();
        let sum: T = rows().map(|((&logit, _), &weight)| weight * power(logit)).sum();
        let shares = rows().map(|((&logit, &label), &weight)| {
            let share = weight * label / positive;
            (share * (highest + sum.ln() - logit), weight * power(logit) / sum - share)
        });
        let (losses, slopes): (Vec<T>, Vec<T>) = shares.unzip();
        Some((losses.into_iter().sum(), slopes))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::layer::tests::assert_close;

    fn goal() -> Goal<f64> {
        Goal {
            labels: array![[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.5, 0.0], [1.0, 0.0]],
            weights: vec![1.0, 3.0, 2.0, 1.0, 0.0],
            groups: Some(vec![3, 2]),
        }
    }

    fn balance() -> Balance<f64> {
        Balance { tasks: vec![1.0, 0.5], listwise: 0.25 }
    }

    fn total(logits: &Array2<f64>) -> (f64, Array2<f64>) {
        let mut gradient = Array2::zeros(logits.dim());
        let total = listwise(logits.view(), &goal(), &balance(), &mut gradient);
        (total, gradient)
    }

    fn logits() -> Array2<f64> {
        array![[2.0, -1.0], [0.1, 1.0], [-0.5, 0.3], [1.5, 0.0], [3.0, 2.0]]
    }

    #[test]
    fn by_hand() {
        let e = f64::exp;
        let first = -(e(2.0) / (e(2.0) + 3.0 * e(0.1) + 2.0 * e(-0.5))).ln();
        let second = -(e(1.0) / (e(-1.0) + 3.0 * e(1.0) + 2.0 * e(0.3))).ln();
        // The second group's only counted row is all of its softmax; task two has no positive.
        let expected = 0.25 * (6.0 * first + 0.5 * 6.0 * second);
        assert_close(total(&logits()).0, expected, "loss");
    }

    #[test]
    fn gradient_of_the_logits() {
        let mut logits = logits();
        let (_, gradient) = total(&logits);
        for cell in ndarray::indices(logits.dim()) {
            let mut at = |step: f64| {
                logits[cell] += step;
                total(&logits).0
            };
            let numeric = (at(1e-6) - at(-2e-6)) / 2e-6;
            at(1e-6);
            assert_close(gradient[cell], numeric, &format!("{cell:?}"));
        }
    }

    #[test]
    fn the_level_of_a_group_does_not_matter() {
        let moved = &logits() + 5.0;
        assert_close(total(&moved).0, total(&logits()).0, "loss");
        let extreme = &logits() * 1e5;
        let (loss, gradient) = total(&extreme);
        assert!(loss.is_finite() && gradient.iter().all(|slope| slope.is_finite()));
    }
}
