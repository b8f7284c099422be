//! How long ONNX Runtime takes for the candidates of one request, with and without attention:
//! `cargo run --release -p tributary-network --example serving -- [candidates] [history length]`.
#![allow(clippy::print_stdout, reason = "the measurement is the output")]

use std::{env, error::Error, time::Instant};

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_inference::{InferenceConfig, Runtime, Session, Tensor, Tensors};
use tributary_network::{
    AttentionConfig, AttentionWeights, BagShape, IdShape, InputLayout, Ranker, RankerConfig,
    TableShape,
};

const CALLS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let sizes: Vec<usize> =
        env::args().skip(1).map(|size| size.parse()).collect::<Result<_, _>>()?;
    let (rows, length) =
        (sizes.first().copied().unwrap_or(500), sizes.get(1).copied().unwrap_or(20));
    let layout = layout(length);
    let inputs = random_rows(&layout, rows);
    let attend = |sequence: &str, weights: AttentionWeights| AttentionConfig {
        weights,
        ..AttentionConfig::new(sequence, "item")
    };
    let cases = [
        ("no attention", vec![]),
        ("history, raw", vec![attend("history", AttentionWeights::Raw)]),
        ("history, softmax", vec![attend("history", AttentionWeights::Softmax)]),
        (
            "history and liked, softmax",
            vec![
                attend("history", AttentionWeights::Softmax),
                attend("liked", AttentionWeights::Softmax),
            ],
        ),
    ];
    println!("{rows} candidates, sequences of {length}, {CALLS} calls");
    for (name, attention) in cases {
        let model =
            Ranker::new(layout.clone(), RankerConfig { attention, ..RankerConfig::default() })?;
        let times = time(&model.export()?, &inputs)?;
        let place = |share: usize| times[CALLS * share / 100] * 1e3;
        println!("{name:28} {:.2} ms median, {:.2} ms p90", place(50), place(90));
    }
    Ok(())
}

/// The columns of the built-in ranker specification, roughly.
fn layout(length: usize) -> InputLayout {
    let table = |name: &str, rows, dimension| TableShape { name: name.into(), rows, dimension };
    let id = |name: &str, table| IdShape { name: name.into(), table };
    let bag = |name: &str, table, length| BagShape { name: name.into(), table, length };
    InputLayout {
        tables: vec![
            table("item", 50_000, 16),
            table("profile", 100, 8),
            table("creator", 10_000, 8),
            table("genre", 50, 8),
        ],
        ids: vec![
            id("item", 0),
            id("age", 1),
            id("gender", 1),
            id("occupation", 1),
            id("year", 1),
            id("popularity", 1),
            id("creator", 2),
        ],
        bags: vec![
            bag("history", 0, length),
            bag("liked", 0, length),
            bag("genres", 3, 6),
            bag("tags", 3, 8),
        ],
        dense: 31,
    }
}

fn random_rows(layout: &InputLayout, rows: usize) -> Tensors {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut ids = |columns: usize| {
        Array2::from_shape_simple_fn((rows, columns), || random.random_range(0i64..50)).into_dyn()
    };
    let mut tensors = Tensors::new();
    tensors.insert("ids".into(), Tensor::I64(ids(layout.ids.len())));
    for bag in &layout.bags {
        tensors.insert(format!("bag.{}", bag.name), Tensor::I64(ids(bag.length)));
    }
    tensors.insert("dense".into(), Tensor::F32(Array2::zeros((rows, layout.dense)).into_dyn()));
    tensors
}

/// Seconds a call, ascending, on one thread.
fn time(model: &[u8], inputs: &Tensors) -> Result<Vec<f64>, Box<dyn Error>> {
    let config = InferenceConfig::default();
    let mut session = Session::load(&Runtime::load(&config)?, model, &config)?;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        session.run(inputs)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}
