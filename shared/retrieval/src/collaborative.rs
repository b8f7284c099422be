//! Taste from other users' behaviour: items that go with the user's items, and favourites of users
//! who like the same.
//!
//! Both start from the context as it is now; the bundle's tables hold only what others did.

mod interactions;
mod neighbours;
mod tables;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tributary_domain::{ItemId, Scored, UserContext};

use self::interactions::Lists;
pub use self::{
    interactions::Interactions,
    neighbours::{Neighbours, item_to_item_cosine},
    tables::Tables,
};
use crate::{history::Weighing, top::top};

/// How the tables are used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CollaborativeConfig {
    /// Which item-to-item table serves.
    pub table: String,
    /// Share of the user-user score in the channel's score, 0 to 1; the rest is item-to-item.
    pub user_share: f32,
    /// How many similar users are asked.
    pub neighbours: usize,
    /// Added to the norm in a user's similarity: holds back users with few favourites.
    pub shrink: f32,
    /// Weight of an item of the history that the user liked (bookmarked or shared).
    pub liked_weight: f32,
    /// Weight of an item of the history that the user otherwise dealt with.
    pub engaged_weight: f32,
    /// How many of the user's latest items count.
    pub history: usize,
    /// After how many later items the weight of an item of the history has halved; 0 for never.
    pub recency_half_life: f32,
}

impl Default for CollaborativeConfig {
    fn default() -> Self {
        Self {
            table: "ease".to_owned(),
            user_share: 0.5,
            neighbours: 50,
            shrink: 2.0,
            liked_weight: 1.0,
            engaged_weight: 0.6,
            history: 200,
            recency_half_life: 50.0,
        }
    }
}

/// Why tables cannot serve a configuration.
#[derive(Debug, thiserror::Error)]
pub enum CollaborativeError {
    #[error("no item-to-item table {table} (there are: {known})")]
    UnknownTable { table: String, known: String },
}

/// The channel over one bundle's tables.
pub struct Collaborative {
    tables: Arc<Tables>,
    config: CollaborativeConfig,
    /// For each item, the users who have it among their favourites.
    fans: Lists,
}

/// An item of the user's history that the tables know.
struct Step {
    row: usize,
    weight: f32,
}

impl Collaborative {
    pub fn new(
        tables: Arc<Tables>,
        config: CollaborativeConfig,
    ) -> Result<Self, CollaborativeError> {
        if !tables.neighbours.contains_key(&config.table) {
            let known: Vec<&str> = tables.neighbours.keys().map(String::as_str).collect();
            let known = known.join(", ");
            return Err(CollaborativeError::UnknownTable { table: config.table, known });
        }
        let fans = tables.favourites.fans();
        Ok(Self { tables, config, fans })
    }

    /// The channel's list: both scores, each divided by its largest, mixed by `user_share`. Empty
    /// where no item of the history is known.
    pub fn recall(&self, context: &UserContext, size: usize) -> Vec<Scored> {
        self.recall_without(context, size, &|_| false)
    }

    /// The same without the items that `barred` names.
    pub fn recall_without(
        &self,
        context: &UserContext,
        size: usize,
        barred: &dyn Fn(ItemId) -> bool,
    ) -> Vec<Scored> {
        let history = self.history(context);
        let mut mixed = scaled(self.item_scores(&history), 1.0 - self.config.user_share);
        if self.config.user_share > 0.0 {
            let users = self.user_scores(context, &history);
            for (mixed, user) in mixed.iter_mut().zip(scaled(users, self.config.user_share)) {
                *mixed += user;
            }
        }
        self.best(&mixed, size, &|item| context.has_seen(item) || barred(item))
    }

    /// By the item-to-item table alone: the sum of the history items' rows, each times its weight.
    pub fn item_to_item(&self, context: &UserContext, size: usize) -> Vec<Scored> {
        let scores = self.item_scores(&self.history(context));
        self.best(&scores, size, &|item| context.has_seen(item))
    }

    /// By similar users alone: each adds its similarity to every one of its favourites.
    pub fn user_user(&self, context: &UserContext, size: usize) -> Vec<Scored> {
        let history = self.history(context);
        let scores = self.user_scores(context, &history);
        self.best(&scores, size, &|item| context.has_seen(item))
    }

    /// The tables this serves from.
    pub fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// The items of the history that the tables know, latest last.
    fn history(&self, context: &UserContext) -> Vec<Step> {
        let weighing = Weighing {
            liked: self.config.liked_weight,
            engaged: self.config.engaged_weight,
            items: self.config.history,
            half_life: self.config.recency_half_life,
        };
        let latest = weighing.latest(context).into_iter().rev();
        let row = |item| self.tables.favourites.row_of(item);
        latest.filter_map(|(item, weight)| Some(Step { row: row(item)?, weight })).collect()
    }

    fn item_scores(&self, history: &[Step]) -> Vec<f32> {
        let neighbours = &self.tables.neighbours[&self.config.table];
        let mut scores = vec![0.0; self.tables.favourites.items().len()];
        for step in history {
            for (row, weight) in neighbours.of(step.row) {
                scores[row] += step.weight * weight;
            }
        }
        scores
    }

    fn user_scores(&self, context: &UserContext, history: &[Step]) -> Vec<f32> {
        let favourites = &self.tables.favourites;
        let mut scores = vec![0.0; favourites.items().len()];
        for (user, similarity) in self.similar_users(context, history) {
            for row in favourites.of(user) {
                scores[*row] += similarity;
            }
        }
        scores
    }

    /// Cosines of the weighted history with the users' favourites, largest first, ties by user id.
    fn similar_users(&self, context: &UserContext, history: &[Step]) -> Vec<(usize, f32)> {
        let favourites = &self.tables.favourites;
        let mut shared = vec![0.0_f32; favourites.users().len()];
        for step in history {
            for user in self.fans.of(step.row) {
                shared[*user] += step.weight;
            }
        }
        let norm = history.iter().map(|step| step.weight * step.weight).sum::<f32>().sqrt();
        let similarity = |user: usize, shared: f32| {
            let count = root_of_count(favourites.of(user).len());
            shared / (norm * count + self.config.shrink)
        };
        let mut users: Vec<(usize, f32)> = shared
            .iter()
            .enumerate()
            .filter(|(user, shared)| **shared > 0.0 && favourites.users()[*user] != context.user)
            .map(|(user, shared)| (user, similarity(user, *shared)))
            .collect();
        users.sort_unstable_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        users.truncate(self.config.neighbours);
        users
    }

    /// The best with a positive score that `barred` does not name.
    fn best(&self, scores: &[f32], size: usize, barred: &dyn Fn(ItemId) -> bool) -> Vec<Scored> {
        let items = self.tables.favourites.items().iter();
        let scored = items
            .zip(scores)
            .filter(|(item, score)| **score > 0.0 && !barred(**item))
            .map(|(item, score)| Scored { item: *item, score: *score });
        top(scored.collect(), size)
    }
}

/// Divides by the largest, then multiplies by `share`. Where nothing is positive, all become 0.
fn scaled(mut scores: Vec<f32>, share: f32) -> Vec<f32> {
    let largest = scores.iter().copied().fold(0.0, f32::max);
    let factor = if largest > 0.0 { share / largest } else { 0.0 };
    scores.iter_mut().for_each(|score| *score *= factor);
    scores
}

/// Counts stay far below 2^24, where single precision is exact.
#[expect(clippy::cast_precision_loss, reason = "rounding a huge count is harmless here")]
fn root_of_count(count: usize) -> f32 {
    (count as f32).sqrt()
}

#[cfg(test)]
mod tests;
