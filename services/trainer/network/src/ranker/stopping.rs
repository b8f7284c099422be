//! Early stopping: the best epoch so far and how many have passed since.

use serde::{Deserialize, Serialize};

use super::scorer::{Scorer, Snapshot};
use crate::checkpoint::Array;

#[derive(Debug)]
pub(super) struct Stopping {
    patience: usize,
    worse: usize,
    best: Option<(f64, Snapshot)>,
}

/// What a checkpoint says of it besides the best weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoppingState {
    worse: usize,
    /// The bits of the best loss: decimal digits might not give them back.
    best: Option<u64>,
}

impl Stopping {
    pub(super) fn new(patience: usize) -> Self {
        Self { patience, worse: 0, best: None }
    }

    /// Takes an epoch's validation loss.
    pub(super) fn observe(&mut self, loss: Option<f64>, network: &mut Scorer<f32>) {
        let Some(loss) = loss.filter(|_| self.patience > 0) else { return };
        if self.best.as_ref().is_none_or(|(best, _)| loss < *best) {
            self.best = Some((loss, network.snapshot()));
            self.worse = 0;
        } else {
            self.worse += 1;
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.patience > 0 && self.worse >= self.patience
    }

    /// Gives the network the best weights.
    pub(super) fn finish(self, network: &mut Scorer<f32>) {
        if let Some((_, snapshot)) = self.best {
            network.restore(snapshot);
        }
    }

    pub(super) fn state(&self) -> StoppingState {
        let best = self.best.as_ref().map(|(loss, _)| loss.to_bits());
        StoppingState { worse: self.worse, best }
    }

    /// What a checkpoint has the state of; its best weights are yet to be filled in.
    pub(super) fn of(state: &StoppingState, patience: usize, network: &mut Scorer<f32>) -> Self {
        let best = state.best.map(|bits| (f64::from_bits(bits), network.snapshot()));
        Self { patience, worse: state.worse, best }
    }

    /// The best weights.
    pub(super) fn arrays(&mut self) -> Vec<Array<'_>> {
        self.best.as_mut().map(|(_, snapshot)| snapshot.arrays()).unwrap_or_default()
    }
}
