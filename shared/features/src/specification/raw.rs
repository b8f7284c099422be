//! A feature as it stands in the file: every key of every kind, most of them absent.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Feature, Kind};
use crate::Vocabulary;

const DIMENSION: usize = 16;
/// Rows of a table.
const ROWS: usize = 100_000_000;
/// Cells of one column in each row of a batch.
const CELLS: usize = 10_000;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFeature {
    name: String,
    field: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimension: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounds: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<RawValue>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text or a whole number from 0 on")]
enum RawValue {
    Id(u64),
    Text(String),
}

impl TryFrom<RawFeature> for Feature {
    type Error = String;

    fn try_from(raw: RawFeature) -> Result<Self, String> {
        let (name, field) = (raw.name.clone(), raw.field.clone());
        convert(raw).map_err(|reason| format!("feature {name} (field {field}): {reason}"))
    }
}

fn convert(mut raw: RawFeature) -> Result<Feature, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if raw.name.is_empty() || !raw.name.bytes().all(plain) {
        return Err("`name` must be one or more of [a-zA-Z0-9_.-]".to_owned());
    }
    if raw.field.is_empty() {
        return Err("`field` must not be empty".to_owned());
    }
    let kind = take_kind(&mut raw)?;
    let dimension = match kind.has_table() {
        true => positive("dimension", raw.dimension.take().or(Some(DIMENSION)), CELLS)?,
        false => 0,
    };
    let table = match kind.has_table() {
        true => raw.table.take().unwrap_or_else(|| raw.name.clone()),
        false => raw.name.clone(),
    };
    refuse_rest(&raw)?;
    Ok(Feature { name: raw.name, field: raw.field, kind, table, dimension })
}

fn take_kind(raw: &mut RawFeature) -> Result<Kind, String> {
    Ok(match raw.kind.as_str() {
        "hash-bucket" => {
            let buckets = positive("buckets", raw.buckets.take(), ROWS)?;
            Kind::HashBucket { buckets: u64::try_from(buckets).map_err(|e| e.to_string())? }
        }
        "vocabulary" => Kind::Vocabulary {
            maximum: positive("maximum", raw.maximum.take(), ROWS)?,
            minimum_count: minimum_count(raw)?,
        },
        "one-hot" => Kind::OneHot { values: distinct(raw.values.take())? },
        "multi-hot" => Kind::MultiHot {
            maximum: positive("maximum", raw.maximum.take(), ROWS)?,
            minimum_count: minimum_count(raw)?,
            length: positive("length", raw.length.take(), CELLS)?,
        },
        "quantile-buckets" => {
            Kind::QuantileBuckets { buckets: positive("buckets", raw.buckets.take(), ROWS)? }
        }
        "boundaries" => Kind::Boundaries { bounds: ascending(raw.bounds.take())? },
        "log-number" => Kind::LogNumber,
        "bounded-log-number" => Kind::BoundedLogNumber,
        "standard-number" => Kind::StandardNumber,
        "item-sequence" => {
            Kind::ItemSequence { length: positive("length", raw.length.take(), CELLS)? }
        }
        "dense-vector" => {
            Kind::DenseVector { dimension: positive("dimension", raw.dimension.take(), CELLS)? }
        }
        other => return Err(format!("there is no kind {other:?}")),
    })
}

fn positive(key: &str, value: Option<usize>, most: usize) -> Result<usize, String> {
    match value {
        None => Err(format!("`{key}` is missing")),
        Some(0) => Err(format!("`{key}` must not be 0")),
        Some(value) if value > most => Err(format!("`{key}` is more than {most}")),
        Some(value) => Ok(value),
    }
}

/// TOML has no whole numbers above `i64::MAX`.
fn minimum_count(raw: &mut RawFeature) -> Result<u64, String> {
    let count = raw.minimum_count.take().unwrap_or(1);
    match i64::try_from(count) {
        Ok(_) => Ok(count),
        Err(_) => Err("`minimum_count` is more than any count".to_owned()),
    }
}

fn distinct(values: Option<Vec<RawValue>>) -> Result<Vocabulary, String> {
    let values = values.ok_or("`values` is missing")?;
    positive("values", Some(values.len()), CELLS)?;
    let (mut ids, mut texts) = (Vec::new(), Vec::new());
    for value in values {
        match value {
            RawValue::Id(id) => ids.push(id),
            RawValue::Text(text) => texts.push(text),
        }
    }
    match (ids.is_empty(), texts.is_empty()) {
        (_, true) if i64::try_from(ids.iter().copied().max().unwrap_or(0)).is_err() => {
            Err("`values` holds a number above 2^63 - 1".to_owned())
        }
        (_, true) if !repeats(&ids) => Ok(Vocabulary::Ids(ids)),
        (true, _) if !repeats(&texts) => Ok(Vocabulary::Texts(texts)),
        (false, false) => Err("`values` must be all texts or all whole numbers".to_owned()),
        _ => Err("`values` names one twice".to_owned()),
    }
}

fn repeats<T: Ord>(values: &[T]) -> bool {
    values.iter().collect::<BTreeSet<_>>().len() < values.len()
}

fn ascending(bounds: Option<Vec<f64>>) -> Result<Vec<f64>, String> {
    let bounds = bounds.ok_or("`bounds` is missing")?;
    let good =
        bounds.iter().all(|bound| bound.is_finite()) && bounds.is_sorted_by(|one, next| one < next);
    match good && !bounds.is_empty() {
        true => Ok(bounds),
        false => Err("`bounds` must be finite numbers that ascend, at least one".to_owned()),
    }
}

/// What is left over is a key that the kind does not have.
fn refuse_rest(raw: &RawFeature) -> Result<(), String> {
    let rest = [
        ("table", raw.table.is_some()),
        ("dimension", raw.dimension.is_some()),
        ("buckets", raw.buckets.is_some()),
        ("maximum", raw.maximum.is_some()),
        ("minimum_count", raw.minimum_count.is_some()),
        ("length", raw.length.is_some()),
        ("bounds", raw.bounds.is_some()),
        ("values", raw.values.is_some()),
    ];
    match rest.iter().find(|(_, present)| *present) {
        Some((key, _)) => Err(format!("`{key}` has no meaning for kind {:?}", raw.kind)),
        None => Ok(()),
    }
}

impl From<Feature> for RawFeature {
    fn from(feature: Feature) -> Self {
        let has_table = feature.kind.has_table();
        let mut raw = Self {
            table: (has_table && feature.table != feature.name).then_some(feature.table),
            dimension: has_table.then_some(feature.dimension),
            name: feature.name,
            field: feature.field,
            ..Self::default()
        };
        raw.set_kind(feature.kind);
        raw
    }
}

impl RawFeature {
    fn set_kind(&mut self, kind: Kind) {
        let name = match kind {
            Kind::HashBucket { buckets } => {
                self.buckets = usize::try_from(buckets).ok();
                "hash-bucket"
            }
            Kind::Vocabulary { maximum, minimum_count } => {
                (self.maximum, self.minimum_count) = (Some(maximum), Some(minimum_count));
                "vocabulary"
            }
            Kind::OneHot { values } => {
                self.values = Some(match values {
                    Vocabulary::Ids(ids) => ids.into_iter().map(RawValue::Id).collect(),
                    Vocabulary::Texts(texts) => texts.into_iter().map(RawValue::Text).collect(),
                });
                "one-hot"
            }
            Kind::MultiHot { maximum, minimum_count, length } => {
                (self.maximum, self.minimum_count) = (Some(maximum), Some(minimum_count));
                self.length = Some(length);
                "multi-hot"
            }
            Kind::QuantileBuckets { buckets } => {
                self.buckets = Some(buckets);
                "quantile-buckets"
            }
            Kind::Boundaries { bounds } => {
                self.bounds = Some(bounds);
                "boundaries"
            }
            Kind::LogNumber => "log-number",
            Kind::BoundedLogNumber => "bounded-log-number",
            Kind::StandardNumber => "standard-number",
            Kind::ItemSequence { length } => {
                self.length = Some(length);
                "item-sequence"
            }
            Kind::DenseVector { dimension } => {
                self.dimension = Some(dimension);
                "dense-vector"
            }
        };
        name.clone_into(&mut self.kind);
    }
}
