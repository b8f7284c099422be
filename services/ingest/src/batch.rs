//! What was read and not yet written.

use crate::{
    change::{Change, Outcome},
    dead_letters::DeadLetter,
    layout::Layout,
    metrics,
    reader::Row,
};

/// Changes and bad rows, in the order in which they were read.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub changes: Vec<Change>,
    pub letters: Vec<DeadLetter>,
}

impl Batch {
    /// Takes what became of `row`. `position` tells a person where it was read.
    pub(crate) fn add(&mut self, layout: &Layout, row: &Row, outcome: Outcome, position: &str) {
        let Outcome { changes, bad } = outcome;
        self.changes.extend(changes);
        let Some(bad) = bad else { return };
        let letter = DeadLetter::new(layout, row, &bad, position.to_owned());
        metrics::bad_row(&letter.table, bad.cause.as_str());
        letter.log();
        self.letters.push(letter);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.letters.is_empty()
    }
}
