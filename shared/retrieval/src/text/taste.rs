//! The words that speak for a user.

use std::{collections::BTreeMap, sync::Arc};

use tributary_domain::{Item, ItemId, UserContext};

use super::{
    TextConfig,
    query::{Place, WeightedTerm},
    schema, words,
};

/// Terms with the weight the user's history gives them.
pub(super) struct Taste {
    weights: BTreeMap<(Place, String), f32>,
}

impl Taste {
    /// Adds up the terms of the latest items, each once, weighted by liking and recency.
    pub(super) fn of(
        context: &UserContext,
        items: &imbl::HashMap<ItemId, Arc<Item>>,
        config: &TextConfig,
    ) -> Self {
        let mut taste = Self { weights: BTreeMap::new() };
        let decay = (-config.recency_half_life.max(f32::MIN_POSITIVE).recip()).exp2();
        let mut recency = 1.0;
        for (item, liked) in latest(context, config.history) {
            if let Some(item) = items.get(&item) {
                let liking = if liked { config.liked_weight } else { 1.0 };
                taste.add(item, recency * liking, config);
            }
            recency *= decay;
        }
        taste
    }

    fn add(&mut self, item: &Item, weight: f32, config: &TextConfig) {
        let tags = item.tags.iter().map(|tag| (Place::Tag, schema::label_term(tag)));
        let genres = item.genres.iter().map(|genre| (Place::Genre, schema::label_term(genre)));
        let creator = item.creator.map(|creator| (Place::Creator, creator.to_string()));
        let years = item.year.into_iter().flat_map(schema::year_terms);
        let years = years.map(|year| (Place::Year, year));
        let title = words::of_query(&item.title).into_iter().map(|word| (Place::Title, word));
        for (place, text) in tags.chain(genres).chain(creator).chain(years).chain(title) {
            let weight = weight * place_weight(place, config);
            if weight > 0.0 {
                *self.weights.entry((place, text)).or_default() += weight;
            }
        }
    }

    /// The `limit` terms with the largest weight, largest first, ties by field and text.
    pub(super) fn terms(self, limit: usize) -> Vec<WeightedTerm> {
        let terms = self.weights.into_iter();
        let mut terms: Vec<WeightedTerm> =
            terms.map(|((place, text), weight)| WeightedTerm { place, text, weight }).collect();
        // Stable, so that ties keep the order of the map.
        terms.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        terms.truncate(limit);
        terms
    }
}

fn place_weight(place: Place, config: &TextConfig) -> f32 {
    match place {
        Place::Tag => config.tag_weight,
        Place::Genre => config.genre_weight,
        Place::Creator => config.creator_weight,
        Place::Year => config.year_weight,
        Place::Title => config.title_weight,
    }
}

/// The latest items dealt with, latest first, each once, and whether the user liked it.
fn latest(context: &UserContext, limit: usize) -> Vec<(ItemId, bool)> {
    let mut items: Vec<(ItemId, bool)> = Vec::new();
    let engaged = context.behaviours.iter().rev().filter(|step| step.action.is_engagement());
    for step in engaged {
        let liked = step.action.is_liking();
        match items.iter().position(|(item, _)| *item == step.item) {
            Some(index) => items[index].1 |= liked,
            None if items.len() < limit => items.push((step.item, liked)),
            None => {}
        }
    }
    items
}
