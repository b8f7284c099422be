//! How a ranker is built and trained.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::attention::AttentionConfig;
use crate::{error::NetworkError, inputs::InputLayout, settings};

/// Where the crosses stand to the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structure {
    /// Crosses and MLP both read the embedded row; the heads read both.
    Parallel,
    /// The MLP reads the crosses' output.
    Stacked,
}

/// How a [`Ranker`](super::Ranker) is built and trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RankerConfig {
    /// Output names, one sigmoid head each.
    pub tasks: Vec<String>,
    /// Weight of each task's loss; empty means 1 each.
    pub task_weights: Vec<f32>,
    /// Sequences that attend to the candidate; each adds its weighted sum to the embedded row.
    pub attention: Vec<AttentionConfig>,
    pub structure: Structure,
    pub cross_layers: usize,
    /// Rank of the cross matrices; 0 means full.
    pub cross_rank: usize,
    /// Widths of the MLP's layers. Without any, the heads read the crosses.
    pub hidden: Vec<usize>,
    /// Probability that an output of an MLP layer is dropped in training.
    pub dropout: f32,
    /// Weight of the listwise loss beside the log losses; above 0 the rows need groups.
    pub listwise_weight: f32,
    pub learning_rate: f32,
    /// Weight of the squared norm of the layers' weights, added to the gradient.
    pub regularisation: f32,
    /// The same for the embedding rows that a batch touches.
    pub embedding_regularisation: f32,
    /// Rows of a step; with the listwise loss whole groups, and so up to a group more.
    pub batch: usize,
    pub epochs: usize,
    /// Stop after this many epochs without a better validation loss and keep the best weights;
    /// 0 never stops early, and keeps the last.
    pub patience: usize,
    pub seed: u64,
    /// Worker threads; 0 uses rayon's own pool. The result does not depend on it.
    pub threads: usize,
}

impl Default for RankerConfig {
    fn default() -> Self {
        Self {
            tasks: vec!["liked".into(), "watched".into()],
            task_weights: Vec::new(),
            attention: Vec::new(),
            structure: Structure::Parallel,
            cross_layers: 2,
            cross_rank: 32,
            hidden: vec![128, 64],
            dropout: 0.0,
            listwise_weight: 0.0,
            learning_rate: 1e-3,
            regularisation: 0.0,
            embedding_regularisation: 1e-6,
            batch: 1024,
            epochs: 5,
            patience: 1,
            seed: 1,
            threads: 0,
        }
    }
}

impl RankerConfig {
    /// Checks every setting's range.
    pub fn check(&self) -> Result<(), NetworkError> {
        self.check_tasks()?;
        self.attention.iter().try_for_each(AttentionConfig::check)?;
        settings::at_least_one("batch", self.batch)?;
        settings::widths("hidden", &self.hidden)?;
        if !(0.0..1.0).contains(&self.dropout) {
            let reason = format!("must be at least 0 and below 1, not {}", self.dropout);
            return Err(NetworkError::config("dropout", reason));
        }
        settings::not_negative("listwise_weight", self.listwise_weight)?;
        settings::positive("learning_rate", self.learning_rate)?;
        settings::not_negative("regularisation", self.regularisation)?;
        settings::not_negative("embedding_regularisation", self.embedding_regularisation)
    }

    /// Checks that the columns that the settings name are in the layout.
    pub(super) fn check_columns(&self, layout: &InputLayout) -> Result<(), NetworkError> {
        self.attention.iter().try_for_each(|attention| attention.find(layout).map(drop))
    }

    pub(super) fn losses(&self) -> Vec<f32> {
        match &self.task_weights[..] {
            [] => vec![1.0; self.tasks.len()],
            weights => weights.to_vec(),
        }
    }

    fn check_tasks(&self) -> Result<(), NetworkError> {
        settings::at_least_one("tasks", self.tasks.len())?;
        if self.tasks.iter().collect::<BTreeSet<_>>().len() < self.tasks.len() {
            return Err(NetworkError::config("tasks", "must not name a task twice"));
        }
        if let Some(task) = self.tasks.iter().find(|task| reserved(task)) {
            let reason = format!("must not contain {task:?}, which is empty or an input's name");
            return Err(NetworkError::config("tasks", reason));
        }
        if !self.task_weights.is_empty() && self.task_weights.len() != self.tasks.len() {
            return Err(NetworkError::config("task_weights", "must be one a task, or none"));
        }
        self.task_weights
            .iter()
            .try_for_each(|&weight| settings::not_negative("task_weights", weight))
    }
}

/// Names that the exported graph uses already.
fn reserved(task: &str) -> bool {
    matches!(task, "" | "ids" | "dense") || task.starts_with("bag.") || task.starts_with("node/")
}
