//! Exported models against the networks that wrote them, in ONNX Runtime.
#![allow(clippy::unwrap_used, reason = "test code")]

use ndarray::{Array1, Array2, ArrayView1, Axis, Ix1, Ix2, Ix3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_inference::{InferenceConfig, Runtime, Session, Tensor, Tensors};
use tributary_network::{
    AttentionConfig, AttentionWeights, BagShape, IdShape, InputLayout, Inputs, Labelled,
    MultiInterest, MultiInterestConfig, Objective, Ranker, RankerConfig, RecallExamples, Structure,
    TableShape, TwoTower, TwoTowerConfig,
};

const TOLERANCE: f32 = 1e-5;

/// Tables of the given dimensions; ids and bags read each of them.
fn layout(dimensions: [usize; 3]) -> InputLayout {
    let table = |(name, dimension): (&str, usize)| TableShape {
        name: name.into(),
        rows: 20 + dimension,
        dimension,
    };
    let id = |(table, name): (usize, &str)| IdShape { name: name.into(), table };
    let names = ["item", "creator", "genre"];
    InputLayout {
        tables: names.into_iter().zip(dimensions).map(table).collect(),
        ids: names.into_iter().enumerate().map(id).collect(),
        bags: vec![
            BagShape { name: "history".into(), table: 0, length: 5 },
            BagShape { name: "genres".into(), table: 2, length: 3 },
        ],
        dense: 4,
    }
}

/// Random rows with padding among the ids: row 0 is padding throughout, row 1 reads the last row
/// of each column's table.
fn rows(layout: &InputLayout, rows: usize, seed: u64) -> Inputs {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut id = |row: usize, table: usize| {
        let last = i64::try_from(layout.tables[table].rows).unwrap() - 1;
        match row {
            0 => 0,
            1 => last,
            _ if random.random_bool(0.3) => 0,
            _ => random.random_range(0..=last),
        }
    };
    let ids = Array2::from_shape_fn((rows, layout.ids.len()), |(row, column)| {
        id(row, layout.ids[column].table)
    });
    let bag =
        |bag: &BagShape| Array2::from_shape_fn((rows, bag.length), |(row, _)| id(row, bag.table));
    let bags = layout.bags.iter().map(bag).collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed + 1);
    let dense =
        Array2::from_shape_simple_fn((rows, layout.dense), || random.random_range(-2.0..2.0));
    Inputs { rows, ids, bags, dense }
}

fn tensors(layout: &InputLayout, inputs: &Inputs) -> Tensors {
    let mut tensors = Tensors::new();
    if !layout.ids.is_empty() {
        tensors.insert("ids".into(), Tensor::I64(inputs.ids.clone().into_dyn()));
    }
    for (shape, bag) in layout.bags.iter().zip(&inputs.bags) {
        tensors.insert(format!("bag.{}", shape.name), Tensor::I64(bag.clone().into_dyn()));
    }
    if layout.dense > 0 {
        tensors.insert("dense".into(), Tensor::F32(inputs.dense.clone().into_dyn()));
    }
    tensors
}

fn session(bytes: &[u8]) -> Session {
    let config = InferenceConfig::default();
    let runtime = Runtime::load(&config).unwrap();
    Session::load(&runtime, bytes, &config).unwrap()
}

fn assert_close(found: &Array2<f32>, expected: &Array2<f32>, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    let furthest = (found - expected).fold(0f32, |max, x| max.max(x.abs()));
    assert!(furthest <= TOLERANCE, "{what}: {furthest} apart");
}

fn check_tower(
    layout: &InputLayout,
    bytes: &[u8],
    forward: impl Fn(&Inputs) -> Array2<f32>,
    what: &str,
) {
    let mut session = session(bytes);
    for (seed, count) in [(1, 1), (2, 7), (3, 300)] {
        let inputs = rows(layout, count, seed);
        let mut outputs = session.run(&tensors(layout, &inputs)).unwrap();
        let Some(Tensor::F32(found)) = outputs.remove("vector") else {
            panic!("{what}: no vector")
        };
        let found = found.into_dimensionality::<Ix2>().unwrap();
        assert_close(&found, &forward(&inputs), what);
    }
}

fn check_two_tower(user: InputLayout, item: InputLayout, shared: &[&str], what: &str) {
    let [watched, liked] = [("watched", 1.0), ("liked", 0.5)]
        .map(|(name, weight)| Objective { name: name.into(), weight });
    for (objectives, senet) in [(vec![], false), (vec![watched, liked], true)] {
        let config = TwoTowerConfig { objectives, senet, ..TwoTowerConfig::default() };
        let what = format!("{what}, senet {senet}");
        check_towers((&user, &item), shared, config, &what);
    }
}

fn check_towers(
    (user, item): (&InputLayout, &InputLayout),
    shared: &[&str],
    config: TwoTowerConfig,
    what: &str,
) {
    let config = TwoTowerConfig {
        dimension: 8,
        user_hidden: vec![16],
        item_hidden: vec![16, 12],
        shared_tables: shared.iter().map(|&name| name.to_owned()).collect(),
        learning_rate: 0.05,
        batch: 16,
        epochs: 2,
        ..config
    };
    let mut model = TwoTower::new(user.clone(), item.clone(), config).unwrap();
    let (users, items) = (rows(user, 64, 5), rows(item, 32, 6));
    let targets: Vec<u32> = (0..64).map(|row| row % 32).collect();
    let frequencies = [1.0 / 32.0; 32];
    let weights =
        Array2::from_shape_fn((64, 2), |(row, objective)| [1.0, (row % 3) as f32][objective]);
    let examples = RecallExamples {
        users: &users,
        items: &items,
        targets: &targets,
        frequencies: &frequencies,
        positives: None,
        objectives: Some(&weights),
    };
    model.train(examples, &mut |_| ()).unwrap();
    let bytes = model.export_user().unwrap();
    check_tower(user, &bytes, |x| model.user_vectors(x).unwrap(), &format!("{what}, user"));
    let bytes = model.export_item().unwrap();
    check_tower(item, &bytes, |x| model.item_vectors(x).unwrap(), &format!("{what}, item"));
}

fn without(layout: &InputLayout, change: impl FnOnce(&mut InputLayout)) -> InputLayout {
    let mut layout = layout.clone();
    change(&mut layout);
    layout
}

#[test]
fn towers_agree_with_their_export() {
    let fused = layout([8, 8, 8]);
    let mixed = layout([8, 4, 6]);
    let item = without(&fused, |layout| layout.bags.clear());
    check_two_tower(fused.clone(), item.clone(), &["item", "genre"], "one dimension");
    check_two_tower(mixed.clone(), mixed.clone(), &["creator"], "several dimensions");
    check_two_tower(without(&fused, |layout| layout.ids.clear()), item, &[], "bags only");
    check_two_tower(
        without(&mixed, |layout| layout.dense = 0),
        without(&mixed, |layout| {
            layout.bags.clear();
            layout.ids.clear();
        }),
        &[],
        "no numbers, only numbers",
    );
}

fn check_ranker(layout: &InputLayout, config: RankerConfig, what: &str) {
    let config = RankerConfig { learning_rate: 0.05, batch: 16, epochs: 2, ..config };
    let mut model = Ranker::new(layout.clone(), config).unwrap();
    let inputs = rows(layout, 64, 5);
    let labels = Array2::from_shape_fn((64, 2), |(row, task)| {
        f32::from(u8::from((row >> task).is_multiple_of(2)))
    });
    let data = Labelled { inputs: &inputs, labels: &labels, weights: None, groups: None };
    model.train(data, None, &mut |_| ()).unwrap();
    compare_ranker(layout, &model, what);
    model.calibrate(data).unwrap();
    compare_ranker(layout, &model, &format!("{what}, calibrated"));
}

fn compare_ranker(layout: &InputLayout, model: &Ranker, what: &str) {
    let mut session = session(&model.export().unwrap());
    for (seed, count) in [(1, 1), (2, 7), (3, 300)] {
        let inputs = rows(layout, count, seed);
        let mut outputs = session.run(&tensors(layout, &inputs)).unwrap();
        let mut column = |task: &str| -> Array1<f32> {
            let Some(Tensor::F32(found)) = outputs.remove(task) else {
                panic!("{what}: no {task}")
            };
            found.into_dimensionality::<Ix1>().unwrap()
        };
        let (liked, watched) = (column("liked"), column("watched"));
        let found = ndarray::stack(Axis(1), &[liked.view(), watched.view()]).unwrap();
        assert_close(&found, &model.predict(&inputs).unwrap(), what);
    }
}

#[test]
fn rankers_agree_with_their_export() {
    let config = RankerConfig { cross_rank: 4, hidden: vec![16, 8], ..RankerConfig::default() };
    let fused = layout([8, 8, 8]);
    check_ranker(&fused, config.clone(), "parallel, one dimension");
    check_ranker(&layout([8, 4, 6]), config.clone(), "parallel, several dimensions");
    let stacked = RankerConfig { structure: Structure::Stacked, cross_rank: 0, ..config.clone() };
    check_ranker(&fused, stacked, "stacked, whole matrices");
    check_ranker(&fused, RankerConfig { hidden: Vec::new(), ..config.clone() }, "crosses only");
    check_ranker(&fused, RankerConfig { cross_layers: 0, ..config.clone() }, "mlp only");
    check_ranker(&fused, RankerConfig { dropout: 0.5, ..config }, "dropout");
}

/// Row 0 has an empty history.
#[test]
fn attention_agrees_with_its_export() {
    let config = RankerConfig { cross_rank: 4, hidden: vec![16, 8], ..RankerConfig::default() };
    let (fused, mixed) = (layout([8, 8, 8]), layout([8, 4, 6]));
    for weights in [AttentionWeights::Raw, AttentionWeights::Softmax] {
        for pooled in [true, false] {
            let attend = |sequence: &str, target: &str, hidden: &[usize]| AttentionConfig {
                hidden: hidden.to_vec(),
                weights,
                pooled,
                ..AttentionConfig::new(sequence, target)
            };
            let one = vec![attend("history", "item", &[16])];
            let two = vec![attend("genres", "genre", &[]), attend("history", "item", &[8, 4])];
            for (attention, layout) in [(&one, &fused), (&two, &fused), (&two, &mixed)] {
                let config = RankerConfig { attention: attention.clone(), ..config.clone() };
                check_ranker(layout, config, &format!("{attention:?}"));
            }
        }
    }
}

fn check_multi_interest(user: &InputLayout, item: &InputLayout, shared: &[&str], what: &str) {
    let config = MultiInterestConfig {
        dimension: 8,
        user_hidden: vec![16],
        item_hidden: vec![16],
        shared_tables: shared.iter().map(|&name| name.to_owned()).collect(),
        learning_rate: 0.05,
        batch: 16,
        epochs: 2,
        ..MultiInterestConfig::default()
    };
    let mut model = MultiInterest::new(user.clone(), item.clone(), config).unwrap();
    let (users, items) = (rows(user, 64, 5), rows(item, 32, 6));
    let targets: Vec<u32> = (0..64).map(|row| row % 32).collect();
    let examples = RecallExamples {
        users: &users,
        items: &items,
        targets: &targets,
        frequencies: &[1.0 / 32.0; 32],
        positives: None,
        objectives: None,
    };
    model.train(examples, &mut |_| ()).unwrap();
    let mut session = session(&model.export_user().unwrap());
    let mut interests = |inputs: &Inputs| {
        let mut outputs = session.run(&tensors(user, inputs)).unwrap();
        let Some(Tensor::F32(found)) = outputs.remove("interests") else {
            panic!("{what}: no interests")
        };
        found.into_dimensionality::<Ix3>().unwrap()
    };
    let inputs = histories(user, 300);
    let together = interests(&inputs);
    let expected = model.user_interests(&inputs).unwrap();
    assert_eq!(together.dim(), (300, 4, 8), "{what}");
    let furthest = (&together - &expected).fold(0f32, |max, x| max.max(x.abs()));
    assert!(furthest <= TOLERANCE, "{what}: {furthest} apart");
    for (found, expected) in together.lanes(Axis(2)).into_iter().zip(expected.lanes(Axis(2))) {
        let is_zero = |values: ArrayView1<'_, f32>| values.iter().all(|value| *value == 0.0);
        assert_eq!(is_zero(found), is_zero(expected), "{what}: unused interests are exactly zero");
    }
    for row in [0, 1, 2, 3, 299] {
        let alone = interests(&inputs.select(&[row]));
        let apart = &alone.index_axis(Axis(0), 0) - &together.index_axis(Axis(0), row);
        let furthest = apart.fold(0f32, |max, x| max.max(x.abs()));
        assert!(furthest <= TOLERANCE, "{what}: user {row} alone is {furthest} apart");
    }
    let bytes = model.export_item().unwrap();
    check_tower(item, &bytes, |x| model.item_vectors(x).unwrap(), &format!("{what}, item"));
}

/// Histories of all lengths: 0, 1 and full are the first three.
fn histories(layout: &InputLayout, count: usize) -> Inputs {
    let mut inputs = rows(layout, count, 3);
    let history = &mut inputs.bags[0];
    let full = history.ncols();
    let last = i64::try_from(layout.tables[0].rows).unwrap() - 1;
    for (row, mut ids) in history.rows_mut().into_iter().enumerate() {
        let length = match row {
            0..2 => row,
            2 => full,
            _ => row % (full + 1),
        };
        for (place, id) in ids.iter_mut().enumerate() {
            let known = i64::try_from(row * 7 + place * 5).unwrap() % last + 1;
            *id = if place < length { known } else { 0 };
        }
    }
    inputs
}

#[test]
fn interests_agree_with_their_export() {
    let long = |dimensions| without(&layout(dimensions), |layout| layout.bags[0].length = 20);
    let item = |user: &InputLayout| without(user, |layout| layout.bags.clear());
    let (fused, mixed) = (long([8, 8, 8]), long([8, 4, 6]));
    check_multi_interest(&fused, &item(&fused), &["item", "genre"], "one dimension");
    check_multi_interest(&mixed, &item(&mixed), &["item"], "several dimensions");
    let alone = without(&mixed, |layout| {
        layout.bags.truncate(1);
        layout.ids.clear();
        layout.dense = 0;
    });
    check_multi_interest(&alone, &item(&mixed), &[], "nothing but a history");
}
