//! Attention on rows that a mean over the history cannot explain.

use super::*;

const LENGTH: usize = 8;

fn layout() -> InputLayout {
    InputLayout {
        tables: vec![TableShape { name: "item".into(), rows: 61, dimension: 8 }],
        ids: vec![IdShape { name: "item".into(), table: 0 }],
        bags: vec![BagShape { name: "history".into(), table: 0, length: LENGTH }],
        dense: 0,
    }
}

/// Items have twins (1 and 31, 2 and 32, …); a candidate is liked where its twin is in the history.
fn twins(rows: usize, seed: u64) -> (Inputs, Array2<f32>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut history = Array2::from_shape_simple_fn((rows, LENGTH), || random.random_range(1..=30));
    for mut row in history.rows_mut() {
        let length = random.random_range(0..=LENGTH);
        row.iter_mut().skip(length).for_each(|id| *id = 0);
    }
    let ids = Array2::from_shape_fn((rows, 1), |(row, _)| {
        let known = history[[row, 0]];
        if known > 0 && random.random_bool(0.5) { known + 30 } else { random.random_range(31..=60) }
    });
    let liked = |row: usize| history.row(row).iter().any(|id| id + 30 == ids[[row, 0]]);
    let labels = Array2::from_shape_fn((rows, 1), |(row, _)| f32::from(u8::from(liked(row))));
    (Inputs { rows, ids, bags: vec![history], dense: Array2::zeros((rows, 0)) }, labels)
}

fn trained(attention: Vec<AttentionConfig>) -> f64 {
    let config = RankerConfig {
        tasks: vec!["liked".into()],
        attention,
        cross_layers: 0,
        hidden: vec![8],
        epochs: 15,
        ..config()
    };
    let (inputs, labels) = twins(6000, 1);
    let mut model = Ranker::new(layout(), config).unwrap();
    let rows = Labelled { inputs: &inputs, labels: &labels, weights: None, groups: None };
    model.train(rows, None, &mut |_| ()).unwrap();
    let (inputs, labels) = twins(1000, 2);
    auc(&model.predict(&inputs).unwrap().column(0).to_vec(), &labels.column(0).to_vec())
}

#[test]
fn attention_finds_the_twin() {
    let without = trained(vec![]);
    for weights in [AttentionWeights::Raw, AttentionWeights::Softmax] {
        for pooled in [true, false] {
            let attention =
                AttentionConfig { weights, pooled, ..AttentionConfig::new("history", "item") };
            let with = trained(vec![attention]);
            let what = format!("{weights:?}, pooled {pooled}: {with} against {without}");
            assert!(with > 0.95 && with > without + 0.05, "{what}");
        }
    }
}
