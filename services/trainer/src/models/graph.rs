//! The graph channel's item vectors: learned from which items share session windows, so that items
//! that are dealt with in one go lie close to each other. There is no network at serving time.
//!
//! Two ways are built in. The linear filter is the default: alone, on the test period, it has
//! recall@50 .323 against .275 of the aggregation on MovieLens 100K, and .154 against .118 on
//! ml-latest-small (by the test `measure`), and trains in a fortieth of the time. The aggregation
//! is for catalogues where that turns out otherwise.

mod aggregation;
mod decomposition;
mod filter;
mod walks;
mod windows;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tributary_domain::{Event, Item, ItemId};
use tributary_retrieval::vector::ItemVectors;

use self::{aggregation::AggregationConfig, filter::FilterConfig, windows::Windows};
use super::ModelError;
use crate::{
    interactions::Interactions,
    number::{float, narrow},
    progress::Step,
    sessions::SessionConfig,
};

/// How the vectors are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GraphConfig {
    pub method: Method,
    /// Numbers of a vector.
    pub dimension: usize,
    pub length: Length,
    /// Of [`Length::Confidence`].
    pub shrinkage: f64,
    pub sessions: SessionConfig,
    pub filter: FilterConfig,
    pub aggregation: AggregationConfig,
}

/// How long the vectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// An item that n users dealt with has a vector of length n / (n + shrinkage): what is near by
    /// the chance of a few windows comes after what many confirm. For searches by single items.
    Confidence,
    /// As the method leaves them: with the filter, the inner product with the sum of a history is
    /// what the filter lets through of it. For searches by whole histories.
    Natural,
}

/// The ways to make the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A low-pass filter of the window-item matrix.
    Filter,
    /// Importance-pooled neighbours, trained on pairs of a window.
    Aggregation,
}

impl Default for GraphConfig {
    fn default() -> Self {
        Self {
            method: Method::Filter,
            dimension: 128,
            length: Length::Confidence,
            shrinkage: 10.0,
            sessions: SessionConfig::default(),
            filter: FilterConfig::default(),
            aggregation: AggregationConfig::default(),
        }
    }
}

/// The vectors of the items of the catalogue that somebody dealt with, ascending by id; by
/// [`Length::Confidence`] none is longer than 1. The events stand in order of time.
pub(crate) fn train(
    events: &[Event],
    catalogue: &[Item],
    config: &GraphConfig,
    seed: u64,
    step: &Step,
) -> Result<ItemVectors, ModelError> {
    let Windows { items, matrix } = Windows::of(events, &config.sessions);
    let embedding = match config.method {
        Method::Filter => filter::embed(&matrix, &config.filter, config.dimension, seed, step)?,
        Method::Aggregation => {
            aggregation::embed(&matrix, &config.aggregation, config.dimension, seed, step)?
        }
    };
    let users = Interactions::of(events);
    let length = |item: ItemId| {
        let row = users.row(item).expect("windows hold engagements");
        let count = float(users.by_item[crate::interactions::position(row)].len());
        count / (count + config.shrinkage)
    };
    let listed = |item: ItemId| catalogue.binary_search_by_key(&item, |item| item.id).is_ok();
    let mut vectors = ItemVectors { ids: Vec::new(), vectors: Array2::zeros((0, 0)) };
    let mut values = Vec::new();
    for (item, row) in items.into_iter().zip(embedding.rows()) {
        let norm = row.dot(&row).sqrt();
        if norm > NOTHING && listed(item) {
            let factor = match config.length {
                Length::Confidence => length(item) / norm,
                Length::Natural => 1.0,
            };
            values.extend(row.iter().map(|value| narrow(value * factor)));
            vectors.ids.push(item);
        }
    }
    let shape = (vectors.ids.len(), embedding.ncols());
    vectors.vectors = Array2::from_shape_vec(shape, values).expect("one row an id");
    Ok(vectors)
}

/// A shorter embedding holds rounding errors only: the item is outside of all that was kept.
const NOTHING: f64 = 1e-12;

#[cfg(test)]
mod tests;
