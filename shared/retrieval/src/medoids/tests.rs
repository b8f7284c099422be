//! The clustering against one that computes every sum of squares anew, and the channel on tastes
//! that lie far apart.

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_domain::{Action, Behaviour, Timestamp, UserId};

use super::*;
use crate::vector::{ItemVectors, VectorConfig};

fn random_vectors(seed: u64, rows: usize, dimensions: usize) -> Array2<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_fn((rows, dimensions), |_| random.random_range(-1.0..1.0))
}

/// The sum of squared distances of the members to their centre.
fn squares(vectors: &Array2<f32>, members: &[usize]) -> f64 {
    let size = f64::from(u32::try_from(members.len()).unwrap());
    let column_squares = |column: usize| -> f64 {
        let values: Vec<f64> =
            members.iter().map(|row| f64::from(vectors[[*row, column]])).collect();
        let mean = values.iter().sum::<f64>() / size;
        values.iter().map(|value| (value - mean).powi(2)).sum()
    };
    (0..vectors.ncols()).map(column_squares).sum()
}

/// Ward's clustering by its definition.
fn reference(vectors: &Array2<f32>, limits: Limits) -> Vec<Vec<usize>> {
    let mut clusters: Vec<Vec<usize>> = (0..vectors.nrows()).map(|row| vec![row]).collect();
    while clusters.len() > 1 {
        let mut best = (f64::INFINITY, 0, 0);
        for one in 0..clusters.len() {
            for other in one + 1..clusters.len() {
                let joined = [&clusters[one][..], &clusters[other][..]].concat();
                let increase = squares(vectors, &joined)
                    - squares(vectors, &clusters[one])
                    - squares(vectors, &clusters[other]);
                if increase < best.0 {
                    best = (increase, one, other);
                }
            }
        }
        if clusters.len() <= limits.clusters && best.0 > limits.increase {
            break;
        }
        let moved = clusters.remove(best.2);
        clusters[best.1].extend(moved);
        clusters[best.1].sort_unstable();
    }
    clusters
}

#[test]
fn clusters_are_those_of_the_definition() {
    for seed in 0..12 {
        let vectors = random_vectors(seed, 30, 5);
        let distances = Distances::between(vectors.view());
        for (increase, most) in [(0.0, 30), (0.5, 30), (2.0, 30), (1e9, 30), (0.0, 4), (1.0, 7)] {
            let limits = Limits { increase, clusters: most };
            let found = ward::clusters(&distances, limits);
            assert_eq!(found, reference(&vectors, limits), "seed {seed}, {limits:?}");
        }
    }
}

#[test]
fn equal_distances_merge_in_order() {
    let corners = Array2::from_shape_fn((4, 4), |(row, column)| f32::from(row == column));
    let distances = Distances::between(corners.view());
    let limits = Limits { increase: 0.0, clusters: 3 };
    assert_eq!(ward::clusters(&distances, limits), [vec![0, 1], vec![2], vec![3]]);
    let limits = Limits { increase: 0.0, clusters: 2 };
    assert_eq!(ward::clusters(&distances, limits), [vec![0, 1, 2], vec![3]]);
}

#[test]
fn nothing_and_one_are_clusters_too() {
    let limits = Limits { increase: 1.0, clusters: 1 };
    for (rows, expected) in [(0, vec![]), (1, vec![vec![0]])] {
        let distances = Distances::between(random_vectors(1, rows, 3).view());
        assert_eq!(ward::clusters(&distances, limits), expected);
    }
}

fn context(steps: &[(u64, Action)]) -> UserContext {
    let behaviours = steps.iter().map(|(item, action)| Behaviour {
        item: ItemId(*item),
        action: *action,
        time: Timestamp(1),
        dwell_ms: 0,
    });
    let mut seen: Vec<ItemId> = steps.iter().map(|(item, _)| ItemId(*item)).collect();
    seen.sort_unstable();
    seen.dedup();
    UserContext { behaviours: behaviours.collect(), seen, ..UserContext::cold(UserId(1)) }
}

/// Items 1 to 10 around one axis and 11 to 20 around another, further ones further out.
fn table() -> ItemVectors {
    let vectors = Array2::from_shape_fn((20, 3), |(row, column)| {
        let angle = [0.0_f32, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18][row % 10];
        match column {
            2 => angle.sin(),
            axis if axis == row / 10 => angle.cos(),
            _ => 0.0,
        }
    });
    ItemVectors { ids: (1..=20).map(ItemId).collect(), vectors }
}

fn two_tastes() -> VectorIndex {
    let ItemVectors { ids, vectors } = table();
    VectorIndex::build(ids, vectors, &VectorConfig::default()).unwrap()
}

fn plain() -> MedoidsConfig {
    MedoidsConfig {
        distance: 0.5,
        recency_half_life: 0.0,
        engaged_weight: 0.5,
        ..MedoidsConfig::default()
    }
}

#[test]
fn medoids_are_the_middles_of_the_tastes_weighted_by_what_stands_for_them() {
    let index = two_tastes();
    let steps = [
        (1, Action::View),
        (12, Action::Bookmark),
        (3, Action::View),
        (5, Action::View),
        (99, Action::View),
        (13, Action::Hide),
        (14, Action::Bookmark),
        (16, Action::Bookmark),
    ];
    let found = medoids(&context(&steps), &index, &plain());
    let items: Vec<u64> = found.iter().map(|medoid| medoid.item.0).collect();
    assert_eq!(items, [14, 3], "99 is not indexed, 13 was hidden");
    for (medoid, expected) in found.iter().zip([3.0 / 4.5, 1.5 / 4.5]) {
        assert!((medoid.weight - expected).abs() < 1e-6, "{medoid:?}");
    }
    let one = MedoidsConfig { maximum: 1, ..plain() };
    assert_eq!(medoids(&context(&steps), &index, &one).len(), 1);
}

#[test]
fn later_items_weigh_more() {
    let index = two_tastes();
    let config = MedoidsConfig { recency_half_life: 1.0, ..plain() };
    let found = medoids(&context(&[(1, Action::View), (11, Action::View)]), &index, &config);
    let weights: Vec<(u64, f32)> =
        found.iter().map(|medoid| (medoid.item.0, medoid.weight)).collect();
    assert_eq!(weights, [(11, 2.0 / 3.0), (1, 1.0 / 3.0)]);
}

#[test]
fn recall_serves_every_taste_and_nothing_seen_or_barred() {
    let index = two_tastes();
    let context = context(&[(1, Action::View), (2, Action::View), (11, Action::View)]);
    let list = recall(&index, &context, 6, &plain(), &|item| item == ItemId(3)).unwrap();
    assert_eq!(list.len(), 6);
    assert!(list.is_sorted_by(|one, next| one.best_first(next).is_lt()));
    assert!(list.iter().all(|scored| !context.has_seen(scored.item) && scored.item != ItemId(3)));
    assert!(list.iter().any(|scored| scored.item.0 <= 10), "{list:?}");
    let everything = recall(&index, &context, 100, &plain(), &|_| false).unwrap();
    assert_eq!(everything.len(), 17);
    assert!(everything.iter().any(|scored| scored.item.0 > 10));
}

#[test]
fn lengths_move_no_medoid_and_weigh_what_is_found() {
    let ItemVectors { ids, mut vectors } = table();
    let context = context(&[(1, Action::View), (2, Action::View), (11, Action::View)]);
    let expected = medoids(&context, &two_tastes(), &plain());
    vectors.row_mut(1).mapv_inplace(|value| value * 0.1);
    vectors.row_mut(4).mapv_inplace(|value| value * 0.5);
    let index = VectorIndex::build(ids, vectors, &VectorConfig::default()).unwrap();
    assert_eq!(medoids(&context, &index, &plain()), expected);
    let list = recall(&index, &context, 20, &plain(), &|_| false).unwrap();
    let score = |item: u64| list.iter().find(|scored| scored.item.0 == item).unwrap().score;
    assert!(score(5) < 0.6 * score(6), "5 is half as long as 6");
}

#[test]
fn a_user_without_history_gets_nothing() {
    let index = two_tastes();
    let cold = UserContext::cold(UserId(1));
    assert!(medoids(&cold, &index, &plain()).is_empty());
    assert!(recall(&index, &cold, 5, &plain(), &|_| false).unwrap().is_empty());
}

#[test]
fn the_whole_history_is_one_query() {
    let index = two_tastes();
    let config = MedoidsConfig { query: Query::History, ..plain() };
    let context = context(&[(2, Action::View), (13, Action::Bookmark), (99, Action::View)]);
    let barred = |item: ItemId| item == ItemId(4);
    let found = recall(&index, &context, 5, &config, &barred).unwrap();
    // Item 2 counts half, item 13 whole: their weighted sum against every item that is allowed.
    let sum: Vec<f32> = (0..3)
        .map(|axis| {
            let of = |item| index.get(ItemId(item)).unwrap()[axis];
            0.5 * of(2) + of(13)
        })
        .collect();
    let score = |item: u64| -> f32 {
        index.get(ItemId(item)).unwrap().iter().zip(&sum).map(|(one, other)| one * other).sum()
    };
    let mut expected: Vec<u64> = (1..=20).filter(|item| ![2, 4, 13].contains(item)).collect();
    expected.sort_by(|one, other| score(*other).total_cmp(&score(*one)).then(one.cmp(other)));
    let items: Vec<u64> = found.iter().map(|scored| scored.item.0).collect();
    assert_eq!(items, expected[..5]);
    let stranger = UserContext::cold(UserId(1));
    assert!(recall(&index, &stranger, 5, &config, &barred).unwrap().is_empty());
}
