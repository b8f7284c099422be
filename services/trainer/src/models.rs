//! The models. Each knows how to be trained from events; those that serve alone as a baseline
//! also score the whole catalogue for a context.

use tributary_domain::{ItemId, Scored, UserContext};

pub(crate) mod audience;
pub(crate) mod collaborative;
mod cooccurrence;
pub(crate) mod ease;
pub(crate) mod examples;
pub(crate) mod factors;
pub(crate) mod genres;
pub(crate) mod graph;
pub(crate) mod item_knn;
pub(crate) mod multi_interest;
pub(crate) mod popularity;
pub(crate) mod ranker;
pub(crate) mod recall;
pub(crate) mod two_tower;

pub(crate) use ease::Ease;
pub(crate) use item_knn::ItemKnn;
pub(crate) use popularity::Popularity;

/// Why a model could not be trained.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(
        "the EASE system of {size} × {size} cannot be solved: raise ease.regularisation above 0"
    )]
    Singular { size: usize },
    #[error("{model}: {reason}")]
    Shape { model: &'static str, reason: String },
    #[error("cannot encode the features of {encoder}: check its specification")]
    Features { encoder: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("cannot train {model}")]
    Network { model: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("cannot prepare {channel}")]
    Channel { channel: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}

/// A model that ranks the whole catalogue by itself.
pub(crate) trait Baseline: Sync {
    /// The best `size` items that the user has not seen, best first.
    fn rank(&self, context: &UserContext, size: usize) -> Vec<Scored>;
}

/// The best `size` unseen of `scores`, which stand in the order of `items`.
pub(crate) fn best(
    items: &[ItemId],
    scores: &[f32],
    context: &UserContext,
    size: usize,
) -> Vec<Scored> {
    let mut list: Vec<Scored> = items
        .iter()
        .zip(scores)
        .filter(|(item, _)| !context.has_seen(**item))
        .map(|(item, score)| Scored { item: *item, score: *score })
        .collect();
    list.sort_unstable_by(Scored::best_first);
    list.truncate(size);
    list
}
