//! The gain of maximal marginal relevance.

use super::{
    greedy::Gain,
    rows::{LazyState, UnitRows},
};

pub(super) struct Mmr {
    rows: UnitRows,
    /// (1 - theta) score.
    relevance: Vec<f32>,
    /// For each candidate, its largest cosine with a picked one; below 0 counts as 0.
    similarity: LazyState,
    picked: Vec<Vec<f32>>,
    theta: f32,
}

impl Mmr {
    pub(super) fn new(rows: UnitRows, scores: &[f32], theta: f32) -> Self {
        let theta = theta.clamp(0.0, 1.0);
        let relevance = scores.iter().map(|score| (1.0 - theta) * score).collect();
        let similarity = LazyState::new(scores.len(), 0.0);
        Self { rows, relevance, similarity, picked: Vec::new(), theta }
    }

    fn similarity(&mut self, place: usize) -> f32 {
        let Self { rows, similarity, picked, .. } = self;
        similarity.at(place, picked, |block, picked, similarity| {
            for (similarity, cosine) in similarity.iter_mut().zip(rows.products(block, picked)) {
                *similarity = similarity.max(cosine);
            }
        })
    }
}

impl Gain for Mmr {
    /// No similarity counts below 0.
    fn ceiling(&self, place: usize) -> f32 {
        self.relevance[place]
    }

    fn gain(&mut self, place: usize, over: f32) -> Option<f32> {
        let gain = self.relevance[place] - self.theta * self.similarity(place);
        Some(gain).filter(|gain| *gain > over)
    }

    fn picked(&mut self, place: usize) {
        self.picked.push(self.rows.row(place));
    }
}
