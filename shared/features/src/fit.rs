use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use crate::{
    Encoder, Feature, FeatureError, Field, Kind, Moments, Record, Specification, Value, Vocabulary,
    state::{Bounds, State},
};

/// Learns vocabularies, bounds and moments from training records, one after another.
pub struct Fitter {
    specification: Specification,
    fields: Vec<Field>,
    counts: BTreeMap<String, Counts>,
    samples: BTreeMap<String, Vec<f64>>,
    sums: BTreeMap<String, Sums>,
    given: BTreeMap<String, Vocabulary>,
}

#[derive(Debug, Default)]
struct Counts {
    ids: HashMap<u64, u64>,
    texts: HashMap<String, u64>,
}

/// Welford's running mean and sum of squared differences.
#[derive(Debug, Default)]
struct Sums {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Fitter {
    pub fn new(specification: &Specification) -> Result<Self, FeatureError> {
        specification.check()?;
        Ok(Self {
            specification: specification.clone(),
            fields: specification.features.iter().map(|one| Field::new(&*one.field)).collect(),
            counts: BTreeMap::new(),
            samples: BTreeMap::new(),
            sums: BTreeMap::new(),
            given: BTreeMap::new(),
        })
    }

    /// Takes the vocabularies of tables that the other encoder has too, so that both mean the
    /// same by a row, instead of learning them.
    #[must_use]
    pub fn sharing(mut self, other: &Encoder) -> Self {
        for (table, vocabulary) in other.vocabularies() {
            self.given.insert(table.to_owned(), vocabulary.clone());
        }
        self
    }

    /// Adds a training record. A value of a form that its feature cannot encode is refused.
    pub fn observe(&mut self, record: &dyn Record) -> Result<(), FeatureError> {
        for (feature, field) in self.specification.features.iter().zip(&self.fields) {
            let value = record.resolved(field);
            check_form(feature, &value)?;
            match feature.kind {
                Kind::Vocabulary { .. } | Kind::MultiHot { .. } | Kind::ItemSequence { .. } => {
                    if !self.given.contains_key(&feature.table) {
                        entry(&mut self.counts, &feature.table).add(&value);
                    }
                }
                Kind::QuantileBuckets { .. } => {
                    let samples = entry(&mut self.samples, &feature.name);
                    samples.extend(finite(&value));
                }
                Kind::LogNumber => {
                    let sums = entry(&mut self.sums, &feature.name);
                    finite(&value).into_iter().for_each(|number| sums.add(log(number)));
                }
                Kind::BoundedLogNumber => {
                    let sums = entry(&mut self.sums, &feature.name);
                    let range = entry(&mut self.samples, &feature.name);
                    if let Some(number) = finite(&value).map(log) {
                        sums.add(number);
                        widen(range, number);
                    }
                }
                Kind::StandardNumber => {
                    let sums = entry(&mut self.sums, &feature.name);
                    finite(&value).into_iter().for_each(|number| sums.add(number));
                }
                Kind::HashBucket { .. }
                | Kind::OneHot { .. }
                | Kind::Boundaries { .. }
                | Kind::DenseVector { .. } => {}
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<Encoder, FeatureError> {
        let mut state = State::default();
        for feature in &self.specification.features {
            match feature.kind {
                Kind::Vocabulary { .. } | Kind::MultiHot { .. } | Kind::ItemSequence { .. } => {
                    if !state.vocabularies.contains_key(&feature.table) {
                        let vocabulary = self.vocabulary(feature)?;
                        state.vocabularies.insert(feature.table.clone(), vocabulary);
                    }
                }
                Kind::QuantileBuckets { buckets } => {
                    let samples = self.samples.remove(&feature.name).unwrap_or_default();
                    let bounds = Bounds(quantiles(samples, buckets));
                    state.quantiles.insert(feature.name.clone(), bounds);
                }
                Kind::BoundedLogNumber => {
                    let sums = self.sums.remove(&feature.name).unwrap_or_default();
                    state.moments.insert(feature.name.clone(), sums.moments());
                    let range = self.samples.remove(&feature.name).unwrap_or_default();
                    state.quantiles.insert(feature.name.clone(), Bounds(range));
                }
                Kind::LogNumber | Kind::StandardNumber => {
                    let sums = self.sums.remove(&feature.name).unwrap_or_default();
                    state.moments.insert(feature.name.clone(), sums.moments());
                }
                Kind::HashBucket { .. }
                | Kind::OneHot { .. }
                | Kind::Boundaries { .. }
                | Kind::DenseVector { .. } => {}
            }
        }
        Encoder::new(self.specification, state)
    }

    fn vocabulary(&self, feature: &Feature) -> Result<Vocabulary, FeatureError> {
        if let Some(given) = self.given.get(&feature.table) {
            return Ok(given.clone());
        }
        let (maximum, minimum) = self.limits(&feature.table);
        match self.counts.get(&feature.table) {
            Some(Counts { ids, texts }) if !ids.is_empty() && !texts.is_empty() => {
                Err(feature.table_error("it is given both ids and texts"))
            }
            Some(Counts { texts, .. }) if !texts.is_empty() => {
                Ok(Vocabulary::Texts(most_frequent(texts, maximum, minimum)))
            }
            Some(Counts { ids, .. }) => Ok(Vocabulary::Ids(most_frequent(ids, maximum, minimum))),
            None => Ok(Vocabulary::Ids(Vec::new())),
        }
    }

    /// The widest limits of all features of a table; a table of sequences alone has none.
    fn limits(&self, table: &str) -> (usize, u64) {
        let features = self.specification.features.iter().filter(|one| one.table == table);
        let limits = features.filter_map(|feature| match feature.kind {
            Kind::Vocabulary { maximum, minimum_count }
            | Kind::MultiHot { maximum, minimum_count, .. } => Some((maximum, minimum_count)),
            _ => None,
        });
        limits
            .reduce(|one, other| (one.0.max(other.0), one.1.min(other.1)))
            .unwrap_or((usize::MAX, 1))
    }
}

/// Counting happens once a record and feature: the name is copied only the first time.
fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it was inserted where it was not there")
}

impl Counts {
    fn add(&mut self, value: &Value<'_>) {
        match value {
            Value::Id(id) => *self.ids.entry(*id).or_default() += 1,
            Value::Ids(ids) => {
                ids.iter().for_each(|id| *self.ids.entry(*id).or_default() += 1);
            }
            Value::Text(text) => self.add_text(text),
            Value::Texts(texts) => texts.iter().for_each(|text| self.add_text(text)),
            Value::Missing | Value::Number(_) | Value::Vector(_) => {}
        }
    }

    fn add_text(&mut self, text: &str) {
        match self.texts.get_mut(text) {
            Some(count) => *count += 1,
            None => {
                self.texts.insert(text.to_owned(), 1);
            }
        }
    }
}

impl Sums {
    fn add(&mut self, number: f64) {
        self.count += 1.0;
        let before = number - self.mean;
        self.mean += before / self.count;
        self.squares += before * (number - self.mean);
    }

    /// A constant column gets deviation 1, so that it encodes to 0.
    fn moments(&self) -> Moments {
        let variance = if self.count > 0.0 { self.squares / self.count } else { 0.0 };
        let deviation = variance.sqrt();
        let usable = deviation.is_finite() && deviation > 1e-9 && self.mean.is_finite();
        match usable {
            true => Moments { mean: self.mean, deviation },
            false if self.mean.is_finite() => Moments { mean: self.mean, deviation: 1.0 },
            false => Moments { mean: 0.0, deviation: 1.0 },
        }
    }
}

fn check_form(feature: &Feature, value: &Value<'_>) -> Result<(), FeatureError> {
    let (fits, takes) = match (&feature.kind, value) {
        (_, Value::Missing) => return Ok(()),
        (Kind::HashBucket { .. }, value) => (
            matches!(value, Value::Id(_) | Value::Text(_) | Value::Number(_)),
            "an id, a text or a number",
        ),
        (Kind::Vocabulary { .. }, value) => {
            (matches!(value, Value::Id(_) | Value::Text(_)), "an id or a text")
        }
        (Kind::OneHot { values: Vocabulary::Texts(_) }, value) => {
            (matches!(value, Value::Text(_)), "a text")
        }
        (Kind::OneHot { values: Vocabulary::Ids(_) }, value) => {
            (matches!(value, Value::Id(_) | Value::Number(_)), "an id or a number")
        }
        (Kind::MultiHot { .. }, value) => {
            (matches!(value, Value::Ids(_) | Value::Texts(_)), "ids or texts")
        }
        (Kind::ItemSequence { .. }, value) => (matches!(value, Value::Ids(_)), "ids"),
        (Kind::DenseVector { dimension }, value) => (
            matches!(value, Value::Vector(vector) if vector.len() == *dimension),
            "a vector of its dimension",
        ),
        (
            Kind::QuantileBuckets { .. }
            | Kind::Boundaries { .. }
            | Kind::LogNumber
            | Kind::BoundedLogNumber
            | Kind::StandardNumber,
            value,
        ) => (matches!(value, Value::Number(_)), "a number"),
    };
    match fits {
        true => Ok(()),
        false => Err(feature.error(format_args!("the record holds {}, not {takes}", value.form()))),
    }
}

fn finite(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Number(number) if number.is_finite() => Some(*number),
        _ => None,
    }
}

/// The logarithm that counts are taken by.
pub(crate) fn log(number: f64) -> f64 {
    number.max(0.0).ln_1p()
}

/// The values at ranks k·n/buckets of the sorted samples, each once, the smallest value left out:
/// no bucket is empty, and equal values are in one bucket.
fn quantiles(mut samples: Vec<f64>, buckets: usize) -> Vec<f64> {
    samples.sort_by(f64::total_cmp);
    let ranks = (1..buckets).map(|bucket| bucket * samples.len() / buckets);
    let mut bounds: Vec<f64> = ranks.filter_map(|rank| samples.get(rank).copied()).collect();
    bounds.dedup();
    bounds.retain(|bound| Some(bound) > samples.first());
    bounds
}

fn most_frequent<K: Clone + Ord>(counts: &HashMap<K, u64>, maximum: usize, minimum: u64) -> Vec<K> {
    let mut entries: Vec<_> = counts.iter().filter(|(_, count)| **count >= minimum).collect();
    entries.sort_by_key(|(key, count)| (Reverse(**count), *key));
    entries.into_iter().take(maximum).map(|(key, _)| key.clone()).collect()
}

/// Keeps the least and the greatest number.
fn widen(range: &mut Vec<f64>, number: f64) {
    match range.as_mut_slice() {
        [least, most] => (*least, *most) = (least.min(number), most.max(number)),
        _ => range.extend([number, number]),
    }
}
