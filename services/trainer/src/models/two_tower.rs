//! The two-tower model.

use ndarray::{Array2, ArrayD};
use tributary_network::{
    InputLayout, Inputs, NetworkError, Progress, RecallExamples, TwoTower, TwoTowerConfig,
};

pub(crate) use super::recall::spread;
use super::{
    examples,
    recall::{self, Names, RecallNetwork},
};
use crate::{
    artifacts::{Artifacts, ITEM_TOWER, ITEM_VECTORS, USER_TOWER},
    error::TrainerError,
};

/// What the model learns from and how.
pub(crate) type Plan<'a> = examples::Plan<'a, TwoTowerConfig>;

/// Trains the network and gives its files.
pub(crate) fn train(
    plan: &Plan<'_>,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Artifacts, TrainerError> {
    recall::train::<TwoTower>(plan, on_progress)
}

impl RecallNetwork for TwoTower {
    type Config = TwoTowerConfig;
    const NAMES: Names = Names {
        model: "the two-tower model",
        user: USER_TOWER,
        item: ITEM_TOWER,
        output: "vector",
        vectors: ITEM_VECTORS,
    };

    fn objectives(config: &Self::Config) -> Vec<&str> {
        config.objectives.iter().map(|objective| objective.name.as_str()).collect()
    }

    fn new(
        user: InputLayout,
        item: InputLayout,
        config: Self::Config,
    ) -> Result<Self, NetworkError> {
        Self::new(user, item, config)
    }

    fn epochs(config: &mut Self::Config) -> &mut usize {
        &mut config.epochs
    }

    fn resume(&mut self, checkpoint: &[u8]) -> Result<(), NetworkError> {
        self.resume(checkpoint)
    }

    fn train(
        &mut self,
        examples: RecallExamples<'_>,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), NetworkError> {
        self.train(examples, on_progress)
    }

    fn users(&self, users: &Inputs) -> Result<ArrayD<f32>, NetworkError> {
        Ok(self.user_vectors(users)?.into_dyn())
    }

    fn items(&self, items: &Inputs) -> Result<Array2<f32>, NetworkError> {
        self.item_vectors(items)
    }

    fn export_user(&self) -> Result<Vec<u8>, NetworkError> {
        self.export_user()
    }

    fn export_item(&self) -> Result<Vec<u8>, NetworkError> {
        self.export_item()
    }
}
