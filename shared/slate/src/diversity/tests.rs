//! Laws of the algorithms, and their picks against oracles that compute everything anew in double
//! precision.

use std::collections::BTreeSet;

use ndarray::Array2;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::caps::Labels;

const EPSILON: f32 = 1e-3;

struct Case {
    scores: Vec<f32>,
    vectors: Array2<f32>,
}

fn case(seed: u64, count: usize, dimensions: usize) -> Case {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let scores = (0..count).map(|_| random.random_range(-2.0..2.0)).collect();
    let vectors = Array2::from_shape_fn((count, dimensions), |_| random.random_range(-1.0..1.0));
    Case { scores, vectors }
}

/// The kernel's similarities, in double precision.
fn similarities(vectors: &Array2<f32>, epsilon: f32) -> Array2<f64> {
    let mut rows = vectors.mapv(f64::from);
    for mut row in rows.rows_mut() {
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row /= norm;
        }
    }
    let mut similarities = rows.dot(&rows.t()) * (1.0 - f64::from(epsilon));
    similarities.diag_mut().fill(1.0);
    similarities
}

/// ln det of the part of the matrix with these rows and columns, by elimination.
fn log_det(matrix: &Array2<f64>, indices: &[usize]) -> f64 {
    let mut part = matrix.select(ndarray::Axis(0), indices).select(ndarray::Axis(1), indices);
    let mut sum = 0.0;
    for pivot in 0..indices.len() {
        sum += part[[pivot, pivot]].ln();
        for row in pivot + 1..indices.len() {
            let factor = part[[row, pivot]] / part[[pivot, pivot]];
            for column in pivot..indices.len() {
                part[[row, column]] -= factor * part[[pivot, column]];
            }
        }
    }
    sum
}

/// Asserts that every pick had the largest gain, as `gain(picked so far, candidate)` has it.
fn assert_greedy(picks: &[Pick], count: usize, gain: impl Fn(&[usize], usize) -> f64) {
    let mut picked: Vec<usize> = Vec::new();
    for pick in picks {
        let left = (0..count).filter(|candidate| !picked.contains(candidate));
        let best = left.map(|candidate| gain(&picked, candidate)).fold(f64::MIN, f64::max);
        let taken = gain(&picked, pick.index);
        assert!(best - taken < 5e-3, "step {}: took {taken}, best {best}", picked.len());
        picked.push(pick.index);
    }
}

fn dpp_gain(case: &Case, theta: f32, window: usize) -> impl Fn(&[usize], usize) -> f64 {
    let similarities = similarities(&case.vectors, EPSILON);
    let theta = f64::from(theta);
    move |picked, candidate| {
        let near = &picked[picked.len().saturating_sub(window - 1)..];
        let with: Vec<usize> = near.iter().copied().chain([candidate]).collect();
        let growth = log_det(&similarities, &with) - log_det(&similarities, near);
        (1.0 - theta) * f64::from(case.scores[candidate]) + theta * growth
    }
}

#[test]
fn dpp_takes_the_largest_growth_of_the_determinant() {
    for seed in 0..20 {
        for (dimensions, theta) in [(8, 0.3), (8, 0.9), (3, 0.6), (3, 1.0), (1, 0.5)] {
            let case = case(seed, 24, dimensions);
            let picks = dpp(&case.scores, case.vectors.view(), 16, theta, EPSILON);
            assert_eq!(picks.len(), 16);
            assert_greedy(&picks, 24, dpp_gain(&case, theta, usize::MAX));
        }
    }
}

#[test]
fn the_window_equals_computing_anew() {
    for seed in 0..10 {
        for (dimensions, theta, window) in
            [(8, 0.5, 4), (8, 0.9, 2), (3, 0.7, 5), (6, 0.9, 10), (8, 0.5, 1)]
        {
            let case = case(seed, 60, dimensions);
            let picks = dpp_window(&case.scores, case.vectors.view(), 60, theta, EPSILON, window);
            assert_greedy(&picks, 60, dpp_gain(&case, theta, window));
        }
    }
}

#[test]
fn a_window_longer_than_the_list_is_the_whole_list() {
    let case = case(5, 40, 8);
    let whole = dpp(&case.scores, case.vectors.view(), 20, 0.7, EPSILON);
    let window = dpp_window(&case.scores, case.vectors.view(), 20, 0.7, EPSILON, 50);
    assert_eq!(whole, window);
}

#[test]
fn mmr_takes_the_largest_margin() {
    for seed in 0..20 {
        let case = case(seed, 24, 5);
        let similarities = similarities(&case.vectors, 0.0);
        let picks = mmr(&case.scores, case.vectors.view(), 24, 0.6);
        assert_greedy(&picks, 24, |picked, candidate| {
            let near = picked.iter().map(|other| similarities[[*other, candidate]]);
            let nearest = near.fold(0.0, f64::max);
            0.4 * f64::from(case.scores[candidate]) - f64::from(0.6_f32) * nearest
        });
    }
}

#[test]
fn more_theta_is_more_variety() {
    let case = case(9, 200, 8);
    let similarities = similarities(&case.vectors, 0.0);
    let likeness = |theta: f32| {
        let picks = dpp(&case.scores, case.vectors.view(), 10, theta, EPSILON);
        let pairs = picks.iter().flat_map(|one| picks.iter().map(move |other| (one, other)));
        let apart = pairs.filter(|(one, other)| one.index < other.index);
        apart.map(|(one, other)| similarities[[one.index, other.index]].powi(2)).sum::<f64>()
    };
    assert!(likeness(0.0) > likeness(0.5));
    assert!(likeness(0.5) > likeness(0.95));
}

fn indices(picks: &[Pick]) -> Vec<usize> {
    picks.iter().map(|pick| pick.index).collect()
}

fn reasons(picks: &[Pick]) -> Vec<Reason> {
    picks.iter().map(|pick| pick.reason).collect()
}

#[test]
fn says_why() {
    let vectors = ndarray::array![[1.0_f32, 0.0], [1.0, 0.01], [0.0, 1.0], [0.7, 0.7]];
    let picks = dpp(&[1.0, 0.9, 0.5, 0.4], vectors.view(), 4, 0.5, EPSILON);
    assert_eq!(indices(&picks), [0, 2, 1, 3]);
    // Two dimensions are used up by two items: the others fill.
    assert_eq!(reasons(&picks), [Reason::Score, Reason::Diversity, Reason::Fill, Reason::Fill]);
}

#[test]
fn a_row_without_direction_differs_from_everything() {
    let vectors = ndarray::array![[1.0_f32, 0.0], [1.0, 0.0], [0.0, 0.0], [f32::NAN, 1.0]];
    let picks = dpp(&[1.0, 0.9, 0.8, 0.7], vectors.view(), 4, 0.5, EPSILON);
    assert_eq!(indices(&picks), [0, 2, 3, 1]);
    let none = Array2::zeros((3, 0));
    let picks = dpp(&[1.0, 3.0, 2.0], none.view(), 3, 0.9, EPSILON);
    assert_eq!(indices(&picks), [1, 2, 0]);
}

fn request<'a>(case: &'a Case, settings: Settings, caps: &'a [Cap]) -> Request<'a> {
    Request {
        scores: &case.scores,
        vectors: case.vectors.view(),
        size: case.scores.len(),
        settings,
        caps,
    }
}

#[test]
fn caps_hold_back_and_give_way_when_nothing_is_left() {
    let case = Case { scores: vec![5.0, 4.0, 3.0, 2.0, 1.0], vectors: Array2::zeros((5, 2)) };
    let settings = Settings { algorithm: Algorithm::Score, ..Settings::default() };
    let labels = Labels::from_rows([["a"], ["a"], ["a"], ["b"], ["a"]]);
    let caps = [Cap { maximum: 1, window: 2, labels }];
    let picks = rerank(&request(&case, settings, &caps));
    assert_eq!(indices(&picks), [0, 3, 1, 2, 4]);
    assert_eq!(
        reasons(&picks),
        [Reason::Score, Reason::Cap, Reason::Score, Reason::Fill, Reason::Fill]
    );
}

#[test]
fn standardising_makes_theta_independent_of_the_scale() {
    let one = case(3, 50, 6);
    let scores = one.scores.iter().map(|score| 0.001 * score + 7.0).collect();
    let other = Case { scores, vectors: one.vectors.clone() };
    let settings = Settings { theta: 0.5, ..Settings::default() };
    let first = rerank(&request(&one, settings, &[]));
    let second = rerank(&request(&other, settings, &[]));
    assert_eq!(indices(&first)[..20], indices(&second)[..20]);
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(vec![
        Algorithm::Dpp,
        Algorithm::DppWindow,
        Algorithm::Mmr,
        Algorithm::Score,
    ])
}

proptest! {
    #[test]
    fn never_short_and_never_a_repeat(
        rows in prop::collection::vec((-3.0_f32..3.0, 0_u8..4, 0_u8..3), 0..60),
        dimensions in 0_usize..6,
        size in 0_usize..80,
        algorithm in algorithm(),
        theta in 0.0_f32..=1.0,
        epsilon in prop::sample::select(vec![0.0_f32, 1e-6, 1e-3]),
        window in 0_usize..12,
        maximum in 0_usize..3,
    ) {
        let scores: Vec<f32> = rows.iter().map(|(score, ..)| *score).collect();
        // Few directions, so that many items are alike.
        let vectors = Array2::from_shape_fn((rows.len(), dimensions), |(row, column)| {
            f32::from(u8::from(usize::from(rows[row].1) == column))
        });
        let labels = Labels::from_rows(rows.iter().map(|(_, _, label)| [*label]));
        let caps = [Cap { maximum, window, labels }];
        let settings = Settings { algorithm, theta, epsilon, window };
        let request = Request { scores: &scores, vectors: vectors.view(), size, settings, caps: &caps };
        let picks = rerank(&request);
        let unique: BTreeSet<usize> = indices(&picks).into_iter().collect();
        prop_assert_eq!(picks.len(), size.min(rows.len()));
        prop_assert_eq!(unique.len(), picks.len());
        prop_assert_eq!(&picks, &rerank(&request));
    }

    #[test]
    fn without_theta_it_is_the_order_by_score(
        scores in prop::collection::vec(
            prop_oneof![8 => -3.0_f32..3.0, 1 => Just(f32::NAN), 1 => Just(1.0_f32)], 0..40),
        algorithm in algorithm(),
        seed: u64,
    ) {
        let vectors = case(seed, scores.len(), 4).vectors;
        let settings = Settings { algorithm, theta: 0.0, ..Settings::default() };
        let size = scores.len();
        let picks =
            rerank(&Request { scores: &scores, vectors: vectors.view(), size, settings, caps: &[] });
        let mut expected: Vec<usize> = (0..scores.len()).collect();
        let key = |index: &usize| if scores[*index].is_nan() { f32::MIN } else { scores[*index] };
        expected.sort_by(|one, other| key(other).total_cmp(&key(one)));
        prop_assert_eq!(indices(&picks), expected);
        prop_assert!(picks.iter().all(|pick| pick.reason == Reason::Score));
    }

    #[test]
    fn caps_hold_in_every_window_unless_relaxed(
        rows in prop::collection::vec((-3.0_f32..3.0, 0_u8..5), 1..50),
        maximum in 1_usize..3,
        window in 2_usize..6,
        algorithm in algorithm(),
    ) {
        let case = Case {
            scores: rows.iter().map(|(score, _)| *score).collect(),
            vectors: case(1, rows.len(), 3).vectors,
        };
        let caps = [Cap { maximum, window, labels: Labels::from_rows(rows.iter().map(|row| [row.1])) }];
        let settings = Settings { algorithm, theta: 0.5, ..Settings::default() };
        let picks = rerank(&request(&case, settings, &caps));
        for (place, pick) in picks.iter().enumerate() {
            let label = |pick: &Pick| rows[pick.index].1;
            let near = &picks[(place + 1).saturating_sub(window)..place];
            let held = |other: u8| near.iter().filter(|near| label(near) == other).count();
            if held(label(pick)) >= maximum {
                prop_assert_eq!(pick.reason, Reason::Fill);
                prop_assert!(picks[place..].iter().all(|left| held(label(left)) >= maximum));
            }
        }
    }
}
