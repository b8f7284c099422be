//! The log loss of several tasks, from logits.

use ndarray::{Array2, ArrayView2, Zip};

use super::Goal;
use crate::{layer::sigmoid::sigmoid, real::Real};

/// The weighted sum of the log losses, and its gradient with respect to the logits
/// `[rows, tasks]`.
pub(super) fn log_loss<T: Real>(
    logits: ArrayView2<'_, T>,
    goal: &Goal<T>,
    task_weights: &[T],
) -> (T, Array2<T>) {
    let mut gradient = logits.to_owned();
    let mut total = T::zero();
    let rows = Zip::from(gradient.rows_mut()).and(goal.labels.rows()).and(&goal.weights[..]);
    rows.for_each(|mut row, labels, &weight| {
        for ((cell, &label), &task) in row.iter_mut().zip(labels).zip(task_weights) {
            total += weight * task * cross_entropy(*cell, label);
            *cell = weight * task * (sigmoid(*cell) - label);
        }
    });
    (total, gradient)
}

/// `-label · ln p - (1 - label) · ln (1 - p)` for `p` the sigmoid of the logit.
fn cross_entropy<T: Real>(logit: T, label: T) -> T {
    logit.max(T::zero()) - logit * label + (-logit.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::layer::tests::assert_close;

    fn goal() -> Goal<f64> {
        Goal { labels: array![[1.0, 0.0], [0.0, 0.25]], weights: vec![1.0, 3.0], groups: None }
    }

    #[test]
    fn by_hand() {
        let logits = array![[2.0, -1.0], [0.0, 1.0]];
        let (total, _) = log_loss(logits.view(), &goal(), &[1.0, 0.5]);
        let p = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        let first = -p(2.0).ln() - 0.5 * (1.0 - p(-1.0)).ln();
        let soft = -0.25 * p(1.0).ln() - 0.75 * (1.0 - p(1.0)).ln();
        assert_close(total, first + 3.0 * (2f64.ln() + 0.5 * soft), "loss");
    }

    #[test]
    fn gradient_of_the_logits() {
        let mut logits = array![[2.0, -1.0], [0.1, 1.0]];
        let (_, gradient) = log_loss(logits.view(), &goal(), &[1.0, 0.5]);
        for cell in ndarray::indices(logits.dim()) {
            let mut at = |step: f64| {
                logits[cell] += step;
                log_loss(logits.view(), &goal(), &[1.0, 0.5]).0
            };
            let numeric = (at(1e-6) - at(-2e-6)) / 2e-6;
            at(1e-6);
            assert_close(gradient[cell], numeric, &format!("{cell:?}"));
        }
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let goal = Goal { labels: array![[0.0f32], [1.0]], weights: vec![1.0, 1.0], groups: None };
        let (total, gradient) = log_loss(array![[1e4], [-1e4]].view(), &goal, &[1.0]);
        assert_eq!(total, 2e4);
        assert_eq!(gradient, array![[1.0], [-1.0]]);
    }
}
