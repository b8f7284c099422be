//! What a training run reports.

/// The state of a run after an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The epoch that ended, from 1.
    pub epoch: usize,
    /// Epochs configured; early stopping may end the run sooner.
    pub epochs: usize,
    /// Mean training loss an example over the epoch, without regularisation.
    pub loss: f64,
    /// Mean loss on the validation rows after the epoch, where there are any.
    pub validation_loss: Option<f64>,
}
