//! Picking a varied list out of a scored one.
//!
//! All algorithms are greedy: each step takes the candidate with the largest gain that the caps
//! allow. They differ in the gain only. `theta` is the weight of diversity throughout: 0 is the
//! order by score.

mod dpp;
mod greedy;
mod mmr;
mod rows;

#[cfg(test)]
mod tests;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use self::{dpp::Dpp, greedy::ByScore, greedy::Order, mmr::Mmr, rows::UnitRows};
use crate::caps::Cap;

/// How a list is made diverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Greedy MAP inference of a determinantal point process over the whole list.
    #[default]
    Dpp,
    /// The same, with diversity counted inside a sliding window.
    DppWindow,
    /// Maximal marginal relevance.
    Mmr,
    /// Order by score; only the caps act.
    Score,
}

/// Why an item stands where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It had the best score left.
    Score,
    /// It was moved up because it differs from what stands before it.
    Diversity,
    /// It was moved up because a cap held a better one back.
    Cap,
    /// The algorithm had no gain to offer, or the caps were relaxed because they allowed nothing.
    Fill,
}

/// One place of the picked list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Index of the candidate as given.
    pub index: usize,
    pub reason: Reason,
}

/// The parameters of an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub algorithm: Algorithm,
    /// Weight of diversity, 0 to 1.
    pub theta: f32,
    /// Share of the identity mixed into the similarities, which keeps them positive definite when
    /// there are more items than dimensions.
    pub epsilon: f32,
    /// How many neighbours, the item itself included, `DppWindow` compares.
    pub window: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { algorithm: Algorithm::Dpp, theta: 0.2, epsilon: 1e-3, window: 10 }
    }
}

/// What to pick from. `vectors` has one row for each score; rows need not be normalised, and a row
/// of zeros is taken to differ from everything.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub scores: &'a [f32],
    pub vectors: ArrayView2<'a, f32>,
    pub size: usize,
    pub settings: Settings,
    /// Each with labels for all candidates.
    pub caps: &'a [Cap],
}

/// Picks min(size, candidates) of the candidates, in order, none twice.
///
/// Scores are standardised (zero mean, unit deviation) before they are weighed against diversity,
/// so that one `theta` means the same for every ranker. Non-finite scores come last.
///
/// # Panics
/// Where the vectors or a cap's labels are not one for each score.
pub fn rerank(request: &Request<'_>) -> Vec<Pick> {
    let scores = standardised(request.scores);
    let Request { vectors, size, settings, caps, .. } = *request;
    let task = Task { scores: &scores, size, theta: settings.theta, caps };
    match settings.algorithm {
        Algorithm::Dpp => task.dpp(vectors, usize::MAX, settings.epsilon),
        Algorithm::DppWindow => task.dpp(vectors, settings.window, settings.epsilon),
        Algorithm::Mmr => task.mmr(vectors),
        Algorithm::Score => task.by_score(),
    }
}

/// Greedy MAP of a determinantal point process (Chen, Zhang, Zhou 2018) with kernel
/// `L = diag(q) S diag(q)`: `S` holds the cosines of the vectors mixed with `epsilon` of the
/// identity, and `q = exp(score (1 - theta) / (2 theta))`. Each step takes the largest
/// `(1 - theta) score + theta ln d²`, `d²` being the part of the item's similarity that the picked
/// ones leave. O(size · candidates · dimensions). Scores are taken as they are.
pub fn dpp(
    scores: &[f32],
    vectors: ArrayView2<'_, f32>,
    size: usize,
    theta: f32,
    epsilon: f32,
) -> Vec<Pick> {
    Task { scores, size, theta, caps: &[] }.dpp(vectors, usize::MAX, epsilon)
}

/// As [`dpp`], but an item is compared with the `window - 1` picked before it only: when the oldest
/// leaves, its share is taken back by a down-date of the Cholesky factor.
pub fn dpp_window(
    scores: &[f32],
    vectors: ArrayView2<'_, f32>,
    size: usize,
    theta: f32,
    epsilon: f32,
    window: usize,
) -> Vec<Pick> {
    Task { scores, size, theta, caps: &[] }.dpp(vectors, window, epsilon)
}

/// Maximal marginal relevance (Carbonell, Goldstein 1998): each step takes the largest
/// `(1 - theta) score - theta max(0, cosine with a picked one)`. Scores are taken as they are.
pub fn mmr(scores: &[f32], vectors: ArrayView2<'_, f32>, size: usize, theta: f32) -> Vec<Pick> {
    Task { scores, size, theta, caps: &[] }.mmr(vectors)
}

/// What all algorithms share.
struct Task<'a> {
    scores: &'a [f32],
    size: usize,
    theta: f32,
    caps: &'a [Cap],
}

impl Task<'_> {
    fn dpp(&self, vectors: ArrayView2<'_, f32>, window: usize, epsilon: f32) -> Vec<Pick> {
        let order = self.order();
        let rows = UnitRows::gather(vectors, order.candidates());
        let mut gain = Dpp::new(rows, &order.scores(self.scores), self.theta, epsilon, window);
        order.select(&mut gain, self.size, self.caps)
    }

    fn mmr(&self, vectors: ArrayView2<'_, f32>) -> Vec<Pick> {
        let order = self.order();
        let rows = UnitRows::gather(vectors, order.candidates());
        let mut gain = Mmr::new(rows, &order.scores(self.scores), self.theta);
        order.select(&mut gain, self.size, self.caps)
    }

    fn by_score(&self) -> Vec<Pick> {
        self.order().select(&mut ByScore, self.size, self.caps)
    }

    fn order(&self) -> Order {
        for cap in self.caps {
            assert_eq!(cap.labels.len(), self.scores.len(), "one row of labels a candidate");
        }
        Order::by_score(self.scores)
    }
}

fn standardised(scores: &[f32]) -> Vec<f32> {
    let finite = || scores.iter().copied().filter(|score| score.is_finite()).map(f64::from);
    let (count, sum) = finite().fold((0.0, 0.0), |(n, sum), score| (n + 1.0, sum + score));
    let mean = sum / f64::max(count, 1.0);
    let squares: f64 = finite().map(|score| (score - mean).powi(2)).sum();
    let deviation = (squares / f64::max(count, 1.0)).sqrt();
    let scale = if deviation > 0.0 { deviation.recip() } else { 0.0 };
    scores.iter().map(|score| narrowed((f64::from(*score) - mean) * scale)).collect()
}

/// Rounds to single precision, the precision of the scores themselves.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
fn narrowed(value: f64) -> f32 {
    value as f32
}
