//! What a training run reports.

use std::fmt;

/// The state of a run after an epoch.
#[derive(Clone, Copy)]
pub struct Progress<'a> {
    /// The epoch that ended, from 1.
    pub epoch: usize,
    /// Epochs configured; early stopping may end the run sooner.
    pub epochs: usize,
    /// Mean training loss an example over the epoch, without regularisation.
    pub loss: f64,
    /// Mean loss on the validation rows after the epoch, where there are any.
    pub validation_loss: Option<f64>,
    pub(crate) save: &'a dyn Fn() -> Vec<u8>,
}

impl Progress<'_> {
    /// All that the run needs to go on after this epoch, for the model's `resume`. It is put
    /// together when asked for: about three times the size of the weights, six where a best epoch
    /// is kept.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        (self.save)()
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, epochs, loss, validation_loss, save: _ } = self;
        let mut shown = formatter.debug_struct("Progress");
        shown.field("epoch", epoch).field("epochs", epochs);
        shown.field("loss", loss).field("validation_loss", validation_loss);
        shown.finish_non_exhaustive()
    }
}
