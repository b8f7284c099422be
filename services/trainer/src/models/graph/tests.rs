//! Planted communities, and what each method makes of real data.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_domain::{Action, Behaviour, Timestamp, UserId};

use super::*;

const COMMUNITIES: u64 = 5;
const ITEMS: u64 = 60;

/// Sessions of eight items, nine tenths of a session's items from one community: the ids that
/// leave the same rest.
fn planted(seed: u64) -> Vec<Event> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut events = Vec::new();
    for session in 0..300_u64 {
        let community = session % COMMUNITIES;
        for step in 0..8 {
            let community = if random.random_bool(0.9) {
                community
            } else {
                random.random_range(0..COMMUNITIES)
            };
            let item = random.random_range(0..ITEMS / COMMUNITIES) * COMMUNITIES + community + 1;
            let time = Timestamp(i64::try_from(session).unwrap() * 10_000_000 + step * 1_000);
            let behaviour =
                Behaviour { item: ItemId(item), action: Action::View, time, dwell_ms: 0 };
            events.push(Event { user: UserId(session % 40 + 1), behaviour });
        }
    }
    events
}

fn catalogue() -> Vec<Item> {
    (1..=ITEMS + 5).map(|id| Item::bare(ItemId(id))).collect()
}

fn config(method: Method) -> GraphConfig {
    GraphConfig { method, dimension: 8, ..GraphConfig::default() }
}

/// A step that nobody looks at.
fn quiet() -> Step {
    Step::start("graph")
}

#[test]
fn nearest_items_are_of_the_same_community() {
    for method in [Method::Filter, Method::Aggregation] {
        let ItemVectors { ids, vectors } =
            train(&planted(1), &catalogue(), &config(method), 1, &quiet()).unwrap();
        assert_eq!(ids, (1..=ITEMS).map(ItemId).collect::<Vec<_>>(), "five have no edge");
        let mut same = 0;
        for (row, id) in ids.iter().enumerate() {
            let mut others: Vec<(f32, ItemId)> = ids
                .iter()
                .zip(vectors.rows())
                .filter(|(other, _)| *other != id)
                .map(|(other, vector)| (vector.dot(&vectors.row(row)), *other))
                .collect();
            others.sort_by(|one, other| other.0.total_cmp(&one.0));
            let nearest = others[..5].iter();
            same +=
                nearest.filter(|(_, other)| other.0 % COMMUNITIES == id.0 % COMMUNITIES).count();
        }
        let total = ids.len() * 5;
        assert!(same * 100 >= total * 95, "{method:?}: {same} of {total}");
    }
}

#[test]
fn equal_seeds_give_equal_bits_and_lengths_follow_the_users() {
    for method in [Method::Filter, Method::Aggregation] {
        let train = || train(&planted(2), &catalogue(), &config(method), 7, &quiet()).unwrap();
        let ItemVectors { ids, vectors } = train();
        assert_eq!(vectors, train().vectors, "{method:?}");
        let users = Interactions::of(&planted(2));
        for (id, row) in ids.iter().zip(vectors.rows()) {
            let column = crate::interactions::position(users.row(*id).unwrap());
            let count = float(users.by_item[column].len());
            let length = f64::from(row.dot(&row).sqrt());
            assert!((length - count / (count + 10.0)).abs() < 1e-5);
        }
    }
}

#[test]
fn no_events_and_few_are_no_failure() {
    for method in [Method::Filter, Method::Aggregation] {
        assert!(train(&[], &catalogue(), &config(method), 1, &quiet()).unwrap().ids.is_empty());
        let events = planted(1);
        for (count, items) in [(1, 0), (2, 2)] {
            let found =
                train(&events[..count], &catalogue(), &config(method), 1, &quiet()).unwrap();
            assert_eq!(found.ids.len(), items, "an item alone has no edge");
        }
    }
}

/// What the channel alone finds on the test period of a data set, by each method:
/// `TRIBUTARY_DATA=folder cargo test --release -p tributary-trainer -- --ignored --nocapture graph`.
#[test]
#[ignore = "reads the data set that TRIBUTARY_DATA names and prints"]
fn measure() {
    use tributary_retrieval::{medoids, vector::VectorIndex};

    use crate::{
        config::Config,
        data::{Files, Format, Source, read},
        evaluate::lists::Judge,
        protocol::Protocol,
    };

    let source = Source {
        files: Files::Whole(std::env::var("TRIBUTARY_DATA").unwrap().into()),
        format: Format::Auto,
        rejected_share: 0.01,
        seed: 1,
    };
    let data = read(&source).unwrap();
    let config = Config::default();
    let round = Protocol::of(&data, &config.split, 1).unwrap().test;
    let catalogue = data.catalogue(round.before);
    for method in [Method::Filter, Method::Aggregation] {
        let start = std::time::Instant::now();
        let graph = GraphConfig { method, ..config.graph.clone() };
        let ItemVectors { ids, vectors } =
            train(&round.learned, &catalogue, &graph, config.seed, &quiet()).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let index = VectorIndex::build(ids, vectors, &config.vector).unwrap();
        let lists: Vec<Vec<ItemId>> = round
            .cases
            .iter()
            .map(|case| {
                let list = medoids::recall(&index, &case.context, 200, &config.medoids, &|_| false);
                list.unwrap().into_iter().map(|scored| scored.item).collect()
            })
            .collect();
        let metrics = Judge::new(&catalogue).row(&round.cases, &lists);
        eprintln!("{method:?} in {seconds:.1} s: {metrics:?}");
    }
}
