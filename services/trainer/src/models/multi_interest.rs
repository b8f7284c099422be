//! The multi-interest model.

use ndarray::{Array2, ArrayD};
use tributary_network::{
    InputLayout, Inputs, MultiInterest, MultiInterestConfig, NetworkError, Progress, RecallExamples,
};

use super::{
    examples,
    recall::{self, Names, RecallNetwork},
};
use crate::{
    artifacts::{Artifacts, MULTI_INTEREST_ITEM, MULTI_INTEREST_USER, MULTI_INTEREST_VECTORS},
    error::TrainerError,
};

/// What the model learns from and how.
pub(crate) type Plan<'a> = examples::Plan<'a, MultiInterestConfig>;

/// Trains the network and gives its files.
pub(crate) fn train(
    plan: &Plan<'_>,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Artifacts, TrainerError> {
    recall::train::<MultiInterest>(plan, on_progress)
}

impl RecallNetwork for MultiInterest {
    type Config = MultiInterestConfig;
    const NAMES: Names = Names {
        model: "the multi-interest model",
        user: MULTI_INTEREST_USER,
        item: MULTI_INTEREST_ITEM,
        output: "interests",
        vectors: MULTI_INTEREST_VECTORS,
    };

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
        Ok(self.user_interests(users)?.into_dyn())
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
