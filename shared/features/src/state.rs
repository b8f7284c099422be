use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::exact;

/// What was learnt from the training records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// By table.
    pub(crate) vocabularies: BTreeMap<String, Vocabulary>,
    /// By feature; of a bounded number, its least and its greatest.
    pub(crate) quantiles: BTreeMap<String, Bounds>,
    /// By feature.
    pub(crate) moments: BTreeMap<String, Moments>,
}

/// The values of a table's rows, from row 2 on: most frequent first, ties by value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vocabulary {
    Ids(Vec<u64>),
    Texts(Vec<String>),
}

impl Vocabulary {
    pub fn len(&self) -> usize {
        match self {
            Self::Ids(ids) => ids.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Ascending bounds of buckets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bounds(#[serde(with = "exact::list")] pub(crate) Vec<f64>);

/// Mean and standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moments {
    #[serde(with = "exact")]
    pub mean: f64,
    /// Above zero.
    #[serde(with = "exact")]
    pub deviation: f64,
}

/// Finds the row of a value.
#[derive(Debug, Clone)]
pub(crate) enum Index {
    Ids(HashMap<u64, i64>),
    Texts(HashMap<String, i64>),
}

impl Index {
    pub(crate) fn of(vocabulary: &Vocabulary) -> Self {
        match vocabulary {
            Vocabulary::Ids(ids) => Self::Ids(ids.iter().copied().zip(2..).collect()),
            Vocabulary::Texts(texts) => Self::Texts(texts.iter().cloned().zip(2..).collect()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ids(rows) => rows.len(),
            Self::Texts(rows) => rows.len(),
        }
    }

    pub(crate) fn id(&self, id: u64) -> Option<i64> {
        match self {
            Self::Ids(rows) => rows.get(&id).copied(),
            Self::Texts(_) => None,
        }
    }

    pub(crate) fn text(&self, text: &str) -> Option<i64> {
        match self {
            Self::Texts(rows) => rows.get(text).copied(),
            Self::Ids(_) => None,
        }
    }
}
