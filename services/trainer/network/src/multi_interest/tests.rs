use ndarray::{Array2, array, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{network::Network, *};
use crate::{
    BagShape, IdShape, TableShape, embedding::tests as embedding, layer::tests::assert_close,
    recall::softmax::Columns,
};

const CLUSTERS: usize = 4;
const ITEMS: usize = 40;
const LENGTH: usize = 20;

fn items_layout() -> InputLayout {
    InputLayout {
        tables: vec![TableShape { name: "item".into(), rows: ITEMS + 1, dimension: 8 }],
        ids: vec![IdShape { name: "item".into(), table: 0 }],
        bags: Vec::new(),
        dense: 0,
    }
}

fn users_layout() -> InputLayout {
    InputLayout {
        bags: vec![
            BagShape { name: "liked".into(), table: 0, length: 2 },
            BagShape { name: "history".into(), table: 0, length: LENGTH },
        ],
        ids: Vec::new(),
        dense: 1,
        ..items_layout()
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

/// The two clusters that a user likes; item `i` is of cluster `i % CLUSTERS`.
fn tastes(row: usize) -> [usize; 2] {
    [row % CLUSTERS, (row + 1 + (row / CLUSTERS) % (CLUSTERS - 1)) % CLUSTERS]
}

/// Users with eight items of each of two clusters and a target of one of the two.
fn torn(rows: usize, seed: u64) -> (Inputs, Vec<u32>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut history = Array2::zeros((rows, LENGTH));
    let mut targets = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut draw =
            |taste: usize| random.random_range(0..ITEMS / CLUSTERS) * CLUSTERS + tastes(row)[taste];
        (0..16).for_each(|place| history[[row, place]] = to_id(draw(place % 2)));
        targets.push(u32::try_from(draw(row / 12 % 2)).unwrap());
    }
    let bags = vec![Array2::zeros((rows, 2)), history];
    let ids = Array2::zeros((rows, 0));
    (Inputs { rows, ids, bags, dense: Array2::zeros((rows, 1)) }, targets)
}

fn config() -> MultiInterestConfig {
    MultiInterestConfig {
        dimension: 8,
        user_hidden: vec![16],
        item_hidden: vec![16],
        shared_tables: vec!["item".into()],
        temperature: 0.1,
        learning_rate: 0.01,
        batch: 64,
        epochs: 25,
        uniform_negatives: 8,
        ..MultiInterestConfig::default()
    }
}

fn train(config: MultiInterestConfig) -> (MultiInterest, Vec<f64>) {
    let (users, targets) = torn(1200, 3);
    let items = catalogue();
    let examples = RecallExamples {
        users: &users,
        items: &items,
        targets: &targets,
        frequencies: &[1.0 / ITEMS as f32; ITEMS],
        positives: None,
        objectives: None,
    };
    let mut model = MultiInterest::new(users_layout(), items_layout(), config).unwrap();
    let mut losses = Vec::new();
    model.train(examples, &mut |progress| losses.push(progress.loss)).unwrap();
    (model, losses)
}

#[test]
fn a_torn_user_gets_both_clusters() {
    let (model, losses) = train(config());
    let (users, _) = torn(96, 4);
    let interests = model.user_interests(&users).unwrap();
    let items = model.item_vectors(&catalogue()).unwrap();
    let mut found = 0;
    for row in 0..users.rows {
        let scores = interests.slice(s![row, .., ..]).dot(&items.t());
        let best: Vec<f32> =
            scores.columns().into_iter().map(|c| c.iter().copied().fold(-2.0, f32::max)).collect();
        let mut order: Vec<usize> = (0..ITEMS).collect();
        order.sort_by(|&a, &b| best[b].total_cmp(&best[a]));
        found +=
            order[..20].iter().filter(|&&item| tastes(row).contains(&(item % CLUSTERS))).count();
    }
    // Half of them would be right by chance.
    assert!(found > 96 * 18, "{found} of {} items are of the user's clusters: {losses:?}", 96 * 20);
}

#[test]
fn interests_do_not_depend_on_the_batch() {
    let (model, _) = train(MultiInterestConfig { epochs: 1, ..config() });
    let (users, _) = torn(300, 8);
    let together = model.user_interests(&users).unwrap();
    for row in [0, 1, 31, 32, 150, 299] {
        let alone = model.user_interests(&users.select(&[row])).unwrap();
        let bits = |values: ndarray::ArrayView2<'_, f32>| {
            values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>()
        };
        assert_eq!(
            bits(alone.slice(s![0, .., ..])),
            bits(together.slice(s![row, .., ..])),
            "user {row} has other interests in company"
        );
    }
    assert_eq!(model.user_interests(&users.select(&[])).unwrap().dim(), (0, 4, 8));
}

#[test]
fn interests_are_as_many_as_the_history_allows() {
    let (model, _) = train(MultiInterestConfig { epochs: 1, ..config() });
    let lengths = [0, 1, 3, 4, 7, 8, 15, 16, 20];
    let expected = [1, 1, 1, 2, 2, 3, 3, 4, 4];
    let (mut users, _) = torn(lengths.len(), 9);
    users.dense.fill(0.5);
    for (mut history, length) in users.bags[1].rows_mut().into_iter().zip(lengths) {
        history.iter_mut().enumerate().for_each(|(place, id)| {
            *id = if place < length { to_id(place) } else { 0 };
        });
    }
    let interests = model.user_interests(&users).unwrap();
    for ((row, expected), length) in interests.outer_iter().zip(expected).zip(lengths) {
        for (number, interest) in row.outer_iter().enumerate() {
            let norm = interest.dot(&interest).sqrt();
            match number < expected {
                true => assert!((norm - 1.0).abs() < 1e-5, "{number} of {length}: {norm}"),
                false => assert!(interest.iter().all(|value| *value == 0.0)),
            }
        }
    }
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let run = |threads: usize, seed: u64| {
        let (model, losses) = train(MultiInterestConfig { threads, seed, epochs: 2, ..config() });
        (losses, model.export_user().unwrap(), model.export_item().unwrap())
    };
    let one = run(1, 5);
    assert!(one == run(3, 5), "threads change the result");
    assert!(one == run(0, 5), "rayon's own pool changes the result");
    assert!(one != run(1, 6), "the seed does nothing");
}

/// One user with three behaviours that are not padding is too short for two interests: routing
/// would have nothing to decide. Rows 0 and 3 have four.
fn small_users() -> Inputs {
    Inputs {
        rows: 4,
        ids: array![[1, 3], [2, 0], [0, 0], [3, 5]],
        bags: vec![
            array![[3, 3, 1, 0, 4], [0, 2, 0, 0, 0], [0, 0, 0, 0, 0], [5, 0, 4, 1, 2]],
            array![[1, 2], [0, 0], [0, 0], [3, 3]],
        ],
        ..embedding::inputs()
    }
}

fn small_network(negative_scores: NegativeScores, random: &mut ChaCha8Rng) -> Network<f64> {
    let config = MultiInterestConfig {
        dimension: 3,
        interests: 3,
        attention_power: 1.5,
        negative_scores,
        temperature: 0.5,
        user_hidden: vec![4],
        item_hidden: vec![],
        shared_tables: vec!["item".into()],
        ..MultiInterestConfig::default()
    };
    let mut users = embedding::layout();
    users.bags[0].length = 5;
    let items = InputLayout {
        tables: vec![
            TableShape { name: "creator".into(), rows: 3, dimension: 2 },
            users.tables[0].clone(),
        ],
        ids: vec![
            IdShape { name: "item".into(), table: 1 },
            IdShape { name: "creator".into(), table: 0 },
        ],
        bags: Vec::new(),
        dense: 1,
    };
    let mut network: Network<f64> = Network::new(users, items, &config, random).unwrap();
    for table in &mut network.tables {
        table.values.iter_mut().for_each(|value| *value *= 20.0);
    }
    network
}

#[test]
fn gradients_of_the_whole_model() {
    for negative_scores in [NegativeScores::Attended, NegativeScores::Nearest] {
        let random = &mut ChaCha8Rng::seed_from_u64(9);
        check_gradients(small_network(negative_scores, random));
    }
}

fn check_gradients(mut network: Network<f64>) {
    let users = small_users();
    let items = Inputs {
        rows: 3,
        ids: array![[1, 2], [3, 1], [5, 0]],
        bags: Vec::new(),
        dense: array![[0.5], [1.0], [-1.0]],
    };
    let columns = Columns::plain(vec![0, 2, 1, 0], vec![0.5, 0.0, -0.25]);
    let shares = network.user.route(&network.tables, &users);
    assert_eq!(shares.starts, [0, 2, 3, 4, 6]);
    // A bias of zero behind a padding row is the corner of a ReLU and of the unit length.
    for (number, layer) in (30..).zip(network.layers()) {
        let (rows, width) = layer.value.dim();
        layer.value += &(crate::layer::tests::random(rows, width, number) * 0.3);
    }
    let learn = |network: &mut Network<f64>| network.learn(&users, &items, &columns, &shares);
    learn(&mut network);
    let gradients: Vec<Array2<f64>> =
        network.layers().iter().map(|layer| layer.gradient.clone()).collect();
    let cells: Vec<(usize, usize, f64)> = (0..network.tables.len())
        .flat_map(|number| (0..network.tables[number].values.len()).map(move |cell| (number, cell)))
        .filter(|&(number, cell)| cell >= network.tables[number].dimension)
        .map(|(number, cell)| {
            let table = &network.tables[number];
            let (row, column) = (cell / table.dimension, cell % table.dimension);
            (number, cell, table.gradient(row).map_or(0.0, |gradient| gradient[column]))
        })
        .collect();
    for (number, cell, analytic) in cells {
        let mut at = |step: f64| {
            network.tables[number].values[cell] += step;
            learn(&mut network)
        };
        let numeric = (at(1e-5) - at(-2e-5)) / 2e-5;
        at(1e-5);
        assert_close(analytic, numeric, &format!("table {number} cell {cell}"));
    }
    for (number, gradient) in gradients.into_iter().enumerate() {
        for cell in ndarray::indices(gradient.dim()) {
            let mut at = |step: f64| {
                network.layers()[number].value[cell] += step;
                learn(&mut network)
            };
            let numeric = (at(1e-5) - at(-2e-5)) / 2e-5;
            at(1e-5);
            assert_close(gradient[cell], numeric, &format!("layer {number} {cell:?}"));
        }
    }
}

/// The paper's algorithm written out for one user: every behaviour is mapped, then routed.
fn capsules_of(network: &Network<f64>, ids: &[i64], used: usize) -> Vec<Vec<f64>> {
    let user = &network.user;
    let table = &network.tables[user.table];
    let rows: Vec<&[f64]> = ids
        .iter()
        .filter(|id| **id != 0)
        .map(|id| table.row(usize::try_from(*id).unwrap()))
        .collect();
    let map = user.map.weights();
    let mapped: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| (0..3).map(|j| (0..3).map(|i| row[i] * map[[i, j]]).sum()).collect())
        .collect();
    let mut logits: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| {
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            (0..used)
                .map(|k| (0..3).map(|i| row[i] * user.start[[k, i]]).sum::<f64>() / norm)
                .collect()
        })
        .collect();
    let mut capsules = Vec::new();
    for _ in 0..3 {
        capsules = (0..used)
            .map(|k| {
                let mut sum = [0.0; 3];
                for (logits, mapped) in logits.iter().zip(&mapped) {
                    let whole: f64 = logits.iter().map(|b| b.exp()).sum();
                    (0..3).for_each(|j| sum[j] += logits[k].exp() / whole * mapped[j]);
                }
                let square: f64 = sum.iter().map(|x| x * x).sum();
                sum.map(|x| square / (1.0 + square) * x / square.sqrt()).to_vec()
            })
            .collect::<Vec<Vec<f64>>>();
        for (logits, mapped) in logits.iter_mut().zip(&mapped) {
            for (logit, capsule) in logits.iter_mut().zip(&capsules) {
                *logit += capsule.iter().zip(mapped).map(|(u, h)| u * h).sum::<f64>();
            }
        }
    }
    capsules
}

#[test]
fn routing_follows_the_paper() {
    let network = small_network(NegativeScores::Nearest, &mut ChaCha8Rng::seed_from_u64(4));
    let users = small_users();
    let shares = network.user.route(&network.tables, &users);
    let pass = network.user.forward(&network.tables, &users, &shares);
    for (row, used, first) in [(0, 2, 0), (1, 1, 2), (3, 2, 4)] {
        let expected = capsules_of(&network, users.bags[0].row(row).as_slice().unwrap(), used);
        for (number, capsule) in expected.iter().enumerate() {
            for (cell, expected) in capsule.iter().enumerate() {
                let found = pass.capsules()[[first + number, cell]];
                assert_close(found, *expected, &format!("user {row} interest {number}"));
            }
        }
    }
    assert_eq!(pass.capsules().row(3).to_vec(), [0.0; 3], "nothing was done by user 2");
}

#[test]
fn bad_settings_are_refused() {
    type Change = fn(&mut MultiInterestConfig);
    let rows: [(Change, &str); 6] = [
        (|c| c.interests = 0, "interests must be at least 1"),
        (|c| c.iterations = 0, "iterations must be at least 1"),
        (
            |c| c.sequence = "liked items".into(),
            "sequence liked items is not a bag of the user's columns",
        ),
        (|c| c.attention_power = -1.0, "attention_power must be zero or a positive number, not -1"),
        (|c| c.temperature = 0.0, "temperature must be a positive number, not 0"),
        (
            |c| c.shared_tables = vec!["genre".into()],
            "shared_tables genre is not a table of the same shape in both towers",
        ),
    ];
    for (change, expected) in rows {
        let mut config = config();
        change(&mut config);
        let error = MultiInterest::new(users_layout(), items_layout(), config).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
