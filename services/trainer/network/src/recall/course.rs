//! The training that the recall models go through: the examples in random order, batch by batch,
//! each against the items that are drawn for it.

use std::cell::RefCell;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    RecallExamples,
    sampling::{Negatives, Sample, Sampling},
};
use crate::{
    checkpoint::{self, Array, Identity, Run},
    error::NetworkError,
    inputs::{InputLayout, Inputs},
    optimiser::Adam,
    progress::Progress,
    workers::Workers,
};

/// The settings that do not hang on what is trained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) learning_rate: f32,
    pub(crate) batch: usize,
    pub(crate) epochs: usize,
    pub(crate) negatives: Negatives,
    /// Whether what a user is known to want is none of its negatives.
    pub(crate) exclude_positives: bool,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
}

/// A network of a user's and an item's side.
pub(crate) trait Student: Sized + Send {
    /// What it is called, in checkpoints and in what is said of them.
    const NAME: &'static str;
    type Config: serde::Serialize + Sync;

    fn plan(config: &Self::Config) -> Plan;

    /// With random weights. Settings and layouts have been checked.
    fn new(
        user: InputLayout,
        item: InputLayout,
        config: &Self::Config,
        random: &mut ChaCha8Rng,
    ) -> Result<Self, NetworkError>;

    fn check_users(&self, users: &Inputs) -> Result<(), NetworkError>;

    fn check_items(&self, items: &Inputs) -> Result<(), NetworkError>;

    /// Takes one step; gives the mean loss of the batch.
    fn learn(&mut self, batch: &Batch<'_>, config: &Self::Config, adam: &mut Adam) -> f32;

    /// Weights and moments, for a checkpoint.
    fn arrays(&mut self) -> Vec<Array<'_>>;
}

/// What one step learns from.
pub(crate) struct Batch<'a> {
    pub(crate) examples: RecallExamples<'a>,
    /// Numbers of the examples.
    pub(crate) rows: &'a [usize],
    /// Their users.
    pub(crate) users: Inputs,
    pub(crate) sample: Sample<f32>,
}

/// A network with the state of its training.
#[derive(Debug)]
pub(crate) struct Course<N: Student> {
    pub(crate) config: N::Config,
    pub(crate) network: N,
    pub(crate) workers: Workers,
    plan: Plan,
    adam: Adam,
    random: ChaCha8Rng,
    identity: Identity,
    /// Epochs of a run that was taken up.
    done: usize,
}

impl<N: Student> Course<N> {
    /// The settings have been checked.
    pub(crate) fn new(
        user: InputLayout,
        item: InputLayout,
        config: N::Config,
    ) -> Result<Self, NetworkError> {
        user.check()?;
        item.check()?;
        let plan = N::plan(&config);
        let identity = Identity::of(N::NAME, &config, &[&user, &item]);
        let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
        let network = N::new(user, item, &config, &mut random)?;
        let workers = Workers::new(plan.threads)?;
        let adam = Adam::new(plan.learning_rate);
        Ok(Self { config, network, workers, plan, adam, random, identity, done: 0 })
    }

    /// Trains for the configured epochs; reports after each.
    pub(crate) fn train(
        &mut self,
        examples: RecallExamples<'_>,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), NetworkError> {
        self.network.check_items(examples.items)?;
        let targets = examples.check()?;
        let epochs = self.plan.epochs;
        for epoch in std::mem::take(&mut self.done) + 1..=epochs {
            let mut order: Vec<usize> = (0..targets.len()).collect();
            order.shuffle(&mut self.random);
            let loss = self.epoch(examples, &targets, &order)?;
            if !loss.is_finite() {
                return Err(NetworkError::Diverged { epoch, loss });
            }
            let course = RefCell::new(&mut *self);
            let save = || course.borrow_mut().checkpoint(epoch);
            on_progress(Progress { epoch, epochs, loss, validation_loss: None, save: &save });
        }
        Ok(())
    }

    /// Goes on after the epoch of a checkpoint. On an error all is as it was.
    pub(crate) fn resume(&mut self, checkpoint: &[u8]) -> Result<(), NetworkError> {
        let saved = checkpoint::open::<Run>(&self.identity, checkpoint)?;
        saved.fill(self.network.arrays())?;
        saved.state.restore(&mut self.adam, &mut self.random);
        self.done = saved.state.epoch;
        Ok(())
    }

    fn checkpoint(&mut self, epoch: usize) -> Vec<u8> {
        let run = Run::of(epoch, &self.adam, &self.random);
        checkpoint::save(self.identity.clone(), &run, &self.network.arrays())
    }

    /// The mean loss an example. While a batch is learned from, the next one is put together.
    fn epoch(
        &mut self,
        examples: RecallExamples<'_>,
        targets: &[usize],
        order: &[usize],
    ) -> Result<f64, NetworkError> {
        let Self { config, network, workers, plan, adam, random, .. } = self;
        let positives = examples.positives.filter(|_| plan.exclude_positives);
        let sampling = Sampling::new(examples.frequencies, positives, plan.negatives);
        let mut batches = order.chunks(plan.batch);
        let mut next = move || {
            let rows = batches.next()?;
            let sample = sampling.draw(rows, targets, random);
            Some(Batch { examples, rows, users: examples.users.select(rows), sample })
        };
        let total = workers.install(|| {
            let mut total = 0.0;
            let mut current = next();
            while let Some(batch) = current {
                let checked = network.check_users(&batch.users);
                checked.map_err(|error| error.of_rows(batch.rows))?;
                let (loss, following) =
                    rayon::join(|| network.learn(&batch, config, adam), &mut next);
                total += f64::from(loss) * batch.rows.len() as f64;
                current = following;
            }
            Ok::<f64, NetworkError>(total)
        })?;
        Ok(total / order.len() as f64)
    }
}
