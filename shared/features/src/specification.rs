use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{FeatureError, Field, Source, Vocabulary};

mod raw;

use raw::RawFeature;

/// The list of features, as people write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    #[serde(rename = "feature")]
    pub features: Vec<Feature>,
}

/// One feature: a field, and how it is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawFeature", into = "RawFeature")]
pub struct Feature {
    /// Unique in the specification; names the network's input.
    pub name: String,
    /// Where the value comes from, for example "item.genres".
    pub field: String,
    pub kind: Kind,
    /// The embedding table, shared by all features that name it; the feature's own name where
    /// the specification gives none.
    pub table: String,
    /// Width of the table's rows; 0 for numbers, which have no table.
    pub dimension: usize,
}

/// How a value becomes rows of a table or numbers; `docs/features.md` has all of them with their
/// keys, and what they make of missing and unknown values.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// One row: the hash of an id, text or number.
    HashBucket { buckets: u64 },
    /// One row for each id or text that occurs at least `minimum_count` times in training, the
    /// `maximum` most frequent ones.
    Vocabulary { maximum: usize, minimum_count: u64 },
    /// Numbers, no row: a 1 at the place of the value in the given list, 0 elsewhere; behind them
    /// one more, which is 1 where the value is missing or not in the list. For a few values that
    /// are known beforehand and need no table; a [`Kind::Vocabulary`] learns its values.
    OneHot { values: Vocabulary },
    /// Up to `length` rows of a vocabulary of texts or ids.
    MultiHot { maximum: usize, minimum_count: u64, length: usize },
    /// One row for each of `buckets` ranges of equal frequency in training.
    QuantileBuckets { buckets: usize },
    /// One row for each range between given bounds; a bound belongs to the range above it.
    Boundaries { bounds: Vec<f64> },
    /// ln(1 + x) with training's mean 0 and deviation 1; negative numbers count as 0.
    LogNumber,
    /// The same within the range of training, for what grows with time: a number beyond all that was
    /// learned from would be encoded as nothing that was.
    BoundedLogNumber,
    /// The number with training's mean 0 and deviation 1.
    StandardNumber,
    /// Rows of the `length` most recent ids, newest first.
    ItemSequence { length: usize },
    /// `dimension` numbers as they are.
    DenseVector { dimension: usize },
}

impl Kind {
    /// True where the rows come from values seen in training.
    pub(crate) fn has_vocabulary(&self) -> bool {
        matches!(self, Self::Vocabulary { .. } | Self::MultiHot { .. } | Self::ItemSequence { .. })
    }

    pub(crate) fn has_table(&self) -> bool {
        !matches!(
            self,
            Self::OneHot { .. }
                | Self::LogNumber
                | Self::BoundedLogNumber
                | Self::StandardNumber
                | Self::DenseVector { .. }
        )
    }
}

impl Feature {
    pub(crate) fn error(&self, reason: impl std::fmt::Display) -> FeatureError {
        FeatureError::Feature {
            feature: self.name.clone(),
            field: self.field.clone(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn table_error(&self, reason: impl std::fmt::Display) -> FeatureError {
        FeatureError::Table {
            table: self.table.clone(),
            feature: self.name.clone(),
            field: self.field.clone(),
            reason: reason.to_string(),
        }
    }
}

impl Specification {
    /// Reads TOML and checks it.
    pub fn from_toml(text: &str) -> Result<Self, FeatureError> {
        let specification: Self = toml::from_str(text)
            .map_err(|error| FeatureError::Specification { reason: error.to_string() })?;
        specification.check()?;
        Ok(specification)
    }

    /// Writes TOML that reads back to the same specification.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a specification holds nothing that TOML cannot")
    }

    /// Refuses names used twice and tables whose features do not agree.
    pub fn check(&self) -> Result<(), FeatureError> {
        let mut names = BTreeSet::new();
        let mut tables: BTreeMap<&str, &Feature> = BTreeMap::new();
        for feature in &self.features {
            if !names.insert(&feature.name) {
                return Err(feature.error("the name is used twice"));
            }
            if feature.kind.has_table() {
                let first = *tables.entry(&feature.table).or_insert(feature);
                check_sharing(first, feature)?;
            }
        }
        Ok(())
    }

    /// Refuses fields that no record of this system has: a misspelt one would always be missing.
    pub fn check_fields(&self) -> Result<(), FeatureError> {
        let unknown = |feature: &&Feature| *Field::new(&*feature.field).source() == Source::Other;
        match self.features.iter().find(unknown) {
            Some(feature) => Err(feature.error("there is no such field")),
            None => Ok(()),
        }
    }
}

fn check_sharing(first: &Feature, feature: &Feature) -> Result<(), FeatureError> {
    if first.dimension != feature.dimension {
        return Err(feature.table_error(format_args!(
            "dimension {} differs from the {} of feature {}",
            feature.dimension, first.dimension, first.name
        )));
    }
    let both_vocabularies = first.kind.has_vocabulary() && feature.kind.has_vocabulary();
    if both_vocabularies || first.kind == feature.kind {
        return Ok(());
    }
    Err(feature.table_error(format_args!(
        "its rows cannot mean the same as those of feature {}",
        first.name
    )))
}

#[cfg(test)]
mod tests;
