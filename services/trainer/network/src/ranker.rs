//! The ranking model: embeddings, explicit crosses and an MLP, one sigmoid head a task.
//!
//! The crosses are those of DCN-V2 (Wang et al., 2021, "DCN V2: improved deep & cross network").

mod attention;
mod batches;
mod calibration;
mod config;
mod labelled;
mod loss;
mod scorer;
mod stopping;

use std::cell::RefCell;

use ndarray::{Array2, Axis, concatenate};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use self::{
    attention::{AttentionConfig, AttentionWeights},
    calibration::Calibration,
    config::{RankerConfig, Structure},
    labelled::Labelled,
};
use self::{
    batches::{Batch, Units},
    calibration::Outcome,
    loss::{Balance, loss},
    scorer::Scorer,
    stopping::{Stopping, StoppingState},
};
use crate::{
    checkpoint::{self, Identity, Run},
    error::NetworkError,
    inputs::InputLayout,
    optimiser::Adam,
    progress::Progress,
    source::Source,
    workers::Workers,
};

/// Rows that inference computes at once.
const CHUNK: usize = 4096;

/// A multi-task ranking network. See the module.
#[derive(Debug)]
pub struct Ranker {
    config: RankerConfig,
    balance: Balance<f32>,
    network: Scorer<f32>,
    /// One a task.
    calibration: Vec<Calibration>,
    adam: Adam,
    random: ChaCha8Rng,
    workers: Workers,
    resumed: Option<(usize, Stopping)>,
}

/// A checkpoint's state besides the arrays.
#[derive(Serialize, Deserialize)]
struct State {
    run: Run,
    stopping: StoppingState,
}

impl Ranker {
    /// A model with random weights.
    pub fn new(layout: InputLayout, config: RankerConfig) -> Result<Self, NetworkError> {
        config.check()?;
        layout.check()?;
        config.check_columns(&layout)?;
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        let network = Scorer::new(layout, &config, &mut random);
        let balance = Balance { tasks: config.losses(), listwise: config.listwise_weight };
        let calibration = vec![Calibration::NONE; config.tasks.len()];
        let workers = Workers::new(config.threads)?;
        let adam = Adam::new(config.learning_rate);
        let resumed = None;
        Ok(Self { config, balance, network, calibration, adam, random, workers, resumed })
    }

    /// Trains on the rows, with early stopping where validation rows are given; reports after
    /// each epoch. Called again, it goes on from the weights it has, for as many epochs more.
    /// What [`Ranker::calibrate`] found is forgotten.
    pub fn train(
        &mut self,
        rows: Labelled<'_>,
        validation: Option<Labelled<'_>>,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), NetworkError> {
        self.check(rows)?;
        rows.check_groups(&self.config)?;
        if let Some(validation) = validation {
            self.check(validation)?;
            validation.check_groups(&self.config)?;
        }
        self.calibration.fill(Calibration::NONE);
        let fresh = (0, Stopping::new(self.config.patience));
        let (done, mut stopping) = self.resumed.take().unwrap_or(fresh);
        let units = self.units(rows);
        let epochs = self.config.epochs;
        for epoch in done + 1..=epochs {
            if stopping.is_due() {
                break;
            }
            let loss = self.epoch(rows, &units);
            if !loss.is_finite() {
                return Err(NetworkError::Diverged { epoch, loss });
            }
            let validation_loss = validation.map(|validation| self.loss(validation));
            stopping.observe(validation_loss, &mut self.network);
            let state = RefCell::new((&mut *self, &mut stopping));
            let save = || {
                let (model, stopping) = &mut *state.borrow_mut();
                model.checkpoint(epoch, stopping)
            };
            on_progress(Progress { epoch, epochs, loss, validation_loss, save: &save });
        }
        stopping.finish(&mut self.network);
        Ok(())
    }

    /// Takes up an interrupted training: [`Ranker::train`] on the same rows goes on with the epoch
    /// after the [checkpoint](Progress::checkpoint) and ends with the same weights, bit for bit,
    /// as if it had not been interrupted. More `epochs` may be configured now, and other
    /// `threads`.
    ///
    /// # Errors
    /// Where the bytes are damaged, or of a model with another layout or other settings; the model
    /// is then as it was.
    pub fn resume(&mut self, checkpoint: &[u8]) -> Result<(), NetworkError> {
        let saved = checkpoint::open::<State>(&self.identity(), checkpoint)?;
        let State { run, stopping } = &saved.state;
        let mut stopping = Stopping::of(stopping, self.config.patience, &mut self.network);
        let mut arrays = self.network.arrays();
        arrays.extend(stopping.arrays());
        saved.fill(arrays)?;
        run.restore(&mut self.adam, &mut self.random);
        self.resumed = Some((run.epoch, stopping));
        Ok(())
    }

    /// Fits a line through each task's logits on rows that the training did not see, so that
    /// probabilities sum to what was observed there (see [`Calibration`]). It is part of
    /// [`Ranker::predict`] and of the export, and leaves each task's order as it is.
    pub fn calibrate(&mut self, rows: Labelled<'_>) -> Result<&[Calibration], NetworkError> {
        self.fit_calibration(rows, |_, outcomes| Calibration::fit(outcomes))
    }

    /// Moves each task's line, whose slope stays, so that probabilities sum to what was observed
    /// in these rows.
    pub fn calibrate_level(&mut self, rows: Labelled<'_>) -> Result<&[Calibration], NetworkError> {
        self.fit_calibration(rows, Calibration::at_level_of)
    }

    fn fit_calibration(
        &mut self,
        rows: Labelled<'_>,
        fit: impl Fn(Calibration, &[Outcome]) -> Calibration,
    ) -> Result<&[Calibration], NetworkError> {
        self.check(rows)?;
        let logits = self.logits(rows.inputs);
        for (task, calibration) in self.calibration.iter_mut().enumerate() {
            let outcome = |row: usize| Outcome {
                logit: logits[[row, task]].into(),
                label: rows.labels[[row, task]].into(),
                weight: rows.weight(row).into(),
            };
            let outcomes: Vec<Outcome> = (0..rows.inputs.rows()).map(outcome).collect();
            *calibration = fit(*calibration, &outcomes);
        }
        Ok(&self.calibration)
    }

    /// Probabilities `[rows, tasks]`.
    pub fn predict(&self, inputs: &dyn Source) -> Result<Array2<f32>, NetworkError> {
        self.check_inputs(inputs)?;
        Ok(Calibration::probabilities(&self.calibration, self.logits(inputs)))
    }

    /// The network as an ONNX model: inputs as in the crate's documentation, one output `[rows]`
    /// a task, named after it.
    pub fn export(&self) -> Result<Vec<u8>, NetworkError> {
        self.network.export(&self.config.tasks, &self.calibration)
    }

    /// The weighted mean loss a row. While a batch is learned from, the next one is put together.
    fn epoch(&mut self, data: Labelled<'_>, units: &Units) -> f64 {
        let Self { config, balance, network, adam, random, workers, .. } = self;
        let batches = units.shuffled(config.batch, random);
        let mut ahead = batches.iter().map(|batch| (batch, data.inputs.select(&batch.rows)));
        let total: f64 = workers.install(|| {
            let mut total = 0.0;
            let mut current = ahead.next();
            while let Some((batch, inputs)) = current {
                let learn = || {
                    let loss = network.learn(&inputs, &data.goal(batch), balance, random);
                    network.step(config, adam);
                    loss
                };
                let (loss, next) = rayon::join(learn, || ahead.next());
                total += f64::from(loss);
                current = next;
            }
            total
        });
        total / data.total_weight()
    }

    /// The weighted mean loss a row, without calibration.
    fn loss(&self, data: Labelled<'_>) -> f64 {
        let batches = self.units(data).batches(CHUNK);
        let total: f64 = self.workers.install(|| {
            let losses = batches.iter().map(|batch| {
                let logits = self.network.logits(&data.inputs.select(&batch.rows));
                f64::from(loss(logits.view(), &data.goal(batch), &self.balance).0)
            });
            losses.sum()
        });
        total / data.total_weight()
    }

    /// `[rows, tasks]`, of inputs that have been checked.
    fn logits(&self, inputs: &dyn Source) -> Array2<f32> {
        if inputs.rows() == 0 {
            return Array2::zeros((0, self.config.tasks.len()));
        }
        let batches = Units::new(inputs.rows(), None).batches(CHUNK);
        let parts: Vec<Array2<f32>> = self.workers.install(|| {
            let part = |batch: &Batch| self.network.logits(&inputs.select(&batch.rows));
            batches.iter().map(part).collect()
        });
        let parts: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(0), &parts).expect("every part has one column a task")
    }

    fn units(&self, data: Labelled<'_>) -> Units {
        Units::new(data.inputs.rows(), data.groups.filter(|_| self.config.listwise_weight > 0.0))
    }

    fn check(&self, data: Labelled<'_>) -> Result<(), NetworkError> {
        self.check_inputs(data.inputs)?;
        data.check(&self.config)
    }

    fn check_inputs(&self, inputs: &dyn Source) -> Result<(), NetworkError> {
        Units::new(inputs.rows(), None).batches(CHUNK).iter().try_for_each(|batch| {
            let checked = self.network.embedding.check(&inputs.select(&batch.rows));
            checked.map_err(|error| error.of_rows(&batch.rows))
        })
    }

    fn identity(&self) -> Identity {
        Identity::of("ranker", &self.config, &self.network.embedding.layout)
    }

    fn checkpoint(&mut self, epoch: usize, stopping: &mut Stopping) -> Vec<u8> {
        let identity = self.identity();
        let run = Run::of(epoch, &self.adam, &self.random);
        let state = State { run, stopping: stopping.state() };
        let mut arrays = self.network.arrays();
        arrays.extend(stopping.arrays());
        checkpoint::save(identity, &state, &arrays)
    }
}

#[cfg(test)]
mod tests;
