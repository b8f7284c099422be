//! The collaborative channel's tables: user favourites, cosine and EASE neighbours.

use std::collections::BTreeMap;

use tributary_domain::{Event, ItemId, UserId};
use tributary_retrieval::collaborative::{
    Interactions as Favourites, Neighbours, Tables, item_to_item_cosine,
};

use super::{Ease, ModelError};
use crate::{
    config::{EaseConfig, ItemKnnConfig},
    interactions::{Interactions, position},
    progress::Step,
};

/// Builds the tables from the engagements among `events`.
pub(crate) fn tables(
    events: &[Event],
    ease: &EaseConfig,
    cosine: &ItemKnnConfig,
    step: &Step,
) -> Result<Tables, ModelError> {
    let favourites = Favourites::from_pairs(engagements(events));
    let by_cosine = item_to_item_cosine(&favourites, cosine.neighbours, cosine.shrinkage);
    let model = train_ease(events, ease, step)?;
    let by_ease = ease_neighbours(&model, &favourites, ease.neighbours);
    let neighbours = BTreeMap::from([("cosine".into(), by_cosine), ("ease".into(), by_ease)]);
    Ok(Tables { favourites, neighbours })
}

/// EASE over all items: exact where the configuration allows as many, otherwise approximate.
pub(crate) fn train_ease(
    events: &[Event],
    config: &EaseConfig,
    step: &Step,
) -> Result<Ease, ModelError> {
    let all = Interactions::of(events);
    if all.items.len() <= config.maximum_items {
        return Ease::train(all, config.regularisation);
    }
    step.expect(all.items.len());
    Ease::approximate(all, config.regularisation, config.candidates, &|| step.advance(1))
}

fn engagements(events: &[Event]) -> impl Iterator<Item = (UserId, ItemId)> {
    events
        .iter()
        .filter(|event| event.behaviour.action.is_engagement())
        .map(|event| (event.user, event.behaviour.item))
}

/// The model's rows; it numbers the same items in the same order as the favourites.
fn ease_neighbours(model: &Ease, favourites: &Favourites, size: usize) -> Neighbours {
    assert_eq!(model.interactions().items, favourites.items(), "both are of all engagements");
    let row = |list: Vec<(u32, f32)>| {
        list.into_iter().map(|(item, weight)| (position(item), weight)).collect()
    };
    Neighbours::from_rows(model.strongest(size).into_iter().map(row).collect(), size)
}
