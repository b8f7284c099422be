//! Times the diversity algorithms: `cargo bench -p tributary-slate`.
//!
//! Prints the median of many runs for each size, one thread, vectors of 64 dimensions.

#![expect(clippy::print_stdout, reason = "printing is the purpose")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_slate::{Algorithm, Request, Settings, rerank};

const RUNS: usize = 301;
const DIMENSIONS: usize = 64;
const SIZE: usize = 50;

fn main() {
    for candidates in [500, 1_000] {
        for algorithm in [Algorithm::Dpp, Algorithm::DppWindow, Algorithm::Mmr] {
            let median = median(candidates, algorithm);
            println!("rerank {algorithm:?} M={candidates} K={SIZE} d={DIMENSIONS}: {median:?}");
        }
    }
}

fn median(candidates: usize, algorithm: Algorithm) -> Duration {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let scores: Vec<f32> = (0..candidates).map(|_| random.random_range(0.0..1.0)).collect();
    let vectors =
        Array2::from_shape_fn((candidates, DIMENSIONS), |_| random.random_range(-1.0..1.0));
    let settings = Settings { algorithm, theta: 0.5, ..Settings::default() };
    let request =
        Request { scores: &scores, vectors: vectors.view(), size: SIZE, settings, caps: &[] };
    let mut times: Vec<Duration> = (0..RUNS).map(|_| time(&request)).collect();
    times.sort_unstable();
    times[RUNS / 2]
}

fn time(request: &Request<'_>) -> Duration {
    let start = Instant::now();
    black_box(rerank(black_box(request)));
    start.elapsed()
}
