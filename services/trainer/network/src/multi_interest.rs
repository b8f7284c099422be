//! The multi-interest recall model (Li et al., 2019, "Multi-interest network with dynamic routing
//! for recommendation at Tmall", MIND): a user is a few unit vectors, one an interest, in the space
//! of the item tower's.
//!
//! A user's behaviours are [routed](routing) to as many interests as their number allows; each
//! interest stands beside the user's other columns and goes through the same layers. Serving asks
//! with every interest; training knows the item that was chosen, which says
//! [which interest](attention) learns from it. The loss is that of the
//! [two-tower model](crate::TwoTower).

mod attention;
mod export;
mod interests;
mod loss;
mod nearest;
mod network;
mod routing;

use ndarray::{Array2, Array3};
use serde::{Deserialize, Serialize};

pub use self::loss::NegativeScores;
use self::network::Network;
use crate::{
    error::NetworkError,
    inputs::{InputLayout, Inputs},
    progress::Progress,
    recall::{
        RecallExamples,
        course::{Course, Plan},
        sampling::Negatives,
    },
    settings,
};

/// How a [`MultiInterest`] is built and trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MultiInterestConfig {
    /// Length of the unit vectors.
    pub dimension: usize,
    /// The user's bag that is routed; the other columns stand beside every interest.
    pub sequence: String,
    /// The most interests of a user: with `n` behaviours one has
    /// `max(1, min(interests, ⌊log₂ n⌋))`.
    pub interests: usize,
    /// Routing iterations; the gradient flows through the last one only.
    pub iterations: usize,
    /// In training, interests are weighted by `exp(inner product with the target)` to this power:
    /// 0 takes their mean, a large power only the nearest.
    pub attention_power: f32,
    /// What a user's negatives are scored with.
    pub negative_scores: NegativeScores,
    /// Widths of the hidden layers between an interest and its vector.
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
    /// Subtract from each negative's score the log of the probability that a batch draws it.
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

impl Default for MultiInterestConfig {
    fn default() -> Self {
        Self {
            dimension: 64,
            sequence: "history".into(),
            interests: 4,
            iterations: 3,
            attention_power: 20.0,
            negative_scores: NegativeScores::Nearest,
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
            popularity_negatives: 0,
            popularity_exponent: 0.75,
            hard_negatives: 0,
            exclude_positives: true,
            seed: 1,
            threads: 0,
        }
    }
}

/// Interests of users and a tower of items. See the module.
#[derive(Debug)]
pub struct MultiInterest(Course<Network<f32>>);

impl MultiInterest {
    /// A model with random weights.
    pub fn new(
        user: InputLayout,
        item: InputLayout,
        config: MultiInterestConfig,
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
        self.0.train(examples, on_progress)
    }

    /// Takes up an interrupted training, like [`TwoTower::resume`](crate::TwoTower::resume).
    pub fn resume(&mut self, checkpoint: &[u8]) -> Result<(), NetworkError> {
        self.0.resume(checkpoint)
    }

    /// Unit vectors `[rows, interests, dimension]` of users. Those in use come first; the others
    /// are zero. A user's do not depend on the other rows.
    pub fn user_interests(&self, users: &Inputs) -> Result<Array3<f32>, NetworkError> {
        let Course { network, workers, .. } = &self.0;
        network.user.check(users)?;
        Ok(workers.install(|| network.user.vectors(&network.tables, users)))
    }

    /// Unit vectors `[rows, dimension]` of items.
    pub fn item_vectors(&self, items: &Inputs) -> Result<Array2<f32>, NetworkError> {
        let Course { network, workers, .. } = &self.0;
        network.item.check(items)?;
        Ok(workers.install(|| network.item.vectors(&network.tables, items)))
    }

    /// The user's side as an ONNX model: inputs as in the crate's documentation, output
    /// `interests` as [`MultiInterest::user_interests`] gives them.
    pub fn export_user(&self) -> Result<Vec<u8>, NetworkError> {
        self.0.network.user.export(&self.0.network.tables, "multi_interest_user")
    }

    /// The item tower as an ONNX model, output `vector` `[rows, dimension]`.
    pub fn export_item(&self) -> Result<Vec<u8>, NetworkError> {
        let Course { network, config, .. } = &self.0;
        network.item.export(&network.tables, "multi_interest_item", config.dimension)
    }
}

impl MultiInterestConfig {
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
        settings::at_least_one("dimension", self.dimension)?;
        settings::at_least_one("interests", self.interests)?;
        settings::at_least_one("iterations", self.iterations)?;
        settings::at_least_one("batch", self.batch)?;
        settings::widths("user_hidden", &self.user_hidden)?;
        settings::widths("item_hidden", &self.item_hidden)?;
        settings::not_negative("attention_power", self.attention_power)?;
        settings::positive("temperature", self.temperature)?;
        settings::positive("learning_rate", self.learning_rate)?;
        settings::not_negative("regularisation", self.regularisation)?;
        settings::not_negative("embedding_regularisation", self.embedding_regularisation)
    }
}

#[cfg(test)]
mod tests;
