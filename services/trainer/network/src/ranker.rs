//! The ranking model: embeddings, explicit crosses and an MLP, one sigmoid head a task.
//!
//! The crosses are those of DCN-V2 (Wang et al., 2021, "DCN V2: improved deep & cross network").

mod log_loss;
mod scorer;

use std::collections::BTreeSet;

use ndarray::{Array2, Axis, concatenate};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::{
    log_loss::{Goal, log_loss},
    scorer::{Scorer, Snapshot},
};
use crate::{
    error::NetworkError,
    inputs::{InputLayout, Inputs, expect_length, expect_shape},
    optimiser::Adam,
    progress::Progress,
    settings,
    workers::Workers,
};

/// Rows that inference computes at once.
const CHUNK: usize = 4096;

/// Where the crosses stand to the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structure {
    /// Crosses and MLP both read the embedded row; the heads read both.
    Parallel,
    /// The MLP reads the crosses' output.
    Stacked,
}

/// How a [`Ranker`] is built and trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RankerConfig {
    /// Output names, one sigmoid head each.
    pub tasks: Vec<String>,
    /// Weight of each task's loss; empty means 1 each.
    pub task_weights: Vec<f32>,
    pub structure: Structure,
    pub cross_layers: usize,
    /// Rank of the cross matrices; 0 means full.
    pub cross_rank: usize,
    /// Widths of the MLP's layers. Without any, the heads read the crosses.
    pub hidden: Vec<usize>,
    pub learning_rate: f32,
    /// Weight of the squared norm of the layers' weights, added to the gradient.
    pub regularisation: f32,
    /// The same for the embedding rows that a batch touches.
    pub embedding_regularisation: f32,
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
            structure: Structure::Parallel,
            cross_layers: 2,
            cross_rank: 32,
            hidden: vec![128, 64],
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

/// Rows with their labels.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    pub inputs: &'a Inputs,
    /// `[rows, tasks]`, each in `0..=1`.
    pub labels: &'a Array2<f32>,
    /// Weight of each row's loss, not negative; `None` means 1 each.
    pub weights: Option<&'a [f32]>,
}

/// A multi-task ranking network. See the module.
#[derive(Debug)]
pub struct Ranker {
    config: RankerConfig,
    task_weights: Vec<f32>,
    network: Scorer<f32>,
    adam: Adam,
    random: ChaCha8Rng,
    workers: Workers,
}

impl Ranker {
    /// A model with random weights.
    pub fn new(layout: InputLayout, config: RankerConfig) -> Result<Self, NetworkError> {
        config.check()?;
        layout.check()?;
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        let network = Scorer::new(layout, &config, &mut random);
        let task_weights = match &config.task_weights[..] {
            [] => vec![1.0; config.tasks.len()],
            weights => weights.to_vec(),
        };
        let workers = Workers::new(config.threads)?;
        let adam = Adam::new(config.learning_rate);
        Ok(Self { config, task_weights, network, adam, random, workers })
    }

    /// Trains on the rows, with early stopping where validation rows are given; reports after
    /// each epoch. Called again, it goes on from the weights it has.
    pub fn train(
        &mut self,
        rows: Labelled<'_>,
        validation: Option<Labelled<'_>>,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), NetworkError> {
        self.check(rows)?;
        validation.map_or(Ok(()), |validation| self.check(validation))?;
        let mut stopping = Stopping::new(self.config.patience);
        let mut order: Vec<usize> = (0..rows.inputs.rows).collect();
        let epochs = self.config.epochs;
        for epoch in 1..=epochs {
            order.shuffle(&mut self.random);
            let loss = self.epoch(rows, &order);
            if !loss.is_finite() {
                return Err(NetworkError::Diverged { epoch, loss });
            }
            let validation_loss = validation.map(|validation| self.loss(validation));
            on_progress(Progress { epoch, epochs, loss, validation_loss });
            if stopping.stops(validation_loss, &mut self.network) {
                break;
            }
        }
        stopping.restore(&mut self.network);
        Ok(())
    }

    /// Probabilities `[rows, tasks]`.
    pub fn predict(&self, inputs: &Inputs) -> Result<Array2<f32>, NetworkError> {
        self.network.embedding.check(inputs)?;
        let parts: Vec<Array2<f32>> = self.workers.install(|| {
            chunks(inputs.rows)
                .map(|rows| self.network.probabilities(&inputs.select(&rows)))
                .collect()
        });
        let parts: Vec<_> = parts.iter().map(|part| part.view()).collect();
        Ok(concatenate(Axis(0), &parts).expect("every part has one column a task"))
    }

    /// The network as an ONNX model: inputs as in the crate's documentation, one output `[rows]`
    /// a task, named after it.
    pub fn export(&self) -> Result<Vec<u8>, NetworkError> {
        self.network.export(&self.config.tasks)
    }

    /// The weighted mean loss a row.
    fn epoch(&mut self, data: Labelled<'_>, order: &[usize]) -> f64 {
        let Self { config, task_weights, network, adam, workers, .. } = self;
        let total: f64 = workers.install(|| {
            let losses = order.chunks(config.batch).map(|rows| {
                let loss = network.learn(&data.inputs.select(rows), &data.goal(rows), task_weights);
                network.step(config, adam);
                f64::from(loss)
            });
            losses.sum()
        });
        total / data.total_weight()
    }

    /// The weighted mean loss a row.
    fn loss(&self, data: Labelled<'_>) -> f64 {
        let total: f64 = self.workers.install(|| {
            let losses = chunks(data.inputs.rows).map(|rows| {
                let logits = self.network.logits(&data.inputs.select(&rows));
                f64::from(log_loss(logits.view(), &data.goal(&rows), &self.task_weights).0)
            });
            losses.sum()
        });
        total / data.total_weight()
    }

    fn check(&self, data: Labelled<'_>) -> Result<(), NetworkError> {
        self.network.embedding.check(data.inputs)?;
        let rows = data.inputs.rows;
        expect_shape("labels", data.labels.dim(), (rows, self.config.tasks.len()))?;
        let bad = data.labels.indexed_iter().find(|(_, label)| !(0.0..=1.0).contains(*label));
        if let Some(((row, task), &value)) = bad {
            let column = format!("labels of {}", self.config.tasks[task]);
            return Err(NetworkError::Value { column, row, value });
        }
        let weights = data.weights.unwrap_or_default();
        expect_length("weights", data.weights.map_or(rows, <[f32]>::len), rows)?;
        let bad = weights.iter().enumerate().find(|(_, w)| !w.is_finite() || **w < 0.0);
        if let Some((row, &value)) = bad {
            return Err(NetworkError::Value { column: "weights".into(), row, value });
        }
        if data.total_weight() > 0.0 { Ok(()) } else { Err(NetworkError::Empty) }
    }
}

impl Labelled<'_> {
    fn goal(&self, rows: &[usize]) -> Goal<f32> {
        Goal {
            labels: self.labels.select(Axis(0), rows),
            weights: match self.weights {
                None => vec![1.0; rows.len()],
                Some(weights) => rows.iter().map(|&row| weights[row]).collect(),
            },
        }
    }

    fn total_weight(&self) -> f64 {
        match self.weights {
            None => self.inputs.rows as f64,
            Some(weights) => weights.iter().map(|&weight| f64::from(weight)).sum(),
        }
    }
}

/// Early stopping: the best epoch so far and how many have passed since.
struct Stopping {
    patience: usize,
    worse: usize,
    best: Option<(f64, Snapshot<f32>)>,
}

impl Stopping {
    fn new(patience: usize) -> Self {
        Self { patience, worse: 0, best: None }
    }

    fn stops(&mut self, loss: Option<f64>, network: &mut Scorer<f32>) -> bool {
        let Some(loss) = loss.filter(|_| self.patience > 0) else {
            return false;
        };
        if self.best.as_ref().is_none_or(|(best, _)| loss < *best) {
            self.best = Some((loss, network.snapshot()));
            self.worse = 0;
        } else {
            self.worse += 1;
        }
        self.worse >= self.patience
    }

    fn restore(self, network: &mut Scorer<f32>) {
        if let Some((_, snapshot)) = self.best {
            network.restore(snapshot);
        }
    }
}

impl RankerConfig {
    /// Checks every setting's range.
    pub fn check(&self) -> Result<(), NetworkError> {
        self.check_tasks()?;
        settings::at_least_one("batch", self.batch)?;
        settings::widths("hidden", &self.hidden)?;
        settings::positive("learning_rate", self.learning_rate)?;
        settings::not_negative("regularisation", self.regularisation)?;
        settings::not_negative("embedding_regularisation", self.embedding_regularisation)
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

/// Row numbers in pieces; one empty piece for no rows.
fn chunks(rows: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..rows.max(1)).step_by(CHUNK).map(move |from| (from..rows.min(from + CHUNK)).collect())
}

#[cfg(test)]
mod tests;
