//! The collaborative channel's tables: user favourites, cosine and EASE neighbours.

use std::collections::{BTreeMap, HashSet};

use tributary_domain::{Event, ItemId, UserId};
use tributary_retrieval::collaborative::{
    Interactions as Favourites, Neighbours, Tables, item_to_item_cosine,
};

use super::{Ease, ModelError};
use crate::{
    config::{EaseConfig, ItemKnnConfig},
    interactions::{Interactions, position},
};

/// Builds the tables from the engagements among `events`.
pub(crate) fn tables(
    events: &[Event],
    ease: &EaseConfig,
    cosine: &ItemKnnConfig,
) -> Result<Tables, ModelError> {
    let favourites = Favourites::from_pairs(engagements(events));
    let by_cosine = item_to_item_cosine(&favourites, cosine.neighbours, cosine.shrinkage);
    let model = train_ease(events, ease)?;
    let by_ease = ease_neighbours(&model, &favourites, ease.neighbours);
    let neighbours = BTreeMap::from([("cosine".into(), by_cosine), ("ease".into(), by_ease)]);
    Ok(Tables { favourites, neighbours })
}

/// EASE over the most frequent items that the configuration allows.
pub(crate) fn train_ease(events: &[Event], config: &EaseConfig) -> Result<Ease, ModelError> {
    let all = Interactions::of(events);
    if all.items.len() <= config.maximum_items {
        return Ease::train(all, config.regularisation);
    }
    let mut rows: Vec<usize> = (0..all.items.len()).collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(all.by_item[*row].len()), *row));
    let kept: HashSet<ItemId> =
        rows[..config.maximum_items].iter().map(|row| all.items[*row]).collect();
    let kept: Vec<Event> =
        events.iter().filter(|event| kept.contains(&event.behaviour.item)).copied().collect();
    Ease::train(Interactions::of(&kept), config.regularisation)
}

fn engagements(events: &[Event]) -> impl Iterator<Item = (UserId, ItemId)> {
    events
        .iter()
        .filter(|event| event.behaviour.action.is_engagement())
        .map(|event| (event.user, event.behaviour.item))
}

/// The model's rows over the items of the favourites; an item outside the model has none.
fn ease_neighbours(model: &Ease, favourites: &Favourites, size: usize) -> Neighbours {
    let items = &model.interactions().items;
    let column = |row: u32| favourites.row_of(items[position(row)]);
    let mut rows = vec![Vec::new(); favourites.items().len()];
    for (item, list) in items.iter().zip(model.strongest(size)) {
        let row = favourites.row_of(*item).expect("the model's items are among the favourites");
        rows[row] =
            list.into_iter().filter_map(|(other, weight)| Some((column(other)?, weight))).collect();
    }
    Neighbours::from_rows(rows, size)
}
