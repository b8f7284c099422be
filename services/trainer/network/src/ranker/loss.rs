//! What a batch is to come to: log losses a row, and a listwise loss a group.

mod listwise;
mod log_loss;

use ndarray::{Array2, ArrayView2};

use self::{listwise::listwise, log_loss::log_loss};
use crate::real::Real;

/// What the loss of a batch compares with.
#[derive(Debug)]
pub(super) struct Goal<T> {
    /// `[rows, tasks]`.
    pub(super) labels: Array2<T>,
    /// One a row.
    pub(super) weights: Vec<T>,
    /// Sizes of the groups that the rows are, one after another.
    pub(super) groups: Option<Vec<usize>>,
}

/// The weights of a loss's parts.
#[derive(Debug, Clone)]
pub(super) struct Balance<T> {
    /// One a task.
    pub(super) tasks: Vec<T>,
    pub(super) listwise: T,
}

/// The weighted sum of the losses, and its gradient with respect to the logits `[rows, tasks]`.
pub(super) fn loss<T: Real>(
    logits: ArrayView2<'_, T>,
    goal: &Goal<T>,
    balance: &Balance<T>,
) -> (T, Array2<T>) {
    let (mut total, mut gradient) = log_loss(logits, goal, &balance.tasks);
    if balance.listwise > T::zero() && goal.groups.is_some() {
        total += listwise(logits, goal, balance, &mut gradient);
    }
    (total, gradient)
}
