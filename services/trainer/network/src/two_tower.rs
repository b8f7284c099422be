//! The two-tower recall model: a user tower and an item tower into one space of unit vectors.
//!
//! Trained with in-batch sampled softmax and the logQ correction (Yi et al., 2019,
//! "Sampling-bias-corrected neural modeling for large corpus item recommendations"), optionally
//! with uniform negatives besides (Yang et al., 2020, "Mixed negative sampling").

mod sampling;
mod softmax;
mod towers;

use ndarray::Array2;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::{
    sampling::Sampling,
    towers::{Tower, Towers},
};
use crate::{
    error::NetworkError,
    inputs::{InputLayout, Inputs, expect_length},
    optimiser::Adam,
    progress::Progress,
    settings,
    workers::Workers,
};

/// How a [`TwoTower`] is built and trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TwoTowerConfig {
    /// Length of the unit vectors.
    pub dimension: usize,
    /// Widths of the user tower's hidden layers.
    pub user_hidden: Vec<usize>,
    /// Widths of the item tower's hidden layers.
    pub item_hidden: Vec<usize>,
    /// Tables of the same name in both layouts that are one table, such as the item ids of the
    /// history and of the item itself.
    pub shared_tables: Vec<String>,
    /// The inner products are divided by this before the softmax.
    pub temperature: f32,
    pub learning_rate: f32,
    /// Weight of the squared norm of the layers' weights, added to the gradient.
    pub regularisation: f32,
    /// The same for the embedding rows that a batch touches.
    pub embedding_regularisation: f32,
    pub batch: usize,
    pub epochs: usize,
    /// Subtract from each negative's score the log of the probability that a batch draws it;
    /// without, popular items are negatives as often as they are drawn.
    pub logq: bool,
    /// Items drawn uniformly from the catalogue for each batch, as negatives besides the batch's.
    pub uniform_negatives: usize,
    pub seed: u64,
    /// Worker threads; 0 uses rayon's own pool. The result does not depend on it.
    pub threads: usize,
}

impl Default for TwoTowerConfig {
    fn default() -> Self {
        Self {
            dimension: 64,
            user_hidden: vec![128],
            item_hidden: vec![128],
            shared_tables: Vec::new(),
            temperature: 0.07,
            learning_rate: 1e-3,
            regularisation: 0.0,
            embedding_regularisation: 0.0,
            batch: 1024,
            epochs: 5,
            logq: true,
            uniform_negatives: 0,
            seed: 1,
            threads: 0,
        }
    }
}

/// What a [`TwoTower`] learns from.
#[derive(Debug, Clone, Copy)]
pub struct TwoTowerExamples<'a> {
    /// One row a training example: the user as of just before the event.
    pub users: &'a Inputs,
    /// One row a catalogue item.
    pub items: &'a Inputs,
    /// The item row of each example.
    pub targets: &'a [u32],
    /// The share of the examples that each item row is the target of; positive for every target.
    pub frequencies: &'a [f32],
}

/// A user tower and an item tower. See the module.
#[derive(Debug)]
pub struct TwoTower {
    config: TwoTowerConfig,
    network: Towers<f32>,
    adam: Adam,
    random: ChaCha8Rng,
    workers: Workers,
}

impl TwoTower {
    /// A model with random weights.
    pub fn new(
        user: InputLayout,
        item: InputLayout,
        config: TwoTowerConfig,
    ) -> Result<Self, NetworkError> {
        config.check()?;
        user.check()?;
        item.check()?;
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        let network = Towers::new(user, item, &config, &mut random)?;
        let workers = Workers::new(config.threads)?;
        Ok(Self { adam: Adam::new(config.learning_rate), network, random, workers, config })
    }

    /// Trains for the configured epochs; reports after each. Called again, it goes on from the
    /// weights it has.
    pub fn train(
        &mut self,
        examples: TwoTowerExamples<'_>,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), NetworkError> {
        let targets = self.check(examples)?;
        let mut order: Vec<usize> = (0..targets.len()).collect();
        for epoch in 1..=self.config.epochs {
            order.shuffle(&mut self.random);
            let loss = self.epoch(examples, &targets, &order);
            if !loss.is_finite() {
                return Err(NetworkError::Diverged { epoch, loss });
            }
            let epochs = self.config.epochs;
            on_progress(Progress { epoch, epochs, loss, validation_loss: None });
        }
        Ok(())
    }

    /// Unit vectors `[rows, dimension]` of users.
    pub fn user_vectors(&self, users: &Inputs) -> Result<Array2<f32>, NetworkError> {
        self.vectors(&self.network.user, users)
    }

    /// Unit vectors `[rows, dimension]` of items.
    pub fn item_vectors(&self, items: &Inputs) -> Result<Array2<f32>, NetworkError> {
        self.vectors(&self.network.item, items)
    }

    /// The user tower as an ONNX model: inputs as in the crate's documentation, output `vector`
    /// `[rows, dimension]`.
    pub fn export_user(&self) -> Result<Vec<u8>, NetworkError> {
        self.network.user.export(&self.network.tables, "user_tower", self.config.dimension)
    }

    /// The item tower as an ONNX model, like [`TwoTower::export_user`].
    pub fn export_item(&self) -> Result<Vec<u8>, NetworkError> {
        self.network.item.export(&self.network.tables, "item_tower", self.config.dimension)
    }

    fn vectors(&self, tower: &Tower<f32>, inputs: &Inputs) -> Result<Array2<f32>, NetworkError> {
        tower.check(inputs)?;
        Ok(self.workers.install(|| tower.vectors(&self.network.tables, inputs)))
    }

    /// The mean loss an example.
    fn epoch(&mut self, examples: TwoTowerExamples<'_>, targets: &[usize], order: &[usize]) -> f64 {
        let Self { config, network, adam, random, workers } = self;
        let sampling = Sampling {
            frequencies: examples.frequencies,
            uniform: config.uniform_negatives,
            logq: config.logq,
        };
        let total: f64 = workers.install(|| {
            let batches = order.chunks(config.batch);
            let losses = batches.map(|rows| {
                let batch: Vec<usize> = rows.iter().map(|&row| targets[row]).collect();
                let sample = sampling.draw(&batch, random);
                let users = examples.users.select(rows);
                let loss = network.train(&users, examples.items, &sample, config, adam);
                f64::from(loss) * rows.len() as f64
            });
            losses.sum()
        });
        total / order.len() as f64
    }

    /// Checks the examples; gives the targets as positions.
    fn check(&self, examples: TwoTowerExamples<'_>) -> Result<Vec<usize>, NetworkError> {
        self.network.user.check(examples.users)?;
        self.network.item.check(examples.items)?;
        let TwoTowerExamples { users, items, targets, frequencies } = examples;
        expect_length("targets", targets.len(), users.rows)?;
        expect_length("frequencies", frequencies.len(), items.rows)?;
        if users.rows == 0 {
            return Err(NetworkError::Empty);
        }
        let bad = frequencies.iter().enumerate().find(|(_, share)| !(0.0..=1.0).contains(*share));
        if let Some((row, &value)) = bad {
            return Err(NetworkError::Value { column: "frequencies".into(), row, value });
        }
        let checked = targets.iter().enumerate();
        checked.map(|(row, &target)| check_target(row, target, frequencies)).collect()
    }
}

impl TwoTowerConfig {
    /// Checks every setting's range.
    pub fn check(&self) -> Result<(), NetworkError> {
        settings::at_least_one("dimension", self.dimension)?;
        settings::at_least_one("batch", self.batch)?;
        settings::widths("user_hidden", &self.user_hidden)?;
        settings::widths("item_hidden", &self.item_hidden)?;
        settings::positive("temperature", self.temperature)?;
        settings::positive("learning_rate", self.learning_rate)?;
        settings::not_negative("regularisation", self.regularisation)?;
        settings::not_negative("embedding_regularisation", self.embedding_regularisation)
    }
}

fn check_target(row: usize, target: u32, frequencies: &[f32]) -> Result<usize, NetworkError> {
    let position = usize::try_from(target).ok().filter(|&item| item < frequencies.len());
    let Some(item) = position else {
        return Err(NetworkError::IdOutOfRange {
            column: "targets".into(),
            row,
            id: i64::from(target),
            table: "items".into(),
            rows: frequencies.len(),
        });
    };
    if frequencies[item] > 0.0 {
        return Ok(item);
    }
    let column = "frequencies".to_owned();
    Err(NetworkError::Value { column, row: item, value: frequencies[item] })
}

#[cfg(test)]
mod tests;
