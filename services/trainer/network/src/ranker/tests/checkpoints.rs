//! Interrupted trainings against uninterrupted ones.

use super::*;

/// All that an epoch draws on at once: dropout, groups, attention, early stopping.
fn config() -> RankerConfig {
    RankerConfig {
        epochs: 4,
        dropout: 0.2,
        listwise_weight: 0.5,
        patience: 2,
        attention: vec![AttentionConfig::new("history", "item")],
        ..super::config()
    }
}

/// Trains; gives the report and the checkpoint of each epoch.
fn run(model: &mut Ranker) -> Vec<(Report, Vec<u8>)> {
    let groups: Vec<u32> = (0..1000).map(|row| row / 20).collect();
    let (inputs, labels) = planted(1000, 1);
    let (held_inputs, held_labels) = planted(200, 2);
    let rows = Labelled { inputs: &inputs, labels: &labels, weights: None, groups: Some(&groups) };
    let groups = &groups[..200];
    let held = Labelled {
        inputs: &held_inputs,
        labels: &held_labels,
        weights: None,
        groups: Some(groups),
    };
    let mut epochs = Vec::new();
    let report = &mut |p: Progress<'_>| {
        epochs.push(((p.epoch, p.loss, p.validation_loss), p.checkpoint()));
    };
    model.train(rows, Some(held), report).unwrap();
    epochs
}

fn check_resumed(config: &RankerConfig) {
    let mut whole = Ranker::new(layout(), config.clone()).unwrap();
    let epochs = run(&mut whole);
    for (done, (_, checkpoint)) in (1..).zip(&epochs) {
        let other = RankerConfig { threads: 1, ..config.clone() };
        let mut resumed = Ranker::new(layout(), other).unwrap();
        resumed.resume(checkpoint).unwrap();
        let rest = run(&mut resumed);
        assert!(rest == epochs[done..], "after epoch {done}");
        assert!(resumed.export().unwrap() == whole.export().unwrap(), "after epoch {done}");
    }
}

#[test]
fn a_resumed_training_ends_with_the_same_bits() {
    check_resumed(&config());
    // Stops early, so that the best weights are not the last.
    check_resumed(&RankerConfig { learning_rate: 0.3, epochs: 30, ..config() });
}

#[test]
fn a_checkpoint_of_other_settings_is_refused() {
    let mut model = Ranker::new(layout(), RankerConfig { epochs: 1, ..config() }).unwrap();
    let checkpoint = run(&mut model).remove(0).1;
    let check = |layout: InputLayout, config: RankerConfig, expected: &str| {
        let error = Ranker::new(layout, config).unwrap().resume(&checkpoint).unwrap_err();
        assert_eq!(error.to_string(), format!("checkpoint: it was made with another {expected}"));
    };
    check(layout(), RankerConfig { patience: 7, ..config() }, "patience: 2, not 7");
    let mut wider = layout();
    wider.tables[1].rows += 1;
    check(wider, config(), "layout");
}

#[test]
fn a_damaged_checkpoint_leaves_the_model_as_it_was() {
    let config = RankerConfig { epochs: 1, ..config() };
    let mut model = Ranker::new(layout(), config.clone()).unwrap();
    let checkpoint = run(&mut model).remove(0).1;
    let mut fresh = Ranker::new(layout(), config).unwrap();
    let before = fresh.export().unwrap();
    for length in (0..checkpoint.len()).step_by(997) {
        assert!(fresh.resume(&checkpoint[..length]).is_err(), "cut to {length}");
    }
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..50 {
        let mut bytes = checkpoint.clone();
        // Past the header's length and its first brace, so that no change is without meaning.
        let place = random.random_range(bytes.len() / 2..bytes.len());
        bytes[place] ^= 1 << random.random_range(0..8);
        assert!(fresh.resume(&bytes).is_err(), "byte {place}");
    }
    assert!(fresh.export().unwrap() == before);
}
