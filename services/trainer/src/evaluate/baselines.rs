//! The models that every list is compared with.

use rayon::prelude::*;
use tributary_domain::{Event, ItemId, Scored};

use crate::{
    config::Config,
    error::TrainerError,
    interactions::Interactions,
    models::{Baseline, ItemKnn, Popularity, collaborative::train_ease},
    progress::Step,
    split::Case,
};

/// One list a case, with the name of what made them.
pub(super) type Named = (&'static str, Vec<Vec<ItemId>>);

/// The lists of all baselines that learned from `events`.
pub(super) fn lists(
    events: &[Event],
    cases: &[Case],
    config: &Config,
    step: &Step,
) -> Result<Vec<Named>, TrainerError> {
    let knn = &config.item_knn;
    let size = config.evaluation.size();
    let lists = |model: &dyn Baseline| -> Vec<Vec<ItemId>> {
        cases.par_iter().map(|case| items(&model.rank(&case.context, size))).collect()
    };
    Ok(vec![
        ("popularity", lists(&Popularity::of(events))),
        (
            "ItemKNN",
            lists(&ItemKnn::train(Interactions::of(events), knn.neighbours, knn.shrinkage)),
        ),
        ("EASE", lists(&train_ease(events, &config.ease, step)?)),
    ])
}

pub(super) fn items(list: &[Scored]) -> Vec<ItemId> {
    list.iter().map(|scored| scored.item).collect()
}
