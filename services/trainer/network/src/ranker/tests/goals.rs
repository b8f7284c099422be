//! Calibration, the listwise loss and dropout on rows with known truths.

use super::*;

/// The share of the negatives that the training sees.
const KEPT: f32 = 0.1;

/// Rows whose first label comes with a probability that a smooth function of the number gives.
fn drawn(rows: usize, seed: u64) -> (Inputs, Array2<f32>) {
    let (inputs, mut labels) = planted(rows, seed);
    let mut random = ChaCha8Rng::seed_from_u64(seed + 100);
    for (row, mut labels) in labels.rows_mut().into_iter().enumerate() {
        let number = f64::from(inputs.dense[[row, 0]]);
        let probability = 0.15 + 0.25 * (3.0 * number).sin().powi(2);
        labels.fill(f32::from(u8::from(random.random_bool(probability))));
    }
    (inputs, labels)
}

/// Whether the second column never falls where the first rises, but for rounding.
fn same_order(before: &[f32], after: &[f32]) -> bool {
    let mut pairs: Vec<(f32, f32)> = before.iter().copied().zip(after.iter().copied()).collect();
    pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
    pairs.windows(2).all(|pair| pair[1].1 > pair[0].1 - 1e-6)
}

#[test]
fn calibration_mends_a_training_on_few_negatives() {
    let (inputs, labels) = drawn(20_000, 1);
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let kept: Vec<usize> = (0..inputs.rows)
        .filter(|row| labels[[*row, 0]] > 0.0 || random.random::<f32>() < KEPT)
        .collect();
    let (some, some_labels) = (inputs.select(&kept), labels.select(Axis(0), &kept));
    let rows = Labelled { inputs: &some, labels: &some_labels, weights: None, groups: None };
    let mut model = Ranker::new(layout(), RankerConfig { epochs: 3, ..config() }).unwrap();
    model.train(rows, None, &mut |_| ()).unwrap();
    let (fresh, fresh_labels) = drawn(60_000, 2);
    let before = model.predict(&fresh).unwrap();
    let pcoc = before.column(0).sum() / fresh_labels.column(0).sum();
    assert!(pcoc > 2.0, "the training is calibrated as it is: PCOC {pcoc}");
    let (held, held_labels) = drawn(60_000, 3);
    let held = Labelled { inputs: &held, labels: &held_labels, weights: None, groups: None };
    assert!(model.calibrate(held).unwrap().iter().all(|one| one.slope > 0.0));
    let after = model.predict(&fresh).unwrap();
    for (task, label) in fresh_labels.columns().into_iter().enumerate() {
        let found = after.column(task).sum() / label.sum();
        assert!((found - 1.0).abs() < 0.02, "task {task}: PCOC {found}");
        let (before, after) = (before.column(task).to_vec(), after.column(task).to_vec());
        assert!(same_order(&before, &after), "task {task} is in another order");
    }
}

#[test]
fn training_again_forgets_the_calibration() {
    let (inputs, labels) = drawn(500, 1);
    let rows = Labelled { inputs: &inputs, labels: &labels, weights: None, groups: None };
    let run = |calibrated: bool| {
        let mut model = Ranker::new(layout(), RankerConfig { epochs: 1, ..config() }).unwrap();
        model.train(rows, None, &mut |_| ()).unwrap();
        if calibrated {
            model.calibrate(rows).unwrap();
        }
        model.train(rows, None, &mut |_| ()).unwrap();
        model.export().unwrap()
    };
    assert!(run(true) == run(false));
}

/// Ten rows a question, of which one is right; how right questions are in all is noise that the
/// log loss has to fit too.
#[test]
fn the_listwise_loss_orders_inside_groups() {
    let groups: Vec<u32> = (0..3000).map(|row| row / 10).collect();
    let (inputs, mut labels) = planted(3000, 1);
    for mut group in labels.axis_chunks_iter_mut(Axis(0), 10) {
        group.fill(0.0);
    }
    for group in 0..300 {
        let best = (group * 10..group * 10 + 10)
            .max_by(|one, other| inputs.dense[[*one, 0]].total_cmp(&inputs.dense[[*other, 0]]));
        labels[[best.unwrap(), 1]] = 1.0;
    }
    let config = RankerConfig { listwise_weight: 1.0, epochs: 10, ..config() };
    let mut model = Ranker::new(layout(), config).unwrap();
    let rows = Labelled { inputs: &inputs, labels: &labels, weights: None, groups: Some(&groups) };
    let mut losses = Vec::new();
    model
        .train(rows, Some(rows), &mut |epoch| losses.push(epoch.validation_loss.unwrap()))
        .unwrap();
    assert!(losses[9] < 0.5 * losses[0], "{losses:?}");
    let probabilities = model.predict(&inputs).unwrap();
    let first = |group: &usize| {
        let rows = group * 10..group * 10 + 10;
        let best = rows
            .max_by(|one, other| probabilities[[*one, 1]].total_cmp(&probabilities[[*other, 1]]));
        labels[[best.unwrap(), 1]] == 1.0
    };
    let right = (0..300).filter(first).count();
    assert!(right > 285, "{right} of 300 questions have the right row first");
    let rows = Labelled { groups: None, ..rows };
    let error = model.train(rows, None, &mut |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "listwise_weight needs rows with groups");
}

#[test]
fn dropout_follows_the_seed_and_is_off_in_inference() {
    let run = |dropout: f32, seed: u64| {
        let config = RankerConfig { dropout, seed, epochs: 2, ..config() };
        train(config).0
    };
    let (one, same, other) = (run(0.3, 1), run(0.3, 1), run(0.3, 2));
    assert!(one.export().unwrap() == same.export().unwrap());
    assert!(one.export().unwrap() != other.export().unwrap());
    assert!(one.export().unwrap() != run(0.0, 1).export().unwrap());
    let (inputs, _) = planted(50, 3);
    assert_eq!(one.predict(&inputs).unwrap(), one.predict(&inputs).unwrap());
}
