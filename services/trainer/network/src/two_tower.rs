//! The two-tower recall model: a user tower and an item tower into one space of unit vectors.
//!
//! Trained with in-batch sampled softmax and the logQ correction (Yi et al., 2019,
//! "Sampling-bias-corrected neural modeling for large corpus item recommendations"), optionally
//! with uniform negatives besides (Yang et al., 2020, "Mixed negative sampling").

mod towers;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use self::towers::Towers;
use crate::{
    error::NetworkError,
    inputs::{InputLayout, Inputs, expect_shape},
    progress::Progress,
    recall::{
        RecallExamples,
        course::{Course, Plan},
        sampling::Negatives,
        tower::Tower,
    },
    settings,
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
    /// Weigh the embedded columns of both towers against each other before their layers.
    pub senet: bool,
    /// What users are to be found items for, each with a vector of its own, all on the same layers.
    /// The served vector is their weighted sum, so that an item's score is the weighted sum of its
    /// scores. None is one objective for which every example counts.
    pub objectives: Vec<Objective>,
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
    /// Items drawn for each batch by popularity: by their share of the examples to the power
    /// `popularity_exponent`.
    pub popularity_negatives: usize,
    pub popularity_exponent: f32,
    /// How many of the drawn items, the best scored ones, are a row's negatives; 0 takes all.
    pub hard_negatives: usize,
    /// What a user is known to want is none of its negatives, in any example; otherwise only the
    /// example's own item is none.
    pub exclude_positives: bool,
    pub seed: u64,
    /// Worker threads; 0 uses rayon's own pool. The result does not depend on it.
    pub threads: usize,
}

/// One objective of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    pub name: String,
    /// Of its vector in the served one.
    pub weight: f32,
}

impl Objective {
    fn weight(&self) -> f32 {
        self.weight
    }
}

impl Default for TwoTowerConfig {
    fn default() -> Self {
        Self {
            dimension: 64,
            user_hidden: vec![128],
            item_hidden: vec![128],
            senet: false,
            objectives: Vec::new(),
            shared_tables: Vec::new(),
            temperature: 0.07,
            learning_rate: 1e-3,
            regularisation: 0.0,
            embedding_regularisation: 0.0,
            batch: 1024,
            epochs: 5,
            logq: true,
            uniform_negatives: 0,
            popularity_negatives: 0,
            popularity_exponent: 0.75,
            hard_negatives: 0,
            exclude_positives: true,
            seed: 1,
            threads: 0,
        }
    }
}

/// A user tower and an item tower. See the module.
#[derive(Debug)]
pub struct TwoTower(Course<Towers<f32>>);

impl TwoTower {
    /// A model with random weights.
    pub fn new(
        user: InputLayout,
        item: InputLayout,
        config: TwoTowerConfig,
    ) -> Result<Self, NetworkError> {
        config.check()?;
        Course::new(user, item, config).map(Self)
    }

    /// Trains for the configured epochs; reports after each. Called again, it goes on from the
    /// weights it has.
    pub fn train(
        &mut self,
        examples: RecallExamples<'_>,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), NetworkError> {
        let objectives = self.0.config.objectives.len();
        if objectives > 0 {
            let found = examples.objectives.map_or((0, 0), Array2::dim);
            expect_shape("objectives", found, (examples.targets.len(), objectives))?;
        }
        self.0.train(examples, on_progress)
    }

    /// Takes up an interrupted training: [`TwoTower::train`] on the same examples goes on with the
    /// epoch after the [checkpoint](Progress::checkpoint) and ends with the same weights, bit for
    /// bit, as if it had not been interrupted. More `epochs` may be configured now, and other
    /// `threads`.
    ///
    /// # Errors
    /// Where the bytes are damaged, or of a model with other layouts or other settings; the model
    /// is then as it was.
    pub fn resume(&mut self, checkpoint: &[u8]) -> Result<(), NetworkError> {
        self.0.resume(checkpoint)
    }

    /// Unit vectors `[rows, dimension]` of users.
    pub fn user_vectors(&self, users: &Inputs) -> Result<Array2<f32>, NetworkError> {
        self.vectors(&self.0.network.user, users)
    }

    /// Unit vectors `[rows, dimension]` of items.
    pub fn item_vectors(&self, items: &Inputs) -> Result<Array2<f32>, NetworkError> {
        self.vectors(&self.0.network.item, items)
    }

    /// The user tower as an ONNX model: inputs as in the crate's documentation, output `vector`
    /// `[rows, dimension]`.
    pub fn export_user(&self) -> Result<Vec<u8>, NetworkError> {
        self.export(&self.0.network.user, "user_tower")
    }

    /// The item tower as an ONNX model, like [`TwoTower::export_user`].
    pub fn export_item(&self) -> Result<Vec<u8>, NetworkError> {
        self.export(&self.0.network.item, "item_tower")
    }

    fn export(&self, tower: &Tower<f32>, name: &str) -> Result<Vec<u8>, NetworkError> {
        tower.export(&self.0.network.tables, name, self.0.config.dimension)
    }

    fn vectors(&self, tower: &Tower<f32>, inputs: &Inputs) -> Result<Array2<f32>, NetworkError> {
        tower.check(inputs)?;
        Ok(self.0.workers.install(|| tower.vectors(&self.0.network.tables, inputs)))
    }
}

impl TwoTowerConfig {
    fn plan(&self) -> Plan {
        Plan {
            learning_rate: self.learning_rate,
            batch: self.batch,
            epochs: self.epochs,
            negatives: Negatives {
                logq: self.logq,
                uniform: self.uniform_negatives,
                popular: self.popularity_negatives,
                exponent: self.popularity_exponent,
                hard: self.hard_negatives,
            },
            exclude_positives: self.exclude_positives,
            seed: self.seed,
            threads: self.threads,
        }
    }

    /// Checks every setting's range.
    pub fn check(&self) -> Result<(), NetworkError> {
        self.plan().negatives.check()?;
        for objective in &self.objectives {
            settings::positive("objectives", objective.weight)?;
        }
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

#[cfg(test)]
mod tests;
