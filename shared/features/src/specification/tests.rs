use super::*;

fn one(keys: &str) -> Result<Specification, FeatureError> {
    Specification::from_toml(&format!("[[feature]]\nname = \"f\"\nfield = \"x\"\n{keys}"))
}

#[test]
fn every_kind_is_read() {
    for (keys, kind) in [
        ("kind = \"hash-bucket\"\nbuckets = 10", Kind::HashBucket { buckets: 10 }),
        (
            "kind = \"vocabulary\"\nmaximum = 5\nminimum_count = 2",
            Kind::Vocabulary { maximum: 5, minimum_count: 2 },
        ),
        (
            "kind = \"multi-hot\"\nmaximum = 5\nlength = 3",
            Kind::MultiHot { maximum: 5, minimum_count: 1, length: 3 },
        ),
        (
            "kind = \"one-hot\"\nvalues = [\"female\", \"male\"]",
            Kind::OneHot { values: Vocabulary::Texts(vec!["female".into(), "male".into()]) },
        ),
        (
            "kind = \"one-hot\"\nvalues = [7, 0]",
            Kind::OneHot { values: Vocabulary::Ids(vec![7, 0]) },
        ),
        ("kind = \"quantile-buckets\"\nbuckets = 4", Kind::QuantileBuckets { buckets: 4 }),
        ("kind = \"boundaries\"\nbounds = [-1, 2.5]", Kind::Boundaries { bounds: vec![-1.0, 2.5] }),
        ("kind = \"log-number\"", Kind::LogNumber),
        ("kind = \"bounded-log-number\"", Kind::BoundedLogNumber),
        ("kind = \"standard-number\"", Kind::StandardNumber),
        ("kind = \"item-sequence\"\nlength = 9", Kind::ItemSequence { length: 9 }),
        ("kind = \"dense-vector\"\ndimension = 7", Kind::DenseVector { dimension: 7 }),
    ] {
        let specification = one(keys).expect(keys);
        assert_eq!(specification.features[0].kind, kind);
        let again = Specification::from_toml(&specification.to_toml()).unwrap();
        assert_eq!(again, specification);
    }
}

#[test]
fn errors_name_the_feature_and_what_is_wrong() {
    for (keys, part) in [
        ("kind = \"hash\"", "no kind \"hash\""),
        ("kind = \"hash-bucket\"", "`buckets` is missing"),
        ("kind = \"hash-bucket\"\nbuckets = 0", "`buckets` must not be 0"),
        ("kind = \"log-number\"\nbuckets = 3", "`buckets` has no meaning"),
        ("kind = \"log-number\"\ndimension = 3", "`dimension` has no meaning"),
        ("kind = \"boundaries\"\nbounds = [2, 1]", "`bounds` must be"),
        ("kind = \"boundaries\"\nbounds = []", "`bounds` must be"),
        ("kind = \"boundaries\"\nbounds = [1, nan]", "`bounds` must be"),
        ("kind = \"multi-hot\"\nmaximum = 3", "`length` is missing"),
        ("kind = \"item-sequence\"\nlength = 10001", "`length` is more than 10000"),
        ("kind = \"one-hot\"", "`values` is missing"),
        ("kind = \"one-hot\"\nvalues = []", "`values` must not be 0"),
        ("kind = \"one-hot\"\nvalues = [1, \"a\"]", "all texts or all whole numbers"),
        ("kind = \"one-hot\"\nvalues = [\"a\", \"a\"]", "names one twice"),
        ("kind = \"one-hot\"\nvalues = [1]\ntable = \"t\"", "`table` has no meaning"),
        ("kind = \"log-number\"\nvalues = [1]", "`values` has no meaning"),
    ] {
        let message = one(keys).expect_err(keys).to_string();
        assert!(message.contains("feature f (field x)") && message.contains(part), "{message}");
    }
    assert!(one("kind = \"log-number\"\ncolour = 1").unwrap_err().to_string().contains("colour"));
}

#[test]
fn features_of_one_table_must_agree() {
    let two = |second: &str| {
        one(&format!(
            "kind = \"vocabulary\"\nmaximum = 5\ntable = \"t\"\ndimension = 4\n\
             [[feature]]\nfield = \"y\"\ntable = \"t\"\n{second}"
        ))
    };
    two("name = \"g\"\nkind = \"item-sequence\"\nlength = 3\ndimension = 4").unwrap();
    for (second, part) in [
        ("name = \"g\"\nkind = \"item-sequence\"\nlength = 3\ndimension = 5", "dimension 5"),
        (
            "name = \"g\"\nkind = \"hash-bucket\"\nbuckets = 3\ndimension = 4",
            "cannot mean the same",
        ),
        ("name = \"f\"\nkind = \"item-sequence\"\nlength = 3\ndimension = 4", "used twice"),
    ] {
        let message = two(second).expect_err(second).to_string();
        assert!(message.contains(part) && message.contains("field y"), "{message}");
    }
}

#[test]
fn unknown_fields_are_found() {
    let message = one("kind = \"log-number\"").unwrap().check_fields().unwrap_err().to_string();
    assert!(message.contains("feature f (field x)"), "{message}");
}

/// Every kind is in the document, and every example there is read.
#[test]
fn the_document_has_every_kind() {
    let document = include_str!("../../../../docs/features.md");
    let examples: String = document
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("a block ends"))
        .collect();
    let specification = Specification::from_toml(&examples).unwrap();
    let unknown = specification.check_fields().unwrap_err().to_string();
    assert!(unknown.contains("item.image"), "{unknown}");
    let kinds: BTreeSet<String> = specification
        .features
        .iter()
        .map(|feature| format!("{:?}", feature.kind))
        .map(|kind| kind.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(kinds.len(), 10, "{kinds:?}");
}
