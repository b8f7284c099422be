use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::Value;

mod laws;
mod numbers;

/// A record of whatever the test says.
#[derive(Debug, Clone, Default)]
struct Fields(HashMap<&'static str, Owned>);

#[derive(Debug, Clone)]
enum Owned {
    Missing,
    Number(f64),
    Id(u64),
    Text(String),
    Texts(Vec<String>),
    Ids(Vec<u64>),
    Vector(Vec<f32>),
}

impl Record for Fields {
    fn value(&self, field: &str) -> Value<'_> {
        match self.0.get(field) {
            None | Some(Owned::Missing) => Value::Missing,
            Some(Owned::Number(number)) => Value::Number(*number),
            Some(Owned::Id(id)) => Value::Id(*id),
            Some(Owned::Text(text)) => Value::Text(text),
            Some(Owned::Texts(texts)) => Value::Texts(texts),
            Some(Owned::Ids(ids)) => Value::Ids(ids),
            Some(Owned::Vector(vector)) => Value::Vector(vector),
        }
    }
}

fn with(value: Owned) -> Fields {
    Fields([("x", value)].into())
}

fn texts(texts: &[&str]) -> Owned {
    Owned::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn text(text: &str) -> Owned {
    Owned::Text(text.to_owned())
}

fn specification(keys: &str) -> Specification {
    Specification::from_toml(&format!("[[feature]]\nname = \"f\"\nfield = \"x\"\n{keys}")).unwrap()
}

fn fit(keys: &str, training: Vec<Owned>) -> Encoder {
    let records: Vec<Fields> = training.into_iter().map(with).collect();
    Encoder::fit(&specification(keys), records.iter().map(|one| one as &dyn Record)).unwrap()
}

fn encode(encoder: &Encoder, record: &dyn Record) -> Batch {
    let mut batch = encoder.batch();
    encoder.encode(record, &mut batch);
    batch
}

fn check_ids(encoder: &Encoder, cases: Vec<(Owned, i64)>) {
    for (value, row) in cases {
        let name = format!("{value:?}");
        let batch = encode(encoder, &with(value));
        assert_eq!(batch.ids, [row], "{name}");
        let rows = i64::try_from(encoder.layout().tables[0].rows).unwrap();
        assert!((0..rows).contains(&row));
    }
}

fn check_bags(encoder: &Encoder, cases: Vec<(Owned, &[i64])>) {
    for (value, rows) in cases {
        let name = format!("{value:?}");
        assert_eq!(encode(encoder, &with(value)).bags, [rows], "{name}");
    }
}

fn check_dense(encoder: &Encoder, cases: Vec<(Owned, &[f32])>) {
    for (value, numbers) in cases {
        let name = format!("{value:?}");
        let dense = encode(encoder, &with(value)).dense;
        assert_eq!(dense.len(), numbers.len(), "{name}");
        for (found, expected) in dense.iter().zip(numbers) {
            assert!((found - expected).abs() < 1e-6, "{name}: {found} is not {expected}");
        }
    }
}

#[test]
fn vocabularies_order_by_frequency_and_know_their_limits() {
    let training = ["b", "c", "c", "a", "b", "c", "rare", "d", "d"].map(text);
    let encoder = fit("kind = \"vocabulary\"\nmaximum = 3\nminimum_count = 2", training.to_vec());
    check_ids(
        &encoder,
        vec![
            (text("c"), 2),
            (text("b"), 3),
            (text("d"), 4),
            (text("a"), 1),
            (text("rare"), 1),
            (text("new"), 1),
            (Owned::Missing, 0),
            (Owned::Id(3), 1),
            (Owned::Number(1.0), 1),
        ],
    );
    assert_eq!(encoder.layout().tables[0].rows, 5);
}

#[test]
fn hash_buckets_are_inside_the_table() {
    let encoder = fit("kind = \"hash-bucket\"\nbuckets = 100", vec![]);
    let bucket = |bytes: &[u8]| i64::try_from(crate::bucket(bytes, 100)).unwrap() + 2;
    check_ids(
        &encoder,
        vec![
            (text("x"), bucket(b"x")),
            (Owned::Id(42), bucket(&42_u64.to_le_bytes())),
            (Owned::Number(1.5), bucket(&1.5_f64.to_bits().to_le_bytes())),
            (Owned::Missing, 0),
            (Owned::Ids(vec![1]), 1),
        ],
    );
    assert_eq!(encoder.layout().tables[0].rows, 102);
}

#[test]
fn boundaries_put_a_bound_above() {
    let encoder = fit("kind = \"boundaries\"\nbounds = [18, 25]", vec![]);
    check_ids(
        &encoder,
        vec![
            (Owned::Number(17.9), 2),
            (Owned::Number(18.0), 3),
            (Owned::Number(25.0), 4),
            (Owned::Number(f64::INFINITY), 4),
            (Owned::Number(f64::NEG_INFINITY), 2),
            (Owned::Number(f64::NAN), 1),
            (Owned::Missing, 0),
            (text("18"), 1),
        ],
    );
    assert_eq!(encoder.layout().tables[0].rows, 5);
}

#[test]
fn one_hot_has_a_number_for_each_value_and_one_for_all_others() {
    let encoder = fit("kind = \"one-hot\"\nvalues = [\"b\", \"a\"]", vec![text("new")]);
    check_dense(
        &encoder,
        vec![
            (text("b"), &[1.0, 0.0, 0.0]),
            (text("a"), &[0.0, 1.0, 0.0]),
            (text("new"), &[0.0, 0.0, 1.0]),
            (Owned::Missing, &[0.0, 0.0, 1.0]),
            (texts(&["a"]), &[0.0, 0.0, 1.0]),
        ],
    );
    let encoder = fit("kind = \"one-hot\"\nvalues = [18, 3]", vec![]);
    check_dense(
        &encoder,
        vec![
            (Owned::Id(18), &[1.0, 0.0, 0.0]),
            (Owned::Number(3.0), &[0.0, 1.0, 0.0]),
            (Owned::Number(3.5), &[0.0, 0.0, 1.0]),
            (Owned::Number(-3.0), &[0.0, 0.0, 1.0]),
            (Owned::Number(f64::NAN), &[0.0, 0.0, 1.0]),
            (Owned::Number(f64::INFINITY), &[0.0, 0.0, 1.0]),
        ],
    );
    assert!(encoder.layout().tables.is_empty());
    assert_eq!(encoder.layout().dense, 3);
}

#[test]
fn bags_keep_the_known_and_mark_the_unknown() {
    let training = vec![texts(&["a", "b"]), texts(&["a", "c"]), texts(&["a", "b"])];
    let encoder = fit("kind = \"multi-hot\"\nmaximum = 10\nlength = 3", training);
    check_bags(
        &encoder,
        vec![
            (texts(&["b", "a"]), &[3, 2, 0]),
            (texts(&["new", "a", "newer"]), &[2, 1, 0]),
            (texts(&["new", "c", "b", "a"]), &[4, 3, 2]),
            (texts(&["new"]), &[1, 0, 0]),
            (texts(&[]), &[0, 0, 0]),
            (Owned::Missing, &[0, 0, 0]),
            (Owned::Number(1.0), &[1, 0, 0]),
        ],
    );
}

#[test]
fn sequences_are_newest_first() {
    let encoder = fit("kind = \"item-sequence\"\nlength = 2", vec![Owned::Ids(vec![7, 8, 8, 9])]);
    // By frequency and id: 8, 7, 9.
    check_bags(
        &encoder,
        vec![
            (Owned::Ids(vec![7, 8, 9]), &[4, 2]),
            (Owned::Ids(vec![7, 8, 100]), &[2, 3]),
            (Owned::Ids(vec![7, 100]), &[3, 1]),
            (Owned::Ids(vec![]), &[0, 0]),
            (texts(&["7"]), &[1, 0]),
        ],
    );
}

#[test]
fn vectors_pass_and_others_are_zero() {
    let encoder = fit("kind = \"dense-vector\"\ndimension = 2", vec![]);
    check_dense(
        &encoder,
        vec![
            (Owned::Vector(vec![1.5, -2.0]), &[1.5, -2.0]),
            (Owned::Vector(vec![f32::NAN, 3.0]), &[0.0, 3.0]),
            (Owned::Vector(vec![1.0]), &[0.0, 0.0]),
            (Owned::Missing, &[0.0, 0.0]),
        ],
    );
}

#[test]
fn training_values_of_the_wrong_form_are_refused() {
    for (keys, value) in [
        ("kind = \"log-number\"", text("9")),
        ("kind = \"vocabulary\"\nmaximum = 3", texts(&["a"])),
        ("kind = \"item-sequence\"\nlength = 3", texts(&["a"])),
        ("kind = \"multi-hot\"\nmaximum = 3\nlength = 3", text("a")),
        ("kind = \"hash-bucket\"\nbuckets = 3", Owned::Ids(vec![1])),
        ("kind = \"dense-vector\"\ndimension = 2", Owned::Vector(vec![1.0])),
        ("kind = \"one-hot\"\nvalues = [\"a\"]", Owned::Id(1)),
        ("kind = \"one-hot\"\nvalues = [1]", text("1")),
    ] {
        let record = with(value);
        let refused = Encoder::fit(&specification(keys), [&record as &dyn Record]);
        let message = refused.expect_err(keys).to_string();
        assert!(message.contains("feature f (field x)"), "{message}");
    }
    let mixed = [with(text("a")), with(Owned::Id(1))];
    let records = mixed.iter().map(|one| one as &dyn Record);
    let refused = Encoder::fit(&specification("kind = \"vocabulary\"\nmaximum = 3"), records);
    assert!(refused.unwrap_err().to_string().contains("both ids and texts"));
}

#[test]
fn a_shared_vocabulary_means_the_same_in_both_encoders() {
    let items = fit(
        "kind = \"vocabulary\"\nmaximum = 9\ntable = \"item\"",
        [5, 6, 6].map(Owned::Id).to_vec(),
    );
    let users = specification("kind = \"item-sequence\"\nlength = 2\ntable = \"item\"");
    let mut fitter = Fitter::new(&users).unwrap().sharing(&items);
    fitter.observe(&with(Owned::Ids(vec![5, 5, 5, 7]))).unwrap();
    let users = fitter.finish().unwrap();
    assert_eq!(users.vocabulary("item"), items.vocabulary("item"));
    check_bags(&users, vec![(Owned::Ids(vec![7, 5, 6]), &[2, 3])]);
}

/// The textbook definition, one bucket after another: the bound of bucket k is the least value
/// that at least k·n/buckets (rounded down) values lie before.
fn brute_bucket(samples: &[f64], buckets: usize, value: f64) -> usize {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut passed: Vec<f64> = Vec::new();
    for bucket in 1..buckets {
        let bound = sorted[bucket * sorted.len() / buckets];
        if bound > sorted[0] && value >= bound && !passed.contains(&bound) {
            passed.push(bound);
        }
    }
    passed.len()
}

proptest! {
    #[test]
    fn quantiles_are_what_brute_force_says(
        samples in prop::collection::vec(-20_i32..20, 1..80),
        buckets in 1_usize..12,
        value in -25_i32..25,
    ) {
        let samples: Vec<f64> = samples.into_iter().map(|one| f64::from(one) / 4.0).collect();
        let keys = format!("kind = \"quantile-buckets\"\nbuckets = {buckets}");
        let encoder = fit(&keys, samples.iter().copied().map(Owned::Number).collect());
        let value = f64::from(value) / 4.0;
        let expected = brute_bucket(&samples, buckets, value) + 2;
        let batch = encode(&encoder, &with(Owned::Number(value)));
        prop_assert_eq!(&batch.ids, &[i64::try_from(expected).unwrap()]);
        prop_assert!(encoder.layout().tables[0].rows <= buckets + 2);
    }

    /// Distinct values, evenly many for each bucket: every bucket gets its share.
    #[test]
    fn quantile_buckets_are_equally_frequent(share in 1_usize..8, buckets in 1_usize..8) {
        let samples = (0..share * buckets).map(|one| Owned::Number(one as f64)).collect::<Vec<_>>();
        let keys = format!("kind = \"quantile-buckets\"\nbuckets = {buckets}");
        let encoder = fit(&keys, samples.clone());
        let mut counts = vec![0; buckets];
        for sample in samples {
            let row = encode(&encoder, &with(sample)).ids[0];
            counts[usize::try_from(row).unwrap() - 2] += 1;
        }
        prop_assert_eq!(counts, vec![share; buckets]);
    }
}

const ALL: &str = r#"
[[feature]]
name = "hash"
field = "user.x"
kind = "hash-bucket"
buckets = 7
[[feature]]
name = "vocabulary"
field = "item.x"
kind = "vocabulary"
maximum = 4
[[feature]]
name = "bag"
field = "pair.x"
kind = "multi-hot"
maximum = 4
length = 3
[[feature]]
name = "quantile"
field = "user.y"
kind = "quantile-buckets"
buckets = 3
[[feature]]
name = "range"
field = "item.y"
kind = "boundaries"
bounds = [0.1]
[[feature]]
name = "log"
field = "pair.y"
kind = "log-number"
[[feature]]
name = "standard"
field = "user.z"
kind = "standard-number"
[[feature]]
name = "flags"
field = "user.w"
kind = "one-hot"
values = ["a", "b"]
[[feature]]
name = "sequence"
field = "item.z"
kind = "item-sequence"
length = 3
[[feature]]
name = "vector"
field = "pair.z"
kind = "dense-vector"
dimension = 2
"#;

const FIELDS: [&str; 10] = [
    "user.x", "item.x", "pair.x", "user.y", "item.y", "pair.y", "user.z", "item.z", "pair.z",
    "user.w",
];

/// A record whose fields have the forms that the features above are fitted on.
fn proper(seed: u64) -> Fields {
    let number = |scale: f64| Owned::Number((seed as f64 / 7.0).sin() * scale);
    let id = Owned::Id(seed % 5);
    let label = texts(&[["a", "b", "c"][usize::try_from(seed % 3).unwrap()]]);
    let values = [
        id.clone(),
        id,
        label,
        number(3.0),
        number(1e-3),
        number(1e6),
        number(0.3),
        Owned::Ids(vec![seed % 4, seed % 6]),
        Owned::Vector(vec![0.5, seed as f32]),
        text(if seed.is_multiple_of(2) { "a" } else { "other" }),
    ];
    Fields(FIELDS.into_iter().zip(values).collect())
}

fn all() -> Encoder {
    let records: Vec<Fields> = (0..50).map(proper).collect();
    let specification = Specification::from_toml(ALL).unwrap();
    Encoder::fit(&specification, records.iter().map(|one| one as &dyn Record)).unwrap()
}

fn bits(batch: &Batch) -> (Vec<i64>, Vec<Vec<i64>>, Vec<u32>) {
    let dense = batch.dense.iter().map(|number| number.to_bits()).collect();
    (batch.ids.clone(), batch.bags.clone(), dense)
}

#[test]
fn stored_encoders_that_do_not_fit_are_refused() {
    let json = all().to_json();
    Encoder::from_json(&json).unwrap();
    for (from, to, part) in [
        ("\"format\": 1", "\"format\": 2", "format is 2"),
        ("\"log\": {", "\"gone\": {", "feature log (field pair.y)"),
        ("\"quantile\": [", "\"gone\": [", "feature quantile (field user.y)"),
        ("\"bag\": {\n        \"texts\"", "\"gone\": {\n        \"texts\"", "table bag"),
    ] {
        assert!(json.contains(from), "{from}");
        let message = Encoder::from_json(&json.replace(from, to)).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn moments_that_would_give_numbers_that_are_not_finite_are_refused() {
    let json = fit("kind = \"standard-number\"", vec![Owned::Number(2.0)]).to_json();
    for (from, to) in [
        ("\"deviation\": \"1\"", "\"deviation\": \"inf\""),
        ("\"mean\": \"2\"", "\"mean\": \"NaN\""),
    ] {
        assert!(json.contains(from), "{json}");
        let bad = json.replace(from, to);
        let message = Encoder::from_json(&bad).unwrap_err().to_string();
        assert!(message.contains("moments are not usable"), "{message}");
    }
}

#[test]
fn tensors_have_the_names_and_shapes_of_the_layout() {
    let encoder = all();
    let mut batch = encoder.batch();
    (0..3).for_each(|seed| encoder.encode(&proper(seed), &mut batch));
    let tensors: BTreeMap<String, Shape> = batch.into_tensors();
    let shapes: Vec<(&str, &[usize])> =
        tensors.iter().map(|(name, shape)| (name.as_str(), &*shape.0)).collect();
    let expected: [(&str, &[usize]); 4] =
        [("bag.bag", &[3, 3]), ("bag.sequence", &[3, 3]), ("dense", &[3, 7]), ("ids", &[3, 4])];
    assert_eq!(shapes, expected);
    let ids: Vec<&str> = encoder.layout().ids.iter().map(|one| one.feature.as_str()).collect();
    assert_eq!(ids, ["hash", "vocabulary", "quantile", "range"]);
}

struct Shape(Vec<usize>);

impl From<ndarray::ArrayD<i64>> for Shape {
    fn from(array: ndarray::ArrayD<i64>) -> Self {
        Self(array.shape().to_vec())
    }
}

impl From<ndarray::ArrayD<f32>> for Shape {
    fn from(array: ndarray::ArrayD<f32>) -> Self {
        Self(array.shape().to_vec())
    }
}
