//! Recall models whose training was interrupted, against those that went through.
#![allow(clippy::unwrap_used, reason = "test code")]

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tributary_network::{
    BagShape, IdShape, InputLayout, Inputs, MultiInterest, MultiInterestConfig, NetworkError,
    Progress, RecallExamples, TableShape, TwoTower, TwoTowerConfig,
};

const ITEMS: usize = 30;
const USERS: usize = 200;
const EPOCHS: usize = 4;

fn layout(bags: Vec<BagShape>) -> InputLayout {
    InputLayout {
        tables: vec![TableShape { name: "item".into(), rows: ITEMS + 1, dimension: 8 }],
        ids: vec![IdShape { name: "item".into(), table: 0 }],
        bags,
        dense: 0,
    }
}

fn user_layout() -> InputLayout {
    layout(vec![BagShape { name: "history".into(), table: 0, length: 5 }])
}

struct Data {
    users: Inputs,
    items: Inputs,
    targets: Vec<u32>,
    frequencies: Vec<f32>,
}

impl Data {
    fn random() -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let mut ids = |columns: usize| {
            Array2::from_shape_simple_fn((USERS, columns), || random.random_range(0..=30))
        };
        let (user, history) = (ids(1), ids(5));
        let all = Array2::from_shape_fn((ITEMS, 1), |(row, _)| i64::try_from(row).unwrap() + 1);
        let no_numbers = |rows: usize| Array2::zeros((rows, 0));
        Self {
            users: Inputs { rows: USERS, ids: user, bags: vec![history], dense: no_numbers(USERS) },
            items: Inputs { rows: ITEMS, ids: all, bags: vec![], dense: no_numbers(ITEMS) },
            targets: (0..USERS).map(|row| u32::try_from(row * row % ITEMS).unwrap()).collect(),
            frequencies: vec![1.0 / 30.0; ITEMS],
        }
    }

    fn examples(&self) -> RecallExamples<'_> {
        let Self { users, items, targets, frequencies } = self;
        RecallExamples { users, items, targets, frequencies, positives: None, objectives: None }
    }
}

type OnProgress<'a> = &'a mut dyn FnMut(Progress<'_>);

/// What both models can do here.
trait Model: Sized {
    fn fresh(epochs: usize, threads: usize) -> Self;
    fn learn(&mut self, data: &Data, on_progress: OnProgress<'_>) -> Result<(), NetworkError>;
    fn take_up(&mut self, checkpoint: &[u8]) -> Result<(), NetworkError>;
    fn files(&self) -> [Vec<u8>; 2];
}

fn two_tower(epochs: usize, threads: usize) -> TwoTower {
    let config = TwoTowerConfig {
        shared_tables: vec!["item".into()],
        batch: 64,
        uniform_negatives: 8,
        epochs,
        threads,
        ..TwoTowerConfig::default()
    };
    TwoTower::new(user_layout(), layout(vec![]), config).unwrap()
}

impl Model for TwoTower {
    fn fresh(epochs: usize, threads: usize) -> Self {
        two_tower(epochs, threads)
    }

    fn learn(&mut self, data: &Data, on_progress: OnProgress<'_>) -> Result<(), NetworkError> {
        self.train(data.examples(), on_progress)
    }

    fn take_up(&mut self, checkpoint: &[u8]) -> Result<(), NetworkError> {
        self.resume(checkpoint)
    }

    fn files(&self) -> [Vec<u8>; 2] {
        [self.export_user().unwrap(), self.export_item().unwrap()]
    }
}

impl Model for MultiInterest {
    fn fresh(epochs: usize, threads: usize) -> Self {
        let config = MultiInterestConfig {
            shared_tables: vec!["item".into()],
            batch: 64,
            uniform_negatives: 8,
            epochs,
            threads,
            ..MultiInterestConfig::default()
        };
        Self::new(user_layout(), layout(vec![]), config).unwrap()
    }

    fn learn(&mut self, data: &Data, on_progress: OnProgress<'_>) -> Result<(), NetworkError> {
        self.train(data.examples(), on_progress)
    }

    fn take_up(&mut self, checkpoint: &[u8]) -> Result<(), NetworkError> {
        self.resume(checkpoint)
    }

    fn files(&self) -> [Vec<u8>; 2] {
        [self.export_user().unwrap(), self.export_item().unwrap()]
    }
}

/// Trains; gives the checkpoint of each epoch.
fn run(model: &mut impl Model, data: &Data) -> Vec<Vec<u8>> {
    let mut checkpoints = Vec::new();
    model.learn(data, &mut |progress| checkpoints.push(progress.checkpoint())).unwrap();
    checkpoints
}

fn check<M: Model>() {
    let data = Data::random();
    let mut whole = M::fresh(EPOCHS, 0);
    run(&mut whole, &data);
    let mut interrupted = M::fresh(EPOCHS / 2, 1);
    let checkpoints = run(&mut interrupted, &data);
    assert_eq!(checkpoints.len(), EPOCHS / 2);
    let last = checkpoints.last().unwrap();
    let mut resumed = M::fresh(EPOCHS, 2);
    resumed.take_up(last).unwrap();
    assert_eq!(run(&mut resumed, &data).len(), EPOCHS / 2);
    assert!(resumed.files() == whole.files(), "other bits");
    assert!(interrupted.files() != whole.files(), "the later epochs do nothing");
    for length in (0..last.len()).step_by(1009) {
        assert!(M::fresh(EPOCHS, 0).take_up(&last[..length]).is_err(), "cut to {length}");
    }
    let mut damaged = last.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(M::fresh(EPOCHS, 0).take_up(&damaged).is_err());
}

#[test]
fn a_resumed_two_tower_ends_with_the_same_bits() {
    check::<TwoTower>();
}

#[test]
fn a_resumed_multi_interest_model_ends_with_the_same_bits() {
    check::<MultiInterest>();
}

#[test]
fn a_checkpoint_of_another_model_is_refused() {
    let checkpoint = run(&mut two_tower(1, 0), &Data::random()).remove(0);
    let error = MultiInterest::fresh(1, 0).take_up(&checkpoint).unwrap_err();
    let expected = "checkpoint: it is of a two-tower model, not of a multi-interest model";
    assert_eq!(error.to_string(), expected);
}
