//! Items by words: free-text search, and recall by the words of what the user liked.
//!
//! The index (tantivy, in memory) follows the log of item changes. Japanese and Chinese, which do
//! not put spaces between words, are indexed by pairs of characters: no dictionary to hold.

mod query;
mod schema;
mod taste;
mod words;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tantivy::{
    IndexReader, IndexWriter, ReloadPolicy, TantivyError, Term,
    collector::{
        TopDocs,
        sort_key::{SortBySimilarityScore, SortByStaticFastValue},
    },
    query::Query,
};
use tributary_domain::{Event, Item, ItemChange, ItemId, Scored, UserContext};

use self::{schema::Fields, taste::Taste};
use crate::{
    popularity::{ActionWeights, Popularity},
    top::top,
};

/// How items are found by words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextConfig {
    /// How many of the user's latest items speak for the taste.
    pub history: usize,
    /// After how many later items the weight of an item of the history has halved.
    pub recency_half_life: f32,
    /// Weight of an item the user liked (bookmarked or shared), relative to one otherwise dealt
    /// with.
    pub liked_weight: f32,
    /// The most words of a recall query; those with the largest weight are kept.
    pub terms: usize,
    pub tag_weight: f32,
    pub genre_weight: f32,
    pub creator_weight: f32,
    pub year_weight: f32,
    pub title_weight: f32,
    /// How many of the best by words are considered for recall.
    pub considered: usize,
    /// Power of an item's popularity in recall: 0 for words alone. Among many items that suit the
    /// user's words equally well, those that people deal with come first.
    pub popularity_power: f32,
    /// After this time an event counts half in the popularity.
    #[serde(with = "humantime_serde")]
    pub popularity_half_life: Duration,
    pub weights: ActionWeights,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            history: 50,
            recency_half_life: 20.0,
            liked_weight: 2.0,
            terms: 40,
            tag_weight: 1.0,
            genre_weight: 1.0,
            creator_weight: 1.0,
            year_weight: 1.5,
            title_weight: 0.5,
            considered: 2_000,
            popularity_power: 1.0,
            popularity_half_life: Duration::from_secs(120 * 24 * 60 * 60),
            weights: ActionWeights::default(),
        }
    }
}

/// Why the index failed.
#[derive(Debug, thiserror::Error)]
#[error("text index failed to {step}")]
pub struct TextError {
    step: &'static str,
    source: TantivyError,
}

fn failed_to(step: &'static str) -> impl FnOnce(TantivyError) -> TextError {
    move |source| TextError { step, source }
}

/// An item found by free text.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub scored: Scored,
    pub title: String,
}

/// The index. Searches run beside changes; a change is found after the next [`commit`], except
/// that a deleted or hidden item is gone at once.
///
/// [`commit`]: TextIndex::commit
pub struct TextIndex {
    config: TextConfig,
    fields: Fields,
    reader: IndexReader,
    /// The only writer of the index, and what it has not committed.
    writer: Mutex<IndexWriter>,
    /// Swapped as a whole or changed in one go; readers clone the handle.
    items: RwLock<imbl::HashMap<ItemId, Arc<Item>>>,
    /// Counters of the event log.
    popularity: RwLock<Popularity>,
}

/// Bytes the writer may hold before it writes a segment: tantivy's minimum.
const WRITER_BYTES: usize = 15_000_000;

impl TextIndex {
    pub fn new(config: TextConfig) -> Result<Self, TextError> {
        let (index, fields) = schema::create();
        let writer = index
            .writer_with_num_threads(1, WRITER_BYTES)
            .map_err(failed_to("start its writer"))?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into();
        Ok(Self {
            fields,
            reader: reader.map_err(failed_to("open its reader"))?,
            writer: Mutex::new(writer),
            items: RwLock::default(),
            popularity: RwLock::new(Popularity::new(config.popularity_half_life)),
            config,
        })
    }

    /// Takes changes in, in their order. Hidden items are not indexed.
    pub fn apply(&self, changes: &[ItemChange]) -> Result<(), TextError> {
        let writer = self.writer();
        for change in changes {
            writer.delete_term(Term::from_field_u64(self.fields.id, change.item().0));
            match change {
                ItemChange::Upserted(item) if !item.hidden => {
                    let document = self.fields.document(item);
                    writer.add_document(document).map_err(failed_to("add an item"))?;
                    self.write_items().insert(item.id, Arc::new(item.clone()));
                }
                _ => {
                    self.write_items().remove(&change.item());
                }
            }
        }
        Ok(())
    }

    /// Makes all changes so far visible to searches. Takes about a tenth of a second: commit
    /// batches, not single changes.
    pub fn commit(&self) -> Result<(), TextError> {
        self.writer().commit().map_err(failed_to("commit"))?;
        self.reader.reload().map_err(failed_to("reload"))
    }

    /// Forgets all items.
    pub fn restart_items(&self) -> Result<(), TextError> {
        self.writer().delete_all_documents().map_err(failed_to("clear"))?;
        self.write_items().clear();
        self.commit()
    }

    /// Counts an event towards its item's popularity.
    pub fn record(&self, event: &Event) {
        let behaviour = event.behaviour;
        let weight = self.config.weights.of(behaviour.action);
        let mut popularity = self.popularity.write().unwrap_or_else(PoisonError::into_inner);
        popularity.record(behaviour.item, behaviour.time, weight);
    }

    /// Forgets all events.
    pub fn restart_events(&self) {
        let mut popularity = self.popularity.write().unwrap_or_else(PoisonError::into_inner);
        *popularity = Popularity::new(self.config.popularity_half_life);
    }

    /// Number of items listed, committed or not.
    pub fn len(&self) -> usize {
        self.items().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items that match the words of `text`, by BM25: those with all words first, then, where
    /// they are fewer than `size`, those with some.
    pub fn search(&self, text: &str, size: usize) -> Result<Vec<Hit>, TextError> {
        let words = words::of_query(text);
        let Some(all) = query::all_words(&self.fields, &words) else { return Ok(Vec::new()) };
        let mut found = self.run(&*all, size)?;
        if found.len() < size
            && let Some(any) = query::any_word(&self.fields, &words)
        {
            // Below every item with all words, in the order of the scores.
            let lowest = found.iter().map(|scored| scored.score).fold(f32::MAX, f32::min);
            for mut scored in self.run(&*any, size)? {
                if !found.iter().any(|known| known.item == scored.item) {
                    scored.score = scored.score.min(lowest * BELOW);
                    found.push(scored);
                }
            }
        }
        found.truncate(size);
        Ok(self.with_titles(found))
    }

    fn with_titles(&self, found: Vec<Scored>) -> Vec<Hit> {
        let items = self.items();
        let hit = |scored: Scored| {
            items.get(&scored.item).map(|item| Hit { scored, title: item.title.clone() })
        };
        found.into_iter().filter_map(hit).collect()
    }

    /// Items with the tags, genres, creators, years and title words of the user's recent items,
    /// weighted by liking and recency, times popularity. Empty for a user without known items.
    pub fn recall(&self, context: &UserContext, size: usize) -> Result<Vec<Scored>, TextError> {
        let taste = Taste::of(context, &self.items(), &self.config);
        let Some(query) = query::weighted(&self.fields, &taste.terms(self.config.terms)) else {
            return Ok(Vec::new());
        };
        let considered = self.config.considered.max(size).saturating_add(context.seen.len());
        let mut found = self.run(&*query, considered)?;
        found.retain(|scored| !context.has_seen(scored.item));
        self.weigh_by_popularity(&mut found);
        Ok(top(found, size))
    }

    fn weigh_by_popularity(&self, found: &mut [Scored]) {
        let popularity = self.popularity.read().unwrap_or_else(PoisonError::into_inner);
        let largest = found.iter().map(|scored| popularity.of(scored.item)).fold(0.0, f64::max);
        if largest == 0.0 {
            return;
        }
        for scored in found {
            let share = popularity.of(scored.item) / largest;
            let factor = (share + UNKNOWN_SHARE).powf(self.config.popularity_power.into());
            scored.score = narrowed(f64::from(scored.score) * factor);
        }
    }

    /// The best `size` that are still listed, ties by id.
    fn run(&self, query: &dyn Query, size: usize) -> Result<Vec<Scored>, TextError> {
        if size == 0 {
            return Ok(Vec::new());
        }
        let id = SortByStaticFastValue::<u64>::for_field(schema::ID);
        let order = (SortBySimilarityScore, (id, tantivy::Order::Asc));
        let searcher = self.reader.searcher();
        let collector = TopDocs::with_limit(size).order_by(order);
        let found = searcher.search(query, &collector).map_err(failed_to("search"))?;
        let items = self.items();
        let scored = found.into_iter().filter_map(|((score, id), _)| {
            let item = ItemId(id?);
            items.contains_key(&item).then_some(Scored { item, score })
        });
        Ok(scored.collect())
    }

    fn items(&self) -> imbl::HashMap<ItemId, Arc<Item>> {
        self.items.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write_items(&self) -> std::sync::RwLockWriteGuard<'_, imbl::HashMap<ItemId, Arc<Item>>> {
        self.items.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, IndexWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Factor that puts a partial match below the full ones.
const BELOW: f32 = 0.999;

/// Added to an item's share of the largest popularity, so that unknown items keep a chance.
const UNKNOWN_SHARE: f64 = 0.01;

#[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
fn narrowed(score: f64) -> f32 {
    score as f32
}

#[cfg(test)]
mod tests;
