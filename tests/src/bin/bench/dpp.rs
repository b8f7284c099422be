//! Greedy MAP of the DPP against the textbook: determinants from scratch in every step.

use std::time::{Duration, Instant};

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_slate::diversity::{dpp, dpp_window};

use crate::report::Report;

const DIMENSIONS: usize = 64;
const SIZE: usize = 50;
const ROUNDS: usize = 30;
/// One step of the textbook costs candidates × size³: fewer picks are timed, and scaled up.
const TEXTBOOK_SIZE: usize = 10;

/// Adds the rows for 500 and 1,000 candidates.
pub(crate) fn measure(report: &mut Report) {
    for (candidates, aim) in [(500, "≤ 0.3 ms"), (1_000, "≤ 0.5 ms")] {
        let (scores, vectors) = instance(candidates);
        let textbook = median(3, || textbook(&scores, &vectors, TEXTBOOK_SIZE));
        let short = median(ROUNDS, || dpp(&scores, vectors.view(), TEXTBOOK_SIZE, 0.5, 1e-3).len());
        let whole = median(ROUNDS, || dpp(&scores, vectors.view(), SIZE, 0.5, 1e-3).len());
        let window =
            median(ROUNDS, || dpp_window(&scores, vectors.view(), SIZE, 0.5, 1e-3, 10).len());
        let size = format!("M = {candidates}, K = {SIZE}, d = {DIMENSIONS}");
        let ratio = textbook.as_secs_f64() / short.as_secs_f64();
        let baseline =
            format!("determinants from scratch, K = {TEXTBOOK_SIZE}: {ratio:.0} × slower");
        report.add("DPP, greedy MAP", &size, ms(whole), baseline, aim);
        let ratio = window.as_secs_f64() / whole.as_secs_f64();
        report.add("DPP, window 10", size, ms(window), format!("greedy MAP: {ratio:.2} ×"), "");
    }
}

fn instance(candidates: usize) -> (Vec<f32>, Array2<f32>) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let scores = (0..candidates).map(|_| random.random_range(0.0..1.0)).collect();
    let mut vectors: Array2<f32> =
        Array2::from_shape_simple_fn((candidates, DIMENSIONS), || random.random_range(-1.0..1.0));
    for mut row in vectors.rows_mut() {
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    (scores, vectors)
}

/// Picks by the logarithm of the determinant of every extension, by elimination.
fn textbook(scores: &[f32], vectors: &Array2<f32>, size: usize) -> usize {
    let mut picked: Vec<usize> = Vec::new();
    while picked.len() < size {
        let gain = |candidate: usize| {
            let rows: Vec<usize> = picked.iter().copied().chain([candidate]).collect();
            f64::from(scores[candidate]) + log_determinant(vectors, &rows)
        };
        let free = (0..scores.len()).filter(|candidate| !picked.contains(candidate));
        let best = free.map(|candidate| (gain(candidate), candidate));
        let best = best.max_by(|one, other| one.0.total_cmp(&other.0));
        picked.extend(best.map(|(_, candidate)| candidate));
    }
    picked.len()
}

fn log_determinant(vectors: &Array2<f32>, rows: &[usize]) -> f64 {
    let similarity = |i: usize, j: usize| {
        f64::from(vectors.row(rows[i]).dot(&vectors.row(rows[j]))) + if i == j { 1e-3 } else { 0.0 }
    };
    let n = rows.len();
    let mut matrix = Array2::from_shape_fn((n, n), |(i, j)| similarity(i, j));
    let mut sum = 0.0;
    for pivot in 0..n {
        sum += matrix[[pivot, pivot]].max(f64::MIN_POSITIVE).ln();
        for row in pivot + 1..n {
            let factor = matrix[[row, pivot]] / matrix[[pivot, pivot]];
            for column in pivot..n {
                matrix[[row, column]] -= factor * matrix[[pivot, column]];
            }
        }
    }
    sum
}

/// The median time of a call; the result is used, so that the call cannot be left out.
fn median(rounds: usize, mut call: impl FnMut() -> usize) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(call());
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn ms(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}
