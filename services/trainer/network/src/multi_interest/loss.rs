//! The loss of a batch from its interests and items, and its gradient.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{
    attention::{Attended, Attention},
    nearest::through_nearest,
};
use crate::{
    product::product,
    real::Real,
    recall::softmax::{Columns, Softmax, sampled_softmax},
};

/// What a user's negatives are scored with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NegativeScores {
    /// The vector that the attention made for the target, as in the paper. An interest then learns
    /// nothing of the items that it wrongly finds beside another interest's target.
    Attended,
    /// The nearest of the user's interests, as serving does.
    Nearest,
}

/// The settings of the loss.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss<T> {
    pub(super) power: T,
    pub(super) temperature: T,
    pub(super) negatives: NegativeScores,
}

/// Unit vectors of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vectors<'a, T> {
    /// `[interests, dimension]`.
    pub(super) interests: ArrayView2<'a, T>,
    /// Where each row's interests begin, and at last their number.
    pub(super) starts: &'a [usize],
    /// `[items, dimension]`.
    pub(super) items: ArrayView2<'a, T>,
}

/// The mean loss, with its gradients.
#[derive(Debug)]
pub(super) struct Slopes<T> {
    pub(super) loss: T,
    /// `[interests, dimension]`.
    pub(super) interests: Array2<T>,
    /// `[items, dimension]`.
    pub(super) items: Array2<T>,
}

impl<T: Real> Loss<T> {
    pub(super) fn slopes(&self, vectors: &Vectors<'_, T>, columns: &Columns<T>) -> Slopes<T> {
        let labels = vectors.items.select(Axis(0), &columns.targets);
        let Vectors { interests, starts, .. } = *vectors;
        let attention = Attention { interests, starts, labels: labels.view(), power: self.power };
        let attended = attention.forward();
        let (mut slopes, gradient) = match self.negatives {
            NegativeScores::Attended => self.attended(vectors, &attended, columns),
            NegativeScores::Nearest => self.nearest(vectors, &attention, &attended, columns),
        };
        let gradients = attention.backward(&attended, gradient.view());
        slopes.interests += &gradients.interests;
        for (&target, part) in columns.targets.iter().zip(gradients.labels.rows()) {
            slopes.items.row_mut(target).scaled_add(T::one(), &part);
        }
        slopes
    }

    /// All scores are of the attended vectors. Gives their gradient, too.
    fn attended(
        &self,
        vectors: &Vectors<'_, T>,
        attended: &Attended<T>,
        columns: &Columns<T>,
    ) -> (Slopes<T>, Array2<T>) {
        let scores = product(attended.vectors.view(), vectors.items.t());
        let (loss, gradient) = sampled_softmax(scores, columns, None, self.temperature);
        let items = product(gradient.t(), attended.vectors.view());
        let interests = Array2::zeros(vectors.interests.dim());
        (Slopes { loss, interests, items }, product(gradient.view(), vectors.items))
    }

    /// The target's score is of the attended vector, the others are of the nearest interests.
    fn nearest(
        &self,
        vectors: &Vectors<'_, T>,
        attention: &Attention<'_, T>,
        attended: &Attended<T>,
        columns: &Columns<T>,
    ) -> (Slopes<T>, Array2<T>) {
        let mut all = product(vectors.interests, vectors.items.t());
        let softmax =
            Softmax { columns, temperature: self.temperature, rows: columns.targets.len() };
        let rows = through_nearest(&mut all, vectors.starts, |row, scores| {
            let target = columns.targets[row];
            scores[target] = attended.vectors.row(row).dot(&attention.labels.row(row));
            let loss = softmax.row(row, scores);
            (loss, std::mem::replace(&mut scores[target], T::zero()))
        });
        let loss = rows.iter().map(|(loss, _)| *loss).sum::<T>() / T::from_count(rows.len());
        let mut own = attention.labels.to_owned();
        let mut labels = attended.vectors.clone();
        for (row, (_, slope)) in rows.into_iter().enumerate() {
            own.row_mut(row).mapv_inplace(|value| value * slope);
            labels.row_mut(row).mapv_inplace(|value| value * slope);
        }
        let interests = product(all.view(), vectors.items);
        let mut items = product(all.t(), vectors.interests);
        for (&target, part) in columns.targets.iter().zip(labels.rows()) {
            items.row_mut(target).scaled_add(T::one(), &part);
        }
        (Slopes { loss, interests, items }, own)
    }
}
