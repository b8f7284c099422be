use std::collections::BTreeMap;

use ndarray::array;
use tributary_domain::{Action, Behaviour, Timestamp, UserId, UserProfile};

use super::*;
use crate::{
    audience::{Audience, Trait},
    collaborative::{Interactions, Neighbours, Tables},
    factors::{Factors, Loss},
    labels::Labels,
    vector::ItemVectors,
};

/// Why a file is not there, as callers have their own reasons.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Affinity(#[from] AffinityError),
    #[error("no file {0}")]
    Missing(&'static str),
}

fn vectors() -> ItemVectors {
    ItemVectors {
        ids: [1, 2, 3].map(ItemId).to_vec(),
        vectors: array![[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]],
    }
}

fn factors() -> Factors {
    Factors { items: vectors(), loss: Loss { unobserved: 0.5, regularisation: 0.25 } }
}

/// Items 1 and 3 have label 0.
fn genres() -> Labels {
    let items = [(1, vec![0]), (2, vec![]), (3, vec![0])];
    Labels { items: items.map(|(item, labels)| (ItemId(item), labels)).to_vec(), shares: vec![0.5] }
}

fn profile() -> UserProfile {
    UserProfile {
        id: UserId(7),
        age: Some(30),
        gender: None,
        occupation: String::new(),
        blocked_creators: vec![],
        blocked_tags: vec![],
    }
}

fn audience() -> Audience {
    Audience {
        items: vec![ItemId(3)],
        groups: vec![Trait::Age.group(&profile()).unwrap()],
        ratios: array![[-0.25]],
    }
}

fn collaborative() -> Tables {
    let pairs = [(1, 1), (1, 2), (2, 3)].map(|(user, item)| (UserId(user), ItemId(item)));
    let ease = Neighbours::from_dense(
        array![[0.0, 0.5, -0.25], [0.5, 0.0, 1.0], [0.125, 0.0, 0.0]].view(),
        3,
    );
    Tables {
        favourites: Interactions::from_pairs(pairs),
        neighbours: BTreeMap::from([("ease".to_owned(), ease)]),
    }
}

fn read(file: &'static str) -> Result<Vec<u8>, Failure> {
    match file {
        "tables/collaborative.safetensors" => Ok(collaborative().to_bytes()),
        "tables/graph_vectors.safetensors" => Ok(vectors().to_bytes()),
        "tables/factors.safetensors" => Ok(factors().to_bytes()),
        "tables/genres.safetensors" => Ok(genres().to_bytes()),
        "tables/audience.safetensors" => Ok(audience().to_bytes()),
        other => Err(Failure::Missing(other)),
    }
}

fn specification(fields: &[&str]) -> Specification {
    let features = fields.iter().enumerate().map(|(number, field)| {
        format!(
            "[[feature]]\nname = \"f{number}\"\nfield = \"{field}\"\nkind = \"standard-number\"\n"
        )
    });
    Specification::from_toml(&features.collect::<String>()).unwrap()
}

/// Watched 1, liked 2, hid 3, met the unknown 9.
fn context() -> UserContext {
    let deeds = [(1, Action::View), (2, Action::Bookmark), (3, Action::Hide), (9, Action::View)];
    let behaviours = deeds.into_iter().zip(1..).map(|((item, action), time)| Behaviour {
        item: ItemId(item),
        action,
        time: Timestamp(time),
        dwell_ms: 0,
    });
    UserContext {
        behaviours: behaviours.collect(),
        profile: Some(profile()),
        ..UserContext::cold(UserId(7))
    }
}

fn scores(fields: &[&str], context: &UserContext, item: u64) -> BTreeMap<String, f32> {
    let affinities = Affinities::open(&specification(fields), read).unwrap();
    let mut found = Vec::new();
    let candidates = [1, 2, item].map(ItemId);
    affinities.ask(context, &candidates).of(2, &mut found);
    found.into_iter().map(|one| (one.name.to_string(), one.score)).collect()
}

const FIELDS: [&str; 9] = [
    "affinity.ease.engaged",
    "affinity.ease.liked",
    "affinity.graph.engaged",
    "affinity.graph.liked",
    "affinity.graph.recent",
    "affinity.factors.engaged",
    "affinity.genres.engaged",
    "affinity.age.profile",
    "affinity.gender.profile",
];

#[test]
fn tables_say_what_goes_with_the_history() {
    let found = scores(&FIELDS, &context(), 3);
    // Latest first the engaged items are 9, 2, 1.
    let decay = (-1.0_f32 / 20.0).exp2();
    let user = factors().fold().vector([(0, 1.0), (1, 1.0)]);
    let expected = [
        ("affinity.ease.engaged", 0.75),
        ("affinity.ease.liked", 1.0),
        ("affinity.graph.engaged", 1.0),
        ("affinity.graph.liked", 0.5),
        ("affinity.graph.recent", 0.5 * decay + 0.5 * decay * decay),
        ("affinity.factors.engaged", narrowed((user[0] + user[1]) / 2.0)),
        // One of the two known items has the label, as of everybody's.
        ("affinity.genres.engaged", 0.0),
        ("affinity.age.profile", -0.25),
        ("affinity.gender.profile", 0.0),
    ];
    for (name, expected) in expected {
        assert!((found[name] - expected).abs() < 1e-6, "{name}: {} is not {expected}", found[name]);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "compared to 1e-6")]
fn narrowed(value: f64) -> f32 {
    value as f32
}

/// Of items 1, 2 and 3 the graph says 1, 1 and 1 by the engaged and 0, 1 and 0.5 by the liked.
#[test]
fn standings_are_among_the_candidates() {
    let fields = ["standing.graph.engaged", "standing.graph.liked", "affinity.graph.liked"];
    let affinities = Affinities::open(&specification(&fields), read).unwrap();
    let candidates = [3, 1, 2].map(ItemId);
    let answers = affinities.ask(&context(), &candidates);
    let unit = 1.5_f32.sqrt();
    for (place, expected) in [(0, 0.0), (1, -unit), (2, unit)] {
        let mut found = Vec::new();
        answers.of(place, &mut found);
        let of = |name: &str| found.iter().find(|one| one.name.to_string() == name).unwrap().score;
        assert_eq!(of("standing.graph.engaged"), 0.0, "all the same");
        assert!((of("standing.graph.liked") - expected).abs() < 1e-6, "{found:?}");
    }
    affinities.ask(&context(), &[]);
}

#[test]
fn what_no_table_knows_has_nothing_said_for_it() {
    let nothing = |found: BTreeMap<String, f32>| found.into_values().all(|score| score == 0.0);
    assert!(nothing(scores(&FIELDS, &context(), 9)), "an unknown item");
    assert!(nothing(scores(&FIELDS, &UserContext::cold(UserId(1)), 3)), "an unknown user");
}

#[test]
fn only_what_is_asked_is_read_and_once() {
    let mut files = Vec::new();
    let fields =
        ["item.year", "affinity.ease.liked", "affinity.ease.engaged", "affinity.ease.liked"];
    let affinities = Affinities::open(&specification(&fields), |file| {
        files.push(file);
        read(file)
    });
    assert_eq!(affinities.unwrap().columns.len(), 2);
    assert_eq!(files, ["tables/collaborative.safetensors"]);
}

#[test]
fn a_table_that_is_not_there_is_named() {
    let error = Affinities::open(&specification(&["affinity.eaze.liked"]), read).unwrap_err();
    assert!(matches!(error, Failure::Affinity(AffinityError::Unknown { .. })));
    let text = error.to_string();
    assert!(text.contains("affinity.eaze.liked") && text.contains("ease, graph"), "{text}");
    for wrong in ["affinity.age.liked", "affinity.graph.profile", "affinity.ease.profile"] {
        let error = Affinities::open(&specification(&[wrong]), read).unwrap_err().to_string();
        assert!(error.contains(wrong) && error.contains("age.profile"), "{error}");
    }
    let broken = |_| Ok::<_, Failure>(vec![1, 2, 3]);
    let error = Affinities::open(&specification(&["affinity.graph.liked"]), broken).unwrap_err();
    assert!(error.to_string().contains("graph_vectors"), "{error}");
    let absent = |file| Err::<Vec<u8>, _>(Failure::Missing(file));
    let error = Affinities::open(&specification(&["affinity.factors.liked"]), absent).unwrap_err();
    assert!(matches!(error, Failure::Missing("tables/factors.safetensors")));
}
