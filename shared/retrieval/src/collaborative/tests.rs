//! The channel against brute force, and the tables against damage.

use std::collections::BTreeMap;

use ndarray::Array2;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_domain::{Action, Behaviour, ItemId, Timestamp, UserId};

use super::*;
use crate::TableError;

/// A random matrix of interactions with a random weight matrix as the table "dense".
struct World {
    pairs: Vec<(UserId, ItemId)>,
    weights: Array2<f32>,
    tables: Arc<Tables>,
}

const ITEMS: u64 = 30;
const USERS: u64 = 25;

fn world(seed: u64) -> World {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let all = (1..=USERS).flat_map(|user| (1..=ITEMS).map(move |item| (user, item)));
    let kept = all.filter(|_| random.random_bool(0.3));
    let pairs: Vec<(UserId, ItemId)> =
        kept.map(|(user, item)| (UserId(user), ItemId(item))).collect();
    let items: Vec<ItemId> = (1..=ITEMS).map(ItemId).collect();
    let count = items.len();
    let weights = Array2::from_shape_fn((count, count), |(row, column)| {
        if row == column { 0.0 } else { random.random_range(-0.5..1.0) }
    });
    let favourites = Interactions::over(items, pairs.iter().copied());
    let dense = Neighbours::from_dense(weights.view(), count);
    let cosine = item_to_item_cosine(&favourites, count, 0.0);
    let neighbours = BTreeMap::from([("dense".to_owned(), dense), ("cosine".to_owned(), cosine)]);
    World { pairs, weights, tables: Arc::new(Tables { favourites, neighbours }) }
}

fn channel(world: &World, config: CollaborativeConfig) -> Collaborative {
    Collaborative::new(Arc::clone(&world.tables), config).unwrap()
}

fn config(table: &str) -> CollaborativeConfig {
    // No decay, so that the oracles below stay simple.
    let simple = CollaborativeConfig { shrink: 0.0, recency_half_life: 0.0, ..Default::default() };
    CollaborativeConfig { table: table.to_owned(), neighbours: 100, ..simple }
}

fn context(user: u64, steps: &[(u64, Action)], seen: &[u64]) -> UserContext {
    let behaviours = (0_i64..).zip(steps).map(|(time, (item, action))| Behaviour {
        item: ItemId(*item),
        action: *action,
        time: Timestamp(time),
        dwell_ms: 0,
    });
    UserContext {
        behaviours: behaviours.collect(),
        seen: seen.iter().copied().map(ItemId).collect(),
        ..UserContext::cold(UserId(user))
    }
}

/// The items with a positive score, best first.
fn ranked(scores: &[f64], seen: &[u64]) -> Vec<(u64, f64)> {
    let mut list: Vec<(u64, f64)> = (1_u64..)
        .zip(scores.iter().copied())
        .filter(|(item, score)| *score > 1e-6 && !seen.contains(item))
        .collect();
    list.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    list
}

#[track_caller]
fn assert_list(found: &[Scored], expected: &[(u64, f64)]) {
    assert_eq!(found.len(), expected.len());
    for (found, (item, score)) in found.iter().zip(expected) {
        assert!((f64::from(found.score) - score).abs() < 1e-4, "{found:?} {item} {score}");
        assert_eq!(found.item.0, *item);
    }
}

fn index(item: u64) -> usize {
    usize::try_from(item - 1).unwrap()
}

#[test]
fn item_to_item_is_the_product_with_the_weight_matrix() {
    for seed in 0..5 {
        let world = world(seed);
        let config = CollaborativeConfig { engaged_weight: 0.25, ..config("dense") };
        let steps =
            [(3, Action::View), (8, Action::Bookmark), (3, Action::Share), (9, Action::Hide)];
        let context = context(99, &steps, &[3, 8, 9]);
        let mut scores = vec![0.0; world.weights.ncols()];
        for (item, weight) in [(3, 1.0), (8, 1.0)] {
            for (score, entry) in scores.iter_mut().zip(world.weights.row(index(item))) {
                *score += weight * f64::from(*entry);
            }
        }
        let found = channel(&world, config).item_to_item(&context, 100);
        assert_list(&found, &ranked(&scores, &[3, 8, 9]));
    }
}

#[test]
fn engaged_items_count_by_their_weight_and_recency() {
    let world = world(1);
    let config =
        CollaborativeConfig { engaged_weight: 0.5, recency_half_life: 1.0, ..config("dense") };
    let context = context(99, &[(4, Action::Bookmark), (5, Action::Click)], &[]);
    let row = |item: u64| world.weights.row(index(item)).mapv(f64::from);
    let scores = row(4) * 0.5 + row(5) * 0.5;
    let found = channel(&world, config).item_to_item(&context, 100);
    assert_list(&found, &ranked(&scores.to_vec(), &[]));
}

fn has(world: &World, user: u64, item: u64) -> f64 {
    f64::from(u8::from(world.pairs.contains(&(UserId(user), ItemId(item)))))
}

#[test]
fn similar_users_give_in_proportion_to_their_similarity() {
    for seed in 0..5 {
        let world = world(seed);
        let liked = [2, 7, 11];
        let steps = liked.map(|item| (item, Action::Bookmark));
        // User 3 is in the tables: nobody is a neighbour of their own.
        let context = context(3, &steps, &liked);
        let mut neighbours: Vec<(u64, f64)> = (1..=USERS)
            .filter(|user| *user != 3)
            .map(|user| {
                let shared: f64 = liked.iter().map(|item| has(&world, user, *item)).sum();
                let count: f64 = (1..=ITEMS).map(|item| has(&world, user, item)).sum();
                (user, shared / (3.0_f64.sqrt() * count.sqrt()))
            })
            .filter(|(_, similarity)| *similarity > 0.0)
            .collect();
        neighbours.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        neighbours.truncate(6);
        let score = |item: u64| -> f64 {
            neighbours.iter().map(|(user, weight)| weight * has(&world, *user, item)).sum()
        };
        let scores: Vec<f64> = (1..=ITEMS).map(score).collect();
        let config = CollaborativeConfig { neighbours: 6, ..config("dense") };
        let found = channel(&world, config).user_user(&context, 100);
        let expected = ranked(&scores, &liked);
        assert_eq!(found.len(), expected.len());
        for found in found {
            let score = scores[index(found.item.0)];
            assert!((f64::from(found.score) - score).abs() < 1e-4);
        }
    }
}

#[test]
fn the_mix_adds_both_scores() {
    let world = world(2);
    let context = context(99, &[(5, Action::Share), (6, Action::View)], &[5, 6]);
    let part = |share: f32| {
        let config = CollaborativeConfig { user_share: share, ..config("dense") };
        channel(&world, config).recall(&context, 100)
    };
    let scores = |list: &[Scored]| -> BTreeMap<ItemId, f32> {
        list.iter().map(|scored| (scored.item, scored.score)).collect()
    };
    let (items, users) = (scores(&part(0.0)), scores(&part(1.0)));
    for mixed in part(0.25) {
        let (Some(item), Some(user)) = (items.get(&mixed.item), users.get(&mixed.item)) else {
            continue;
        };
        assert!((mixed.score - (0.75 * item + 0.25 * user)).abs() < 1e-5);
    }
    assert_eq!(
        part(0.0)[0].item,
        channel(&world, config("dense")).item_to_item(&context, 1)[0].item
    );
    assert_eq!(part(1.0)[0].item, channel(&world, config("dense")).user_user(&context, 1)[0].item);
}

#[test]
fn cosine_equals_the_definition() {
    let world = world(3);
    let table = item_to_item_cosine(&world.tables.favourites, 5, 2.0);
    for item in 1..=ITEMS {
        let users = |item: u64| (1..=USERS).map(|user| has(&world, user, item)).sum::<f64>();
        let cosine = |other: u64| -> f64 {
            let shared: f64 =
                (1..=USERS).map(|user| has(&world, user, item) * has(&world, user, other)).sum();
            shared / ((users(item) * users(other)).sqrt() + 2.0)
        };
        let others = (1..=ITEMS).filter(|other| *other != item);
        let mut expected: Vec<(u64, f64)> = others.map(|other| (other, cosine(other))).collect();
        expected.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        let found: Vec<(usize, f32)> = table.of(index(item)).collect();
        assert_eq!(found.len(), 5);
        for ((column, weight), (_, cosine)) in found.into_iter().zip(&expected) {
            assert!((f64::from(weight) - cosine).abs() < 1e-6, "item {item} column {column}");
        }
    }
}

#[test]
fn keeps_the_strongest_by_absolute_value() {
    let weights = ndarray::array![[0.0_f32, -0.9, 0.1], [0.5, 0.0, f32::NAN], [0.0, 0.0, 0.0]];
    let table = Neighbours::from_dense(weights.view(), 1);
    let row = |index: usize| table.of(index).collect::<Vec<_>>();
    assert_eq!(row(0), [(1, -0.9)]);
    assert_eq!(row(1), [(0, 0.5)]);
    assert!(row(2).is_empty());
}

#[test]
fn knows_nothing_of_strangers() {
    let world = world(4);
    let channel = channel(&world, config("dense"));
    assert!(channel.recall(&UserContext::cold(UserId(1)), 10).is_empty());
    let unknown = context(1, &[(1_000, Action::Bookmark)], &[]);
    assert!(channel.recall(&unknown, 10).is_empty());
    let hidden = context(1, &[(5, Action::Hide)], &[]);
    assert!(channel.recall(&hidden, 10).is_empty());
}

#[test]
fn an_unknown_table_is_named() {
    let error = Collaborative::new(Arc::clone(&world(5).tables), config("ease")).err().unwrap();
    assert_eq!(error.to_string(), "no item-to-item table ease (there are: cosine, dense)");
}

#[test]
fn tables_round_trip() {
    let tables = &world(6).tables;
    assert_eq!(Tables::from_bytes(&tables.to_bytes()).unwrap(), **tables);
    let empty = Tables { favourites: Interactions::from_pairs([]), neighbours: BTreeMap::new() };
    assert_eq!(Tables::from_bytes(&empty.to_bytes()).unwrap(), empty);
}

#[test]
fn says_what_is_wrong_with_a_table() {
    use crate::archive::ArchiveWriter;
    let with = |ids: [u64; 2], ends: [u64; 1], items: [u32; 2]| {
        let mut archive = ArchiveWriter::default();
        archive.add("item_ids", &[2], ids);
        archive.add("user_ids", &[1], [7_u64]);
        archive.add("favourites.ends", &[1], ends);
        archive.add("favourites.items", &[2], items);
        Tables::from_bytes(&archive.to_bytes()).map_err(|error| error.to_string())
    };
    assert!(with([1, 2], [2], [0, 1]).is_ok());
    let message = |result: Result<Tables, String>| result.unwrap_err();
    assert_eq!(message(with([2, 1], [2], [0, 1])), "array item_ids: does not ascend");
    assert_eq!(
        message(with([1, 2], [1], [0, 1])),
        "array favourites.ends: does not partition the items"
    );
    assert_eq!(message(with([1, 2], [2], [0, 2])), "array favourites.items: 2 is more than 1");
    assert!(matches!(Tables::from_bytes(b"rubbish"), Err(TableError::Damaged(_))));
}

proptest! {
    #[test]
    fn damaged_bytes_never_panic(at: usize, flip in 1_u8.., cut in 1_usize..300) {
        let mut bytes = world(7).tables.to_bytes();
        prop_assert!(Tables::from_bytes(&bytes[..bytes.len() - cut]).is_err());
        let place = at % bytes.len();
        bytes[place] ^= flip;
        if let Ok(tables) = Tables::from_bytes(&bytes)
            && let Ok(channel) = Collaborative::new(Arc::new(tables), config("dense"))
        {
            channel.recall(&context(1, &[(3, Action::Bookmark)], &[]), 10);
        }
    }

    #[test]
    fn lists_are_clean(
        steps in prop::collection::vec((1_u64..40, 0_usize..6), 0..40),
        seen in prop::collection::btree_set(1_u64..40, 0..20),
        size in 0_usize..40,
    ) {
        let world = world(8);
        let steps: Vec<(u64, Action)> =
            steps.into_iter().map(|(item, action)| (item, Action::ALL[action])).collect();
        let seen: Vec<u64> = seen.into_iter().collect();
        let context = context(2, &steps, &seen);
        let list = channel(&world, config("cosine")).recall(&context, size);
        prop_assert!(list.len() <= size);
        prop_assert!(list.iter().all(|scored| !context.has_seen(scored.item)));
        prop_assert!(list.is_sorted_by(|one, next| one.best_first(next).is_lt()));
        let longer = channel(&world, config("cosine")).recall(&context, size + 5);
        prop_assert_eq!(&longer[..list.len()], &list[..]);
    }
}
