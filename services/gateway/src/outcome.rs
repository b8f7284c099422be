//! All that happened to a request: the answer and every explanation are read from it.

use std::{collections::BTreeMap, time::Duration};

use tributary_domain::{ItemId, UserContext};

use crate::{
    degradation::Degradation, filters::Removed, merge::Pool, ranking::Ranking,
    recall::ChannelAnswer, rerank::Placed,
};

/// What one stage took in, let out, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageReport {
    pub stage: &'static str,
    pub candidates_in: usize,
    pub candidates_out: usize,
    pub took: Duration,
}

/// One request's way through the stages. Candidates are places in the pool.
pub struct Outcome {
    pub context: UserContext,
    pub answers: Vec<ChannelAnswer>,
    pub pool: Pool,
    pub removed: Vec<Removed>,
    /// What went to ranking, in merged order.
    pub kept: Vec<usize>,
    /// What passed the filters and exceeded the bound on candidates, in merged order.
    pub cut: Vec<usize>,
    pub ranking: Option<Ranking>,
    /// The final list. Its rows are places in `kept`.
    pub slate: Vec<Placed>,
    pub degraded: Vec<Degradation>,
    /// By component.
    pub bundles: BTreeMap<String, String>,
    pub stages: Vec<StageReport>,
    /// The slowest chain of upstream calls: context, the slowest channel, ranking, rerank.
    pub upstream: Duration,
    pub total: Duration,
    /// True where the candidates are the last good trending list.
    pub fallback: bool,
}

impl Outcome {
    /// Time that no upstream accounts for.
    pub fn own(&self) -> Duration {
        self.total.saturating_sub(self.upstream)
    }

    /// The candidate at a place of the list.
    pub fn candidate(&self, placed: Placed) -> usize {
        self.kept[placed.row]
    }

    /// The listed items in order.
    pub fn items(&self) -> impl Iterator<Item = ItemId> {
        self.slate.iter().map(|placed| self.pool.id(self.candidate(*placed)))
    }

    /// The score that the final order came from: the fused one, or without ranking the inverse of
    /// the place after merging.
    pub fn score(&self, placed: Placed) -> f32 {
        let candidate = self.candidate(placed);
        let ranked = self.ranking.as_ref().map(|ranking| ranking.scores[placed.row]);
        ranked.filter(|score| score.is_finite()).unwrap_or_else(|| match self.ranking {
            Some(_) => 0.0,
            None => 1.0 / f32::from(u16::try_from(candidate + 1).unwrap_or(u16::MAX)),
        })
    }

    /// True where a further page may hold something: candidates are left over, or a channel was
    /// not exhausted.
    pub fn may_have_more(&self) -> bool {
        let proposed = |candidate: &usize| !self.pool.findings(*candidate).is_empty();
        // Cold items for which there was no place are no list of their own.
        let left_over = self.kept.len() > self.slate.len() || self.cut.iter().any(proposed);
        let more = |answer: &ChannelAnswer| answer.full || !answer.answered();
        !self.slate.is_empty() && (left_over || self.answers.iter().any(more))
    }
}
