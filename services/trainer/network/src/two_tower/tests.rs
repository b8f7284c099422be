use ndarray::{Array2, Axis, array};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    towers::{Towers, Users},
    *,
};
use crate::{
    BagShape, IdShape, TableShape, embedding::tests as embedding, layer::tests::assert_close,
    recall::softmax::Columns,
};

const CLUSTERS: usize = 4;
const ITEMS: usize = 40;

fn items_layout(dimension: usize) -> InputLayout {
    InputLayout {
        tables: vec![TableShape { name: "item".into(), rows: ITEMS + 1, dimension }],
        ids: vec![IdShape { name: "item".into(), table: 0 }],
        bags: Vec::new(),
        dense: 0,
    }
}

fn users_layout(dimension: usize) -> InputLayout {
    InputLayout {
        bags: vec![BagShape { name: "history".into(), table: 0, length: 3 }],
        ids: Vec::new(),
        dense: 1,
        ..items_layout(dimension)
    }
}

fn catalogue() -> Inputs {
    Inputs {
        rows: ITEMS,
        ids: Array2::from_shape_fn((ITEMS, 1), |(row, _)| to_id(row)),
        bags: Vec::new(),
        dense: Array2::zeros((ITEMS, 0)),
    }
}

fn to_id(item: usize) -> i64 {
    i64::try_from(item).unwrap() + 1
}

/// Users whose history and target are of one cluster; item `i` is of cluster `i % CLUSTERS`.
fn clustered(rows: usize, seed: u64) -> (Inputs, Vec<u32>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut history = Array2::zeros((rows, 3));
    let mut targets = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut draw = || random.random_range(0..ITEMS / CLUSTERS) * CLUSTERS + row % CLUSTERS;
        history[[row, 0]] = to_id(draw());
        history[[row, 1]] = to_id(draw());
        targets.push(u32::try_from(draw()).unwrap());
    }
    let ids = Array2::zeros((rows, 0));
    (Inputs { rows, ids, bags: vec![history], dense: Array2::zeros((rows, 1)) }, targets)
}

fn config() -> TwoTowerConfig {
    TwoTowerConfig {
        dimension: 8,
        user_hidden: vec![16],
        item_hidden: vec![16],
        shared_tables: vec!["item".into()],
        temperature: 0.1,
        learning_rate: 0.01,
        batch: 64,
        epochs: 12,
        uniform_negatives: 8,
        ..TwoTowerConfig::default()
    }
}

fn train(config: TwoTowerConfig) -> (TwoTower, Vec<f64>) {
    let (users, targets) = clustered(800, 3);
    let frequencies = [1.0 / ITEMS as f32; ITEMS];
    let mut model = TwoTower::new(users_layout(8), items_layout(8), config).unwrap();
    let mut losses = Vec::new();
    let items = catalogue();
    let examples = RecallExamples {
        users: &users,
        items: &items,
        targets: &targets,
        frequencies: &frequencies,
        positives: None,
        objectives: None,
    };
    model.train(examples, &mut |progress| losses.push(progress.loss)).unwrap();
    (model, losses)
}

#[test]
fn recovers_planted_clusters() {
    let (model, losses) = train(config());
    assert_eq!(losses.len(), 12);
    // Ten equally likely items a cluster: the loss cannot pass ln 10.
    let last = losses.last().unwrap();
    assert!(*last < 10f64.ln() + 0.25, "{losses:?}");
    let (users, _) = clustered(100, 4);
    let scores =
        model.user_vectors(&users).unwrap().dot(&model.item_vectors(&catalogue()).unwrap().t());
    for (row, scores) in scores.rows().into_iter().enumerate() {
        let mut order: Vec<usize> = (0..ITEMS).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let inside = order[..10].iter().filter(|&&item| item % CLUSTERS == row % CLUSTERS).count();
        assert_eq!(inside, 10, "user {row}: {:?}", &order[..10]);
    }
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let run = |threads: usize, seed: u64| {
        let (model, losses) = train(TwoTowerConfig { threads, seed, epochs: 2, ..config() });
        (losses, model.export_user().unwrap(), model.export_item().unwrap())
    };
    let one = run(1, 5);
    assert!(one == run(3, 5), "threads change the result");
    assert!(one == run(0, 5), "rayon's own pool changes the result");
    assert!(one != run(1, 6), "the seed does nothing");
}

/// Everybody is the same user, eight items have half of the events and the other 32 share the
/// rest: the softmax over the catalogue must learn those shares with logQ, and prefer popular
/// items much less without.
#[test]
fn logq_removes_the_sampling_bias() {
    let weight = |item: usize| if item < 8 { 4 } else { 1 };
    let targets: Vec<u32> =
        (0..40u32).flat_map(|item| vec![item; weight(to_row(item))]).collect::<Vec<_>>().repeat(20);
    let frequencies: Vec<f32> = (0..ITEMS).map(|item| weight(item) as f32 / 64.0).collect();
    let (user, _) = clustered(1, 1);
    let (users, items) = (user.select(&vec![0; targets.len()]), catalogue());
    let popular = |logq: bool| {
        let config = TwoTowerConfig {
            item_hidden: vec![],
            temperature: 0.5,
            batch: 32,
            epochs: 20,
            uniform_negatives: 0,
            logq,
            ..config()
        };
        let mut model = TwoTower::new(users_layout(8), items_layout(8), config).unwrap();
        let examples = RecallExamples {
            users: &users,
            items: &items,
            targets: &targets,
            frequencies: &frequencies,
            positives: None,
            objectives: None,
        };
        model.train(examples, &mut |_| ()).unwrap();
        let user = model.user_vectors(&user).unwrap();
        let scores = user.dot(&model.item_vectors(&items).unwrap().t());
        let powers = scores.row(0).mapv(|score| (score / 0.5).exp());
        powers.iter().take(8).sum::<f32>() / powers.sum()
    };
    let (corrected, plain) = (popular(true), popular(false));
    assert!((corrected - 0.5).abs() < 0.04, "{corrected}");
    assert!(plain < 0.4, "{plain} without, {corrected} with logQ");
}

fn to_row(item: u32) -> usize {
    usize::try_from(item).unwrap()
}

#[test]
fn a_vector_does_not_depend_on_its_batch() {
    let (model, _) = train(TwoTowerConfig { epochs: 1, ..config() });
    let (users, _) = clustered(200, 8);
    let together = model.user_vectors(&users).unwrap();
    for row in [0, 63, 64, 199] {
        let alone = model.user_vectors(&users.select(&[row])).unwrap();
        let furthest = (&alone.row(0) - &together.row(row)).fold(0f32, |max, x| max.max(x.abs()));
        assert!(furthest < 1e-6, "row {row}: {furthest}");
    }
    assert_eq!(model.user_vectors(&users.select(&[])).unwrap().dim(), (0, 8));
}

/// Watching follows one cluster, liking the next one: the served vector is between the two, as
/// the weights say.
#[test]
fn objectives_are_fused_by_their_weights() {
    let (users, targets) = clustered(800, 3);
    let liked: Vec<u32> = targets.iter().map(|target| (target + 1) % 40).collect();
    let both = ndarray::concatenate(Axis(0), &[users.ids.view(), users.ids.view()]).unwrap();
    let bag = ndarray::concatenate(Axis(0), &[users.bags[0].view(), users.bags[0].view()]).unwrap();
    let users = Inputs { rows: 1600, ids: both, bags: vec![bag], dense: Array2::zeros((1600, 1)) };
    let targets = [targets, liked].concat();
    let weights = Array2::from_shape_fn((1600, 2), |(row, objective)| {
        f32::from(u8::from((row < 800) == (objective == 0)))
    });
    let items = catalogue();
    let examples = RecallExamples {
        users: &users,
        items: &items,
        targets: &targets,
        frequencies: &[1.0 / ITEMS as f32; ITEMS],
        positives: None,
        objectives: Some(&weights),
    };
    let inside = |watched: f32, liked: f32| {
        let objectives = [("watched", watched), ("liked", liked)]
            .map(|(name, weight)| Objective { name: name.into(), weight });
        let config = TwoTowerConfig { objectives: objectives.to_vec(), ..config() };
        let mut model = TwoTower::new(users_layout(8), items_layout(8), config).unwrap();
        model.train(examples, &mut |_| ()).unwrap();
        let vectors = model.user_vectors(&users.select(&(0..40).collect::<Vec<_>>())).unwrap();
        let scores = vectors.dot(&model.item_vectors(&items).unwrap().t());
        let mut counts = [0; CLUSTERS];
        for (row, scores) in scores.rows().into_iter().enumerate() {
            let mut order: Vec<usize> = (0..ITEMS).collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            order[..10]
                .iter()
                .for_each(|item| counts[(item + CLUSTERS - row % CLUSTERS) % CLUSTERS] += 1);
        }
        counts
    };
    let [watched, liked, ..] = inside(1.0, 0.01);
    assert!(watched > 390 && liked < 10, "{watched} and {liked} of 400");
    let [watched, liked, ..] = inside(0.01, 1.0);
    assert!(watched < 10 && liked > 390, "{watched} and {liked} of 400");
}

#[test]
fn gradients_of_the_whole_model() {
    let config = TwoTowerConfig {
        dimension: 3,
        user_hidden: vec![4],
        item_hidden: vec![],
        shared_tables: vec!["item".into()],
        ..TwoTowerConfig::default()
    };
    let item_layout = InputLayout {
        tables: vec![
            TableShape { name: "creator".into(), rows: 3, dimension: 2 },
            embedding::layout().tables[0].clone(),
        ],
        ids: vec![
            IdShape { name: "item".into(), table: 1 },
            IdShape { name: "creator".into(), table: 0 },
        ],
        bags: Vec::new(),
        dense: 1,
    };
    let items = Inputs {
        rows: 3,
        ids: array![[1, 2], [3, 1], [5, 0]],
        bags: Vec::new(),
        dense: array![[0.5], [1.0], [-1.0]],
    };
    let both = ["watched", "liked"].map(|name| Objective { name: name.into(), weight: 1.0 });
    for (objectives, senet) in [(vec![], false), (both.to_vec(), false), (vec![], true)] {
        let random = &mut ChaCha8Rng::seed_from_u64(9);
        let count = objectives.len();
        let config = TwoTowerConfig { objectives, senet, ..config.clone() };
        let mut towers: Towers<f64> =
            Towers::new(embedding::layout(), item_layout.clone(), &config, random).unwrap();
        assert_eq!(towers.tables.len(), 3, "one table is shared");
        enlarge(&mut towers);
        // A bias of zero behind a padding row is the corner of a ReLU.
        for (seed, layer) in (30..).zip(towers.layers()) {
            let (rows, width) = layer.value.dim();
            layer.value += &(crate::layer::tests::random(rows, width, seed) * 0.1);
        }
        let columns = Columns::plain(vec![0, 2, 1, 0], vec![0.5, 0.0, -0.25]);
        check_whole(towers, &items, &columns, count);
    }
}

/// Fresh embeddings are small, and so would be the second-order effects a wrong gradient shows.
fn enlarge(towers: &mut Towers<f64>) {
    for table in &mut towers.tables {
        table.values.iter_mut().for_each(|value| *value *= 10.0);
    }
}

fn check_whole(mut towers: Towers<f64>, items: &Inputs, columns: &Columns<f64>, objectives: usize) {
    let users = embedding::inputs();
    let weights = array![[1.0, 0.0], [0.5, 2.0], [1.0, 1.0], [0.0, 0.25]];
    let weights = (objectives == 2).then_some(&weights);
    let users = Users { inputs: &users, weights };
    let loss = |towers: &mut Towers<f64>| towers.learn(&users, items, columns, 0.5);
    loss(&mut towers);
    let tables: Vec<(usize, usize, f64)> = (0..towers.tables.len())
        .flat_map(|number| (0..towers.tables[number].values.len()).map(move |cell| (number, cell)))
        .filter(|&(number, cell)| cell >= towers.tables[number].dimension)
        .map(|(number, cell)| {
            let table = &towers.tables[number];
            let (row, column) = (cell / table.dimension, cell % table.dimension);
            (number, cell, table.gradient(row).map_or(0.0, |gradient| gradient[column]))
        })
        .collect();
    for (number, cell, analytic) in tables {
        let mut at = |step: f64| {
            towers.tables[number].values[cell] += step;
            loss(&mut towers)
        };
        let numeric = (at(1e-5) - at(-2e-5)) / 2e-5;
        at(1e-5);
        assert_close(analytic, numeric, &format!("table {number} cell {cell}"));
    }
    check_layers(towers, loss);
}

fn check_layers(mut towers: Towers<f64>, mut loss: impl FnMut(&mut Towers<f64>) -> f64) {
    for number in 0..towers.layers().len() {
        towers.layers().into_iter().for_each(|layer| layer.gradient.fill(0.0));
        loss(&mut towers);
        let gradient = towers.layers()[number].gradient.clone();
        for cell in ndarray::indices(gradient.dim()) {
            let mut at = |step: f64| {
                towers.layers()[number].value[cell] += step;
                loss(&mut towers)
            };
            let numeric = (at(1e-5) - at(-2e-5)) / 2e-5;
            at(1e-5);
            assert_close(gradient[cell], numeric, &format!("layer {number} {cell:?}"));
        }
    }
}

fn refused(change: impl FnOnce(&mut Inputs, &mut Vec<u32>, &mut [f32; ITEMS]), expected: &str) {
    let (mut users, mut targets) = clustered(8, 3);
    let mut frequencies = [1.0 / ITEMS as f32; ITEMS];
    change(&mut users, &mut targets, &mut frequencies);
    let items = catalogue();
    let examples = RecallExamples {
        users: &users,
        items: &items,
        targets: &targets,
        frequencies: &frequencies,
        positives: None,
        objectives: None,
    };
    let mut model = TwoTower::new(users_layout(8), items_layout(8), config()).unwrap();
    let error = model.train(examples, &mut |_| ()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn bad_examples_are_refused() {
    refused(
        |users, _, _| users.bags[0][[2, 1]] = 41,
        "column history, row 2: id 41 is outside table item of 41 rows",
    );
    refused(
        |users, _, _| users.dense[[1, 0]] = f32::NAN,
        "column dense[0], row 1: value NaN is not allowed",
    );
    refused(
        |_, targets, _| targets[5] = 40,
        "column targets, row 5: id 40 is outside table items of 40 rows",
    );
    refused(
        |_, targets, frequencies| frequencies[to_row(targets[0])] = f32::NAN,
        "column frequencies, row 24: value NaN is not allowed",
    );
    refused(
        |_, targets, frequencies| frequencies[to_row(targets[0])] = 0.0,
        "column frequencies, row 24: value 0 is not allowed",
    );
    refused(|_, targets, _| targets.truncate(3), "targets has shape [3], expected [8]");
    refused(
        |users, targets, _| {
            *users = users.select(&[]);
            targets.clear();
        },
        "no training examples",
    );
}

#[test]
fn bad_settings_are_refused() {
    type Change = fn(&mut TwoTowerConfig);
    let rows: [(Change, &str); 5] = [
        (|c| c.temperature = 0.0, "temperature must be a positive number, not 0"),
        (|c| c.learning_rate = f32::NAN, "learning_rate must be a positive number, not NaN"),
        (|c| c.batch = 0, "batch must be at least 1"),
        (|c| c.user_hidden = vec![8, 0], "user_hidden must not have a layer of width 0"),
        (
            |c| c.shared_tables = vec!["genre".into()],
            "shared_tables genre is not a table of the same shape in both towers",
        ),
    ];
    for (change, expected) in rows {
        let mut config = config();
        change(&mut config);
        let error = TwoTower::new(users_layout(8), items_layout(8), config).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
