//! How far a training has come, from the rows that it asks for.

use tributary_network::{Inputs, Progress, Source};

use crate::progress::Step;

/// Rows that a training asks for once an epoch; each is a part of the step.
pub(crate) struct Watched<'a> {
    rows: &'a dyn Source,
    step: &'a Step,
}

impl<'a> Watched<'a> {
    pub(crate) fn new(rows: &'a dyn Source, step: &'a Step, epochs: usize) -> Self {
        step.expect(rows.rows() * epochs);
        Self { rows, step }
    }

    /// Reports to `on_progress`, too. A training that is taken up has done epochs before.
    pub(crate) fn watching(
        &self,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> impl FnMut(Progress<'_>) {
        |progress| {
            self.step.at(self.rows.rows() * progress.epoch);
            on_progress(progress);
        }
    }
}

impl Source for Watched<'_> {
    fn rows(&self) -> usize {
        self.rows.rows()
    }

    fn select(&self, rows: &[usize]) -> Inputs {
        self.step.advance(rows.len());
        self.rows.select(rows)
    }
}
