//! What holds for every record, every stored encoder and every text.

use super::*;

/// Any value of any form, the odd ones more often than chance would have it.
fn anything() -> impl Strategy<Value = Owned> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE / 2.0, -0.0];
    prop_oneof![
        Just(Owned::Missing),
        prop::num::f64::ANY.prop_map(Owned::Number),
        prop::sample::select(odd.to_vec()).prop_map(Owned::Number),
        prop_oneof![any::<u64>(), 0..6_u64, Just(u64::MAX)].prop_map(Owned::Id),
        prop_oneof![any::<String>(), "[ab]", Just("\u{0}é\u{202e}𝕏\u{fffd}".to_owned())]
            .prop_map(Owned::Text),
        prop::collection::vec(prop_oneof![any::<String>(), "[abc]"], 0..6).prop_map(Owned::Texts),
        (0_usize..20_000).prop_map(|length| Owned::Texts(vec!["a".to_owned(); length])),
        prop::collection::vec(prop_oneof![any::<u64>(), 0..6_u64], 0..6).prop_map(Owned::Ids),
        (0_u64..20_000).prop_map(|length| Owned::Ids((0..length).collect())),
        prop::collection::vec(prop::num::f32::ANY, 0..4).prop_map(Owned::Vector),
        Just(Owned::Vector(vec![f32::NAN; 10_000])),
    ]
}

fn record(values: Vec<Owned>) -> Fields {
    Fields(FIELDS.into_iter().zip(values).collect())
}

/// The row has the layout's shape, its rows lie inside the tables and its numbers are finite.
fn check_row(encoder: &Encoder, batch: &Batch) -> Result<(), TestCaseError> {
    let layout = encoder.layout();
    let inside = |row: i64, table: usize| {
        usize::try_from(row).is_ok_and(|row| row < layout.tables[table].rows)
    };
    prop_assert_eq!(batch.ids.len(), layout.ids.len());
    prop_assert!(batch.ids.iter().zip(&layout.ids).all(|(row, one)| inside(*row, one.table)));
    prop_assert_eq!(batch.bags.len(), layout.bags.len());
    for (bag, column) in batch.bags.iter().zip(&layout.bags) {
        prop_assert_eq!(bag.len(), column.length);
        prop_assert!(bag.iter().all(|row| inside(*row, column.table)));
    }
    prop_assert_eq!(batch.dense.len(), layout.dense);
    prop_assert!(batch.dense.iter().all(|number| number.is_finite()));
    Ok(())
}

proptest! {
    /// And the three ways to encode a record give the same bits, the stored encoder's included.
    #[test]
    fn any_record_is_encoded_in_the_same_way_everywhere(
        values in prop::collection::vec(anything(), FIELDS.len())
    ) {
        let encoder = all();
        let record = record(values);
        let direct = encode(&encoder, &record);
        check_row(&encoder, &direct)?;
        let cached = encoder.part(Side::Item, &record);
        let mut rows = encoder.rows(&record);
        rows.push(&cached, &record);
        prop_assert_eq!(bits(&rows.finish()), bits(&direct));
        let stored = Encoder::from_json(&encoder.to_json()).unwrap();
        prop_assert_eq!(bits(&encode(&stored, &record)), bits(&direct));
    }

    /// A fitter that is given odd records refuses them or makes an encoder that is as good as any.
    #[test]
    fn any_training_is_an_error_at_worst(
        training in prop::collection::vec(prop::collection::vec(anything(), FIELDS.len()), 0..4),
        values in prop::collection::vec(anything(), FIELDS.len()),
    ) {
        let mut fitter = Fitter::new(&Specification::from_toml(ALL).unwrap()).unwrap();
        for values in training {
            // What one feature refuses, those before it may have taken.
            let _refused = fitter.observe(&record(values));
        }
        if let Ok(encoder) = fitter.finish() {
            check_row(&encoder, &encode(&encoder, &record(values)))?;
            prop_assert!(Encoder::from_json(&encoder.to_json()).is_ok());
        }
    }

    #[test]
    fn fitted_numbers_are_stored_to_the_bit(
        samples in prop::collection::vec(prop::num::f64::ANY, 1..20)
    ) {
        let samples: Vec<Owned> = samples.into_iter().map(Owned::Number).collect();
        for keys in ["kind = \"quantile-buckets\"\nbuckets = 5", "kind = \"standard-number\""] {
            let encoder = fit(keys, samples.clone());
            let stored = Encoder::from_json(&encoder.to_json()).unwrap();
            prop_assert_eq!(&stored.state, &encoder.state);
            prop_assert_eq!(stored.layout(), encoder.layout());
        }
    }

    #[test]
    fn any_text_is_an_error_at_worst(text: String) {
        prop_assert!(Encoder::from_json(&text).is_err());
        if let Ok(specification) = Specification::from_toml(&text) {
            prop_assert!(specification.features.is_empty());
        }
    }
}

/// One change of a text at a place of it, as an editor or a bad disk would make one.
#[derive(Debug, Clone)]
enum Change {
    Insert(String),
    Remove(usize),
    Repeat(usize),
    /// The next number becomes this one.
    Number(&'static str),
}

fn change() -> impl Strategy<Value = (prop::sample::Index, Change)> {
    let numbers = [
        "0",
        "1",
        "-1",
        "3",
        "10000",
        "10001",
        "100000000",
        "100000001",
        "9223372036854775807",
        "18446744073709551615",
        "1e400",
        "-1e308",
        "1e-320",
        "nan",
        "inf",
        "\"\"",
        "null",
        "[]",
        "0.5",
        "{}",
    ];
    let change = prop_oneof![
        any::<String>().prop_map(Change::Insert),
        "[\\[\\]{}\",:=.0-9a-z\n-]{1,3}".prop_map(Change::Insert),
        (1_usize..40).prop_map(Change::Remove),
        (1_usize..200).prop_map(Change::Repeat),
        prop::sample::select(numbers.to_vec()).prop_map(Change::Number),
    ];
    (any::<prop::sample::Index>(), change)
}

fn changed(text: &str, changes: &[(prop::sample::Index, Change)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (place, change)| {
        let characters: Vec<char> = text.chars().collect();
        let (head, tail) = characters.split_at(place.index(characters.len() + 1));
        let within = |length: usize| length.min(tail.len());
        let string = |characters: &[char]| characters.iter().collect::<String>();
        match change {
            Change::Insert(text) => string(head) + text + &string(tail),
            Change::Remove(length) => string(head) + &string(&tail[within(*length)..]),
            Change::Repeat(length) => {
                string(head) + &string(&tail[..within(*length)]) + &string(tail)
            }
            Change::Number(number) => {
                let tail = string(tail);
                let digit = |character: char| character.is_ascii_digit();
                let start = tail.find(digit).unwrap_or(tail.len());
                let rest = tail[start..].trim_start_matches(digit);
                string(head) + &tail[..start] + number + rest
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A stored encoder that was tampered with is refused or is an encoder like any other.
    #[test]
    fn a_changed_encoder_is_refused_or_whole(
        changes in prop::collection::vec(change(), 1..4),
        values in prop::collection::vec(anything(), FIELDS.len()),
    ) {
        if let Ok(encoder) = Encoder::from_json(&changed(&all().to_json(), &changes)) {
            check_row(&encoder, &encode(&encoder, &record(values)))?;
            let stored = Encoder::from_json(&encoder.to_json()).unwrap();
            prop_assert_eq!(stored.layout(), encoder.layout());
            let text = encoder.specification().to_toml();
            prop_assert_eq!(&Specification::from_toml(&text).unwrap(), encoder.specification());
        }
    }

    #[test]
    fn a_changed_specification_is_refused_or_whole(changes in prop::collection::vec(change(), 1..4)) {
        if let Ok(specification) = Specification::from_toml(&changed(ALL, &changes)) {
            let again = Specification::from_toml(&specification.to_toml()).unwrap();
            prop_assert_eq!(&again, &specification);
            let none = std::iter::empty::<&dyn Record>();
            let encoder = Encoder::fit(&specification, none).unwrap();
            check_row(&encoder, &encode(&encoder, &proper(3)))?;
        }
    }
}

/// The changes above do reach encoders that are still read: otherwise the two laws say nothing.
#[test]
fn some_changes_leave_something_to_read() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (json, mut read) = (all().to_json(), 0);
    for _ in 0..300 {
        let changes =
            prop::collection::vec(change(), 1..4).new_tree(&mut runner).unwrap().current();
        read += usize::from(Encoder::from_json(&changed(&json, &changes)).is_ok());
    }
    assert!((5..290).contains(&read), "{read} of 300");
}
