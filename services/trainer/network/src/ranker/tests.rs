use ndarray::{Array2, array};
use rand::Rng;

use super::{loss::Goal, *};
use crate::{
    BagShape, IdShape, Inputs, TableShape, embedding::tests as embedding,
    layer::tests::assert_close,
};

mod checkpoints;
mod goals;
mod interests;

const USERS: usize = 30;
const ITEMS: usize = 30;

fn layout() -> InputLayout {
    InputLayout {
        tables: vec![
            TableShape { name: "user".into(), rows: USERS + 1, dimension: 8 },
            TableShape { name: "item".into(), rows: ITEMS + 1, dimension: 8 },
        ],
        ids: vec![
            IdShape { name: "user".into(), table: 0 },
            IdShape { name: "item".into(), table: 1 },
        ],
        bags: vec![BagShape { name: "history".into(), table: 1, length: 2 }],
        dense: 1,
    }
}

/// The first label says whether user and item are of one half, which no sum of user and item
/// effects can say; the second whether the number is positive.
fn planted(rows: usize, seed: u64) -> (Inputs, Array2<f32>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let ids = Array2::from_shape_simple_fn((rows, 2), || random.random_range(1..=30));
    let dense = Array2::from_shape_simple_fn((rows, 1), || random.random_range(-1.0..1.0));
    let labels = Array2::from_shape_fn((rows, 2), |(row, task)| {
        let like = if task == 0 {
            (ids[[row, 0]] <= 15) == (ids[[row, 1]] <= 15)
        } else {
            dense[[row, 0]] > 0.0
        };
        f32::from(u8::from(like))
    });
    (Inputs { rows, ids, bags: vec![Array2::zeros((rows, 2))], dense }, labels)
}

fn config() -> RankerConfig {
    RankerConfig {
        cross_rank: 4,
        hidden: vec![16],
        learning_rate: 0.01,
        batch: 128,
        epochs: 20,
        patience: 0,
        ..RankerConfig::default()
    }
}

/// Epoch, loss and validation loss.
type Report = (usize, f64, Option<f64>);

fn train(config: RankerConfig) -> (Ranker, Vec<Report>) {
    let (inputs, labels) = planted(3000, 1);
    let (held_inputs, held_labels) = planted(500, 2);
    let mut model = Ranker::new(layout(), config).unwrap();
    let mut progress = Vec::new();
    let rows = Labelled { inputs: &inputs, labels: &labels, weights: None, groups: None };
    let held = Labelled { inputs: &held_inputs, labels: &held_labels, weights: None, groups: None };
    let report = &mut |p: Progress<'_>| progress.push((p.epoch, p.loss, p.validation_loss));
    model.train(rows, Some(held), report).unwrap();
    (model, progress)
}

/// The share of pairs of a positive and a negative row that are in order.
fn auc(probabilities: &[f32], labels: &[f32]) -> f64 {
    let of = |label: f32| {
        let rows = probabilities.iter().zip(labels).filter(move |(_, l)| **l == label);
        rows.map(|(probability, _)| *probability).collect::<Vec<_>>()
    };
    let (positives, negatives) = (of(1.0), of(0.0));
    let pairs = positives.iter().flat_map(|p| negatives.iter().map(move |n| (p, n)));
    let ordered: f64 = pairs
        .map(|(p, n)| {
            if p > n {
                1.0
            } else if p < n {
                0.0
            } else {
                0.5
            }
        })
        .sum();
    ordered / (positives.len() * negatives.len()) as f64
}

fn check_planted(change: impl FnOnce(&mut RankerConfig)) {
    let mut config = config();
    change(&mut config);
    let (model, _) = train(config.clone());
    let (inputs, labels) = planted(500, 5);
    let probabilities = model.predict(&inputs).unwrap();
    for task in 0..2 {
        let auc = auc(&probabilities.column(task).to_vec(), &labels.column(task).to_vec());
        assert!(auc > 0.95, "task {task}: {auc} with {config:?}");
        let calibration = probabilities.column(task).sum() / labels.column(task).sum();
        assert!((calibration - 1.0).abs() < 0.1, "task {task}: PCOC {calibration}");
    }
}

#[test]
fn learns_planted_interactions() {
    check_planted(|_| ());
    check_planted(|config| config.structure = Structure::Stacked);
    check_planted(|config| config.cross_rank = 0);
    check_planted(|config| config.hidden.clear());
    check_planted(|config| config.cross_layers = 0);
    check_planted(|config| config.dropout = 0.2);
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let run = |threads: usize| {
        let (model, progress) = train(RankerConfig { threads, epochs: 2, ..config() });
        (model.export().unwrap(), progress)
    };
    let one = run(1);
    assert!(one == run(3), "threads change the result");
    assert!(one == run(0), "rayon's own pool changes the result");
}

#[test]
fn stops_early_and_keeps_the_best() {
    // At this rate the validation loss is all over the place.
    let (model, progress) =
        train(RankerConfig { learning_rate: 0.3, patience: 2, epochs: 50, ..config() });
    assert!(progress.len() < 50, "it never stopped");
    let losses: Vec<f64> = progress.iter().map(|report| report.2.unwrap()).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(losses[losses.len() - 3..].iter().skip(1).all(|loss| *loss >= best));
    let (inputs, labels) = planted(500, 2);
    let kept =
        model.loss(Labelled { inputs: &inputs, labels: &labels, weights: None, groups: None });
    assert!((kept - best).abs() < 1e-9, "{kept} against {best}");
}

#[test]
fn a_row_of_weight_zero_teaches_nothing() {
    let (inputs, mut labels) = planted(600, 1);
    let weights: Vec<f32> = (0..600).map(|row| f32::from(u8::from(row % 3 > 0))).collect();
    let mut run = |noise: f32| {
        labels.rows_mut().into_iter().step_by(3).for_each(|mut row| row.fill(noise));
        let mut model = Ranker::new(layout(), RankerConfig { epochs: 2, ..config() }).unwrap();
        let rows =
            Labelled { inputs: &inputs, labels: &labels, weights: Some(&weights), groups: None };
        model.train(rows, None, &mut |_| ()).unwrap();
        model.export().unwrap()
    };
    assert!(run(0.0) == run(1.0), "labels of weight zero change the model");
}

#[test]
fn a_task_of_weight_zero_teaches_nothing() {
    let (inputs, mut labels) = planted(600, 1);
    let mut run = |noise: f32| {
        labels.column_mut(1).fill(noise);
        let config = RankerConfig { epochs: 2, task_weights: vec![1.0, 0.0], ..config() };
        let mut model = Ranker::new(layout(), config).unwrap();
        let rows = Labelled { inputs: &inputs, labels: &labels, weights: None, groups: None };
        model.train(rows, None, &mut |_| ()).unwrap();
        model.export().unwrap()
    };
    assert!(run(0.0) == run(1.0), "labels of weight zero change the model");
}

#[test]
fn regularisation_shrinks_the_weights() {
    let size = |regularisation: f32| {
        let config =
            RankerConfig { regularisation, embedding_regularisation: regularisation, ..config() };
        let (mut model, _) = train(config);
        let tables: f32 = model.network.tables[0].values.iter().map(|value| value * value).sum();
        let weights = &model.network.layers()[0].value;
        (tables, weights.iter().map(|value| value * value).sum::<f32>())
    };
    let (free, held) = (size(0.0), size(0.01));
    assert!(held.0 < 0.5 * free.0 && held.1 < 0.5 * free.1, "{held:?} against {free:?}");
}

#[test]
fn a_probability_does_not_depend_on_its_batch() {
    let (model, _) = train(RankerConfig { epochs: 1, ..config() });
    let (inputs, _) = planted(200, 8);
    let together = model.predict(&inputs).unwrap();
    for row in [0, 63, 64, 199] {
        let alone = model.predict(&inputs.select(&[row])).unwrap();
        let furthest = (&alone.row(0) - &together.row(row)).fold(0f32, |max, x| max.max(x.abs()));
        assert!(furthest < 1e-6, "row {row}: {furthest}");
    }
    assert_eq!(model.predict(&inputs.select(&[])).unwrap().dim(), (0, 2));
}

#[test]
fn gradients_of_the_whole_model() {
    let attention = |weights, pooled| AttentionConfig {
        hidden: vec![4],
        weights,
        pooled,
        ..AttentionConfig::new("history", "item")
    };
    let configs = [
        (Structure::Parallel, 0, vec![]),
        (Structure::Stacked, 2, vec![]),
        (Structure::Parallel, 2, vec![attention(AttentionWeights::Raw, true)]),
        (
            Structure::Stacked,
            0,
            vec![
                attention(AttentionWeights::Softmax, false),
                AttentionConfig { hidden: vec![], ..AttentionConfig::new("genres", "genre") },
            ],
        ),
    ];
    for (structure, cross_rank, attention) in configs {
        let config = RankerConfig {
            structure,
            cross_rank,
            attention,
            hidden: vec![5],
            ..RankerConfig::default()
        };
        let random = &mut ChaCha8Rng::seed_from_u64(9);
        let mut scorer: Scorer<f64> = Scorer::new(embedding::layout(), &config, random);
        scorer.tables.iter_mut().for_each(|table| {
            table.values.iter_mut().for_each(|value| *value *= 10.0);
        });
        check_whole(scorer);
    }
}

fn loss(scorer: &mut Scorer<f64>) -> f64 {
    let labels = array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.5]];
    let groups = Some(vec![1, 3]);
    let goal = Goal { labels, weights: vec![1.0, 2.0, 0.5, 1.0], groups };
    let balance = Balance { tasks: vec![1.0, 0.5], listwise: 0.3 };
    let random = &mut ChaCha8Rng::seed_from_u64(1);
    scorer.learn(&embedding::inputs(), &goal, &balance, random) / 4.0
}

fn check_whole(mut scorer: Scorer<f64>) {
    loss(&mut scorer);
    let layers: Vec<Array2<f64>> =
        scorer.layers().iter().map(|layer| layer.gradient.clone()).collect();
    let tables: Vec<Vec<f64>> = scorer
        .tables
        .iter()
        .map(|table| {
            let rows = (0..table.rows()).map(|row| table.gradient(row));
            rows.flat_map(|row| row.map_or(vec![0.0; table.dimension], <[f64]>::to_vec)).collect()
        })
        .collect();
    for (number, gradient) in layers.iter().enumerate() {
        for cell in ndarray::indices(gradient.dim()) {
            let nudge = |scorer: &mut Scorer<f64>, step: f64| {
                scorer.layers()[number].value[cell] += step;
            };
            check_slope(&mut scorer, gradient[cell], nudge, &format!("layer {number} {cell:?}"));
        }
    }
    for (number, gradient) in tables.iter().enumerate() {
        let padding = scorer.tables[number].dimension;
        assert!(gradient[..padding].iter().all(|value| *value == 0.0), "padding has a gradient");
        for (cell, &analytic) in gradient.iter().enumerate().skip(padding) {
            let nudge =
                |scorer: &mut Scorer<f64>, step: f64| scorer.tables[number].values[cell] += step;
            check_slope(&mut scorer, analytic, nudge, &format!("table {number} {cell}"));
        }
    }
}

fn check_slope(
    scorer: &mut Scorer<f64>,
    analytic: f64,
    nudge: impl Fn(&mut Scorer<f64>, f64),
    what: &str,
) {
    let mut at = |step: f64| {
        nudge(scorer, step);
        loss(scorer)
    };
    let numeric = (at(1e-5) - at(-2e-5)) / 2e-5;
    at(1e-5);
    assert_close(analytic, numeric, what);
}

fn refused(change: impl FnOnce(&mut Inputs, &mut Array2<f32>, &mut Vec<f32>), expected: &str) {
    let (mut inputs, mut labels) = planted(8, 3);
    let mut weights = vec![1.0; 8];
    change(&mut inputs, &mut labels, &mut weights);
    let mut model = Ranker::new(layout(), config()).unwrap();
    let rows = Labelled { inputs: &inputs, labels: &labels, weights: Some(&weights), groups: None };
    let error = model.train(rows, None, &mut |_| ()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn bad_rows_are_refused() {
    refused(
        |inputs, _, _| inputs.ids[[3, 1]] = 31,
        "column item, row 3: id 31 is outside table item of 31 rows",
    );
    refused(
        |inputs, _, _| inputs.dense[[1, 0]] = f32::NEG_INFINITY,
        "column dense[0], row 1: value -inf is not allowed",
    );
    refused(
        |_, labels, _| labels[[2, 1]] = f32::NAN,
        "column labels of watched, row 2: value NaN is not allowed",
    );
    refused(
        |_, labels, _| labels[[2, 0]] = 2.0,
        "column labels of liked, row 2: value 2 is not allowed",
    );
    refused(|_, _, weights| weights[4] = -1.0, "column weights, row 4: value -1 is not allowed");
    refused(|_, _, weights| weights.truncate(2), "weights has shape [2], expected [8]");
    refused(|_, _, weights| weights.fill(0.0), "no training examples");
    refused(
        |_, labels, _| *labels = Array2::zeros((8, 1)),
        "labels has shape [8, 1], expected [8, 2]",
    );
}

#[test]
fn bad_settings_are_refused() {
    type Change = fn(&mut RankerConfig);
    let rows: [(Change, &str); 10] = [
        (|c| c.tasks.clear(), "tasks must be at least 1"),
        (|c| c.tasks = vec!["a".into(), "a".into()], "tasks must not name a task twice"),
        (
            |c| c.tasks = vec!["dense".into()],
            "tasks must not contain \"dense\", which is empty or an input's name",
        ),
        (|c| c.task_weights = vec![1.0], "task_weights must be one a task, or none"),
        (|c| c.hidden = vec![0], "hidden must not have a layer of width 0"),
        (|c| c.learning_rate = -1.0, "learning_rate must be a positive number, not -1"),
        (|c| c.dropout = 1.0, "dropout must be at least 0 and below 1, not 1"),
        (
            |c| c.attention = vec![AttentionConfig::new("recent", "item")],
            "attention names recent, which is no such column",
        ),
        (
            |c| c.attention = vec![AttentionConfig::new("history", "genre")],
            "attention names genre, which is no such column",
        ),
        (
            |c| c.attention = vec![AttentionConfig::new("history", "user")],
            "attention history and user are not of one table",
        ),
    ];
    for (change, expected) in rows {
        let mut config = config();
        change(&mut config);
        let error = Ranker::new(layout(), config).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
