use std::sync::Arc;

use crate::{Moments, Part, Value, fit::log, hash::bucket_of, state::Index};

/// Missing values and padding.
const PADDING: i64 = 0;
/// Values that training did not see, and values of a form that the feature cannot encode.
const UNKNOWN: i64 = 1;
/// The first row of a real value.
const FIRST: usize = 2;
/// Standardised numbers stay within: an outlier must not drown all other inputs.
const LIMIT: f64 = 8.0;
/// Up to 2^53 every whole number is a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Encodes the values of one column. Total: whatever the value, the same number of cells is
/// written, and all are finite.
#[derive(Debug, Clone)]
pub(crate) enum Codec {
    Hash {
        buckets: u64,
    },
    Lookup(Arc<Index>),
    Ranges(Vec<f64>),
    OneHot(Index),
    Log(Moments),
    /// With the least and the greatest logarithm of training.
    Bounded(Moments, [f64; 2]),
    Standard(Moments),
    Labels {
        index: Arc<Index>,
        length: usize,
    },
    Sequence {
        index: Arc<Index>,
        length: usize,
    },
    Vector {
        dimension: usize,
    },
}

impl Codec {
    pub(crate) fn encode(&self, value: &Value<'_>, part: &mut Part) {
        match self {
            Self::Hash { buckets } => part.ids.push(hashed(value, *buckets)),
            Self::Lookup(index) => part.ids.push(looked_up(value, index)),
            Self::Ranges(bounds) => part.ids.push(ranged(value, bounds)),
            Self::OneHot(index) => one_hot(value, index, &mut part.dense),
            Self::Log(moments) => part.dense.push(standardised(value, moments, log)),
            Self::Bounded(moments, [least, most]) => {
                let bounded = |number| log(number).clamp(*least, *most);
                part.dense.push(standardised(value, moments, bounded));
            }
            Self::Standard(moments) => part.dense.push(standardised(value, moments, |x| x)),
            Self::Labels { index, length } => labels(value, index, *length, &mut part.bags),
            Self::Sequence { index, length } => sequence(value, index, *length, &mut part.bags),
            Self::Vector { dimension } => vector(value, *dimension, &mut part.dense),
        }
    }
}

fn hashed(value: &Value<'_>, buckets: u64) -> i64 {
    match (value, bucket_of(value, buckets)) {
        (Value::Missing, _) => PADDING,
        (_, Some(bucket)) => row(usize::try_from(bucket).unwrap_or(usize::MAX)),
        (_, None) => UNKNOWN,
    }
}

fn looked_up(value: &Value<'_>, index: &Index) -> i64 {
    match value {
        Value::Missing => PADDING,
        Value::Id(id) => index.id(*id).unwrap_or(UNKNOWN),
        Value::Text(text) => index.text(text).unwrap_or(UNKNOWN),
        Value::Number(_) | Value::Texts(_) | Value::Ids(_) | Value::Vector(_) => UNKNOWN,
    }
}

fn ranged(value: &Value<'_>, bounds: &[f64]) -> i64 {
    match value {
        Value::Missing => PADDING,
        Value::Number(number) if !number.is_nan() => {
            row(bounds.partition_point(|bound| bound <= number))
        }
        _ => UNKNOWN,
    }
}

/// The known values' cells and behind them the cell of all others.
pub(crate) fn one_hot_width(values: usize) -> usize {
    values + 1
}

fn one_hot(value: &Value<'_>, index: &Index, dense: &mut Vec<f32>) {
    let row = match value {
        Value::Id(id) => index.id(*id),
        Value::Text(text) => index.text(text),
        Value::Number(number) => whole(*number).and_then(|id| index.id(id)),
        Value::Missing | Value::Texts(_) | Value::Ids(_) | Value::Vector(_) => None,
    };
    let start = dense.len();
    let others = index.len();
    let place = row.and_then(|row| usize::try_from(row).ok()).map_or(others, |row| row - FIRST);
    dense.resize(start + one_hot_width(index.len()), 0.0);
    dense[start + place] = 1.0;
}

/// The number as an integer, where it is exactly one.
fn whole(number: f64) -> Option<u64> {
    let exact = number.fract() == 0.0 && (0.0..=EXACT).contains(&number);
    exact.then_some(number as u64)
}

/// The row of the real value with that index.
fn row(index: usize) -> i64 {
    i64::try_from(index.saturating_add(FIRST)).unwrap_or(UNKNOWN)
}

fn standardised(value: &Value<'_>, moments: &Moments, scale: impl Fn(f64) -> f64) -> f32 {
    match value {
        Value::Number(number) if !number.is_nan() => {
            let standard = (scale(*number) - moments.mean) / moments.deviation;
            to_single(standard.clamp(-LIMIT, LIMIT))
        }
        // The mean says the least.
        _ => 0.0,
    }
}

/// The nearest f32; the argument is within ±8.
fn to_single(number: f64) -> f32 {
    number as f32
}

fn labels(value: &Value<'_>, index: &Index, length: usize, bags: &mut Vec<i64>) {
    match value {
        Value::Texts(texts) => fill(bags, length, texts.iter().map(|text| index.text(text))),
        Value::Ids(ids) => fill(bags, length, ids.iter().map(|id| index.id(*id))),
        Value::Missing => fill(bags, length, []),
        _ => fill(bags, length, [None]),
    }
}

fn sequence(value: &Value<'_>, index: &Index, length: usize, bags: &mut Vec<i64>) {
    match value {
        Value::Ids(ids) => fill(bags, length, ids.iter().rev().map(|id| index.id(*id))),
        Value::Missing => fill(bags, length, []),
        _ => fill(bags, length, [None]),
    }
}

/// The known rows first, then one unknown row where something was unknown and there is room, then
/// padding: unknown values never displace known ones.
fn fill(bags: &mut Vec<i64>, length: usize, rows: impl IntoIterator<Item = Option<i64>>) {
    let end = bags.len() + length;
    let mut unknown = false;
    for row in rows {
        match row {
            Some(row) if bags.len() < end => bags.push(row),
            Some(_) => break,
            None => unknown = true,
        }
    }
    if unknown && bags.len() < end {
        bags.push(UNKNOWN);
    }
    bags.resize(end, PADDING);
}

fn vector(value: &Value<'_>, dimension: usize, dense: &mut Vec<f32>) {
    match value {
        Value::Vector(vector) if vector.len() == dimension => {
            let finite = |number: &f32| if number.is_finite() { *number } else { 0.0 };
            dense.extend(vector.iter().map(finite));
        }
        _ => dense.resize(dense.len() + dimension, 0.0),
    }
}
