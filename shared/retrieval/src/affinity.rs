//! What a bundle's tables say of any item by a user's history: the same tables that channels
//! recall from, asked about candidates that any channel proposed.
//!
//! A channel's score is there only for what that channel proposed, and is lost behind its last
//! place; the ranker, which compares all candidates, needs one for each. The tables:
//!
//! - every item-to-item table of the collaborative channel by its own name, "ease" and "cosine":
//!   the sum of the history's rows;
//! - "graph": the inner product of the item's vector with the sum of the history's;
//! - "factors": the inner product with the user's vector as folded in ([`crate::factors`]);
//! - "genres": how much more the history has of the item's genres than everybody's has
//!   ([`crate::labels`]);
//! - "gender", "age" and "occupation", which need no history: how much more users of the same
//!   group deal with the item than all do ([`crate::audience`]).

mod table;

use std::{collections::BTreeMap, sync::Arc};

use tributary_domain::{ItemId, UserContext};
use tributary_features::{
    Field, Source, Specification,
    ranking::{Affinity, AffinityName, Form, Past},
};

use self::table::Table;
use crate::{TableError, history::Weighing};

/// After how many later items an item of the history counts half under [`Past::Recent`].
const HALF_LIFE: f32 = 20.0;

/// Why a bundle cannot say what a specification asks for.
#[derive(Debug, thiserror::Error)]
pub enum AffinityError {
    #[error("{file} is broken")]
    Table { file: &'static str, source: TableError },
    #[error("there is no table for {name} (there are: {known})")]
    Unknown { name: AffinityName, known: String },
}

/// The tables behind the names of one specification.
#[derive(Debug, Clone, Default)]
pub struct Affinities {
    columns: Vec<(AffinityName, Arc<Table>)>,
}

impl Affinities {
    /// True where no table is asked.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Opens the tables that the fields of a specification name; `read` gives a file of the bundle
    /// by its name and is called only for those that are needed, once for each.
    pub fn open<E: From<AffinityError>>(
        specification: &Specification,
        mut read: impl FnMut(&'static str) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let mut tables: BTreeMap<Arc<str>, Arc<Table>> = BTreeMap::new();
        let mut columns = Vec::new();
        for name in names(specification) {
            let table = match tables.get(&name.table) {
                Some(table) => Arc::clone(table),
                None => {
                    let file = table::file(&name.table);
                    let table = Arc::new(Table::read(&name, file, &read(file)?)?);
                    tables.insert(Arc::clone(&name.table), Arc::clone(&table));
                    table
                }
            };
            if !table.answers(name.past) {
                return Err(table::unknown(&name, &table.names()).into());
            }
            columns.push((name, table));
        }
        Ok(Self { columns })
    }

    /// Asks every table about all candidates of a request of this user.
    pub fn ask(&self, context: &UserContext, candidates: &[ItemId]) -> Answers<'_> {
        let mut columns: Vec<(&AffinityName, Vec<f32>)> = Vec::with_capacity(self.columns.len());
        let mut known: Option<(&AffinityName, Vec<f32>)> = None;
        for (name, table) in &self.columns {
            let same = |other: &AffinityName| other.table == name.table && other.past == name.past;
            let scores = match known.take() {
                Some((other, scores)) if same(other) => scores,
                _ => {
                    let asked = table.ask(context, &past(context, name.past));
                    candidates.iter().map(|item| asked.score(*item)).collect()
                }
            };
            let column = match name.form {
                Form::Score => scores.clone(),
                Form::Standing => standings(&scores),
            };
            columns.push((name, column));
            known = Some((name, scores));
        }
        Answers { columns }
    }
}

/// What the tables say of the candidates of one request.
pub struct Answers<'a> {
    columns: Vec<(&'a AffinityName, Vec<f32>)>,
}

impl Answers<'_> {
    /// Puts into `found` what is said of the candidate at that place. A table that does not know
    /// the item gives the score 0.
    ///
    /// # Panics
    /// Where there are not as many candidates.
    pub fn of(&self, candidate: usize, found: &mut Vec<Affinity>) {
        found.clear();
        found.extend(
            self.columns
                .iter()
                .map(|(name, column)| Affinity { name: (*name).clone(), score: column[candidate] }),
        );
    }
}

/// In standard deviations above the mean; 0 where all are the same.
fn standings(scores: &[f32]) -> Vec<f32> {
    let count = f64::from(u32::try_from(scores.len().max(1)).unwrap_or(u32::MAX));
    let mean = scores.iter().map(|score| f64::from(*score)).sum::<f64>() / count;
    let squares: f64 = scores.iter().map(|score| (f64::from(*score) - mean).powi(2)).sum();
    let deviation = (squares / count).sqrt();
    let standing = |score: &f32| match deviation > SAME {
        true => narrow((f64::from(*score) - mean) / deviation),
        false => 0.0,
    };
    scores.iter().map(standing).collect()
}

/// Scores closer together are taken for one.
const SAME: f64 = 1e-9;

#[expect(clippy::cast_possible_truncation, reason = "features are single precision")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// The names among the fields, each once.
fn names(specification: &Specification) -> Vec<AffinityName> {
    let name = |field: &str| match Field::new(field).source() {
        Source::Affinity(name) => Some(name.clone()),
        _ => None,
    };
    let mut names: Vec<AffinityName> =
        specification.features.iter().filter_map(|feature| name(&feature.field)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The items that count with their weights, latest first.
fn past(context: &UserContext, past: Past) -> Vec<(ItemId, f32)> {
    let (engaged, half_life) = match past {
        Past::Engaged => (1.0, 0.0),
        Past::Liked => (0.0, 0.0),
        Past::Recent => (1.0, HALF_LIFE),
        Past::Profile => return Vec::new(),
    };
    let weighing = Weighing { liked: 1.0, engaged, items: usize::MAX, half_life };
    let mut items = weighing.latest(context);
    items.retain(|(_, weight)| *weight > 0.0);
    items
}

#[cfg(test)]
mod tests;
