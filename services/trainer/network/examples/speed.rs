//! How long training takes on made-up rows of a given size:
//! `cargo run --release -p tributary-network --example speed -- [recall examples] [ranker rows]`.
#![allow(clippy::print_stdout, reason = "the measurement is the output")]

use std::{env, error::Error, time::Instant};

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_network::{
    BagShape, IdShape, InputLayout, Inputs, Labelled, MultiInterest, MultiInterestConfig, Progress,
    Ranker, RankerConfig, RecallExamples, TableShape, TwoTower, TwoTowerConfig,
};

const ITEMS: usize = 3_707;
const EPOCHS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let sizes: Vec<usize> =
        env::args().skip(1).map(|size| size.parse()).collect::<Result<_, _>>()?;
    let examples = sizes.first().copied().unwrap_or(100_000);
    two_tower(examples)?;
    multi_interest(examples)?;
    ranker(sizes.get(1).copied().unwrap_or(300_000))
}

fn layout(ids: usize, bags: &[usize], dense: usize, dimension: usize) -> InputLayout {
    let table = |number: usize| TableShape {
        name: format!("table{number}"),
        rows: if number == 0 { ITEMS + 1 } else { 1_000 },
        dimension,
    };
    let id = |number: usize| IdShape { name: format!("id{number}"), table: number };
    let bag = |(number, &length): (usize, &usize)| BagShape {
        name: format!("bag{number}"),
        table: number,
        length,
    };
    InputLayout {
        tables: (0..ids.max(bags.len())).map(table).collect(),
        ids: (0..ids).map(id).collect(),
        bags: bags.iter().enumerate().map(bag).collect(),
        dense,
    }
}

fn random_rows(layout: &InputLayout, rows: usize) -> Inputs {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut ids = |columns: usize| {
        Array2::from_shape_simple_fn((rows, columns), || random.random_range(0..1_000))
    };
    let bags = layout.bags.iter().map(|bag| ids(bag.length)).collect();
    let ids = ids(layout.ids.len());
    let dense =
        Array2::from_shape_simple_fn((rows, layout.dense), || random.random_range(-1.0..1.0));
    Inputs { rows, ids, bags, dense }
}

fn two_tower(rows: usize) -> Result<(), Box<dyn Error>> {
    let (user, item) = (layout(5, &[50], 4, 32), layout(4, &[6], 4, 32));
    let (users, items) = (random_rows(&user, rows), random_rows(&item, ITEMS));
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let targets: Vec<u32> = (0..rows).map(|_| random.random_range(0..3_707)).collect();
    let frequencies = vec![1.0 / 3_707.0; ITEMS];
    let config = TwoTowerConfig {
        shared_tables: vec!["table0".into()],
        uniform_negatives: 256,
        epochs: EPOCHS,
        ..TwoTowerConfig::default()
    };
    println!("two-tower: {rows} examples, history of 50, {ITEMS} items, {config:?}");
    let mut model = TwoTower::new(user, item, config)?;
    let examples = RecallExamples {
        users: &users,
        items: &items,
        targets: &targets,
        frequencies: &frequencies,
        positives: None,
        objectives: None,
    };
    let start = Instant::now();
    model.train(examples, &mut |progress| report(progress, start))?;
    Ok(())
}

fn multi_interest(rows: usize) -> Result<(), Box<dyn Error>> {
    let (user, item) = (layout(5, &[50], 4, 32), layout(4, &[6], 4, 32));
    let (users, items) = (random_rows(&user, rows), random_rows(&item, ITEMS));
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let targets: Vec<u32> = (0..rows).map(|_| random.random_range(0..3_707)).collect();
    let config = MultiInterestConfig {
        sequence: "bag0".into(),
        shared_tables: vec!["table0".into()],
        uniform_negatives: 256,
        epochs: EPOCHS,
        ..MultiInterestConfig::default()
    };
    println!("multi-interest: {rows} examples, history of 50, {ITEMS} items, {config:?}");
    let mut model = MultiInterest::new(user, item, config)?;
    let examples = RecallExamples {
        users: &users,
        items: &items,
        targets: &targets,
        frequencies: &[1.0 / 3_707.0; ITEMS],
        positives: None,
        objectives: None,
    };
    let start = Instant::now();
    model.train(examples, &mut |progress| report(progress, start))?;
    Ok(())
}

fn ranker(rows: usize) -> Result<(), Box<dyn Error>> {
    let layout = layout(20, &[20, 5], 18, 16);
    let inputs = random_rows(&layout, rows);
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let labels = Array2::from_shape_simple_fn((rows, 2), || f32::from(random.random_range(0..2u8)));
    let config = RankerConfig { epochs: EPOCHS, ..RankerConfig::default() };
    println!("ranker: {rows} rows, {} columns, {config:?}", 20 + 2 + 18);
    let mut model = Ranker::new(layout, config)?;
    let data = Labelled { inputs: &inputs, labels: &labels, weights: None, groups: None };
    let start = Instant::now();
    model.train(data, None, &mut |progress| report(progress, start))?;
    Ok(())
}

fn report(progress: Progress<'_>, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!("epoch {}: {seconds:.1} s, loss {:.4}", progress.epoch, progress.loss);
}
