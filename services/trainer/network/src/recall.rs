//! What the recall models have in common: what they learn from, which items a batch is scored
//! against, and the tower that makes an item's vector.

pub(crate) mod course;
pub(crate) mod sampling;
pub(crate) mod softmax;
pub(crate) mod tower;

use ndarray::Array2;

use crate::{
    error::NetworkError,
    inputs::{Inputs, expect_length},
    source::Source,
};

/// What a recall model learns from.
#[derive(Clone, Copy)]
pub struct RecallExamples<'a> {
    /// One row a training example: the user as of just before the event.
    pub users: &'a dyn Source,
    /// One row a catalogue item.
    pub items: &'a Inputs,
    /// The item row of each example.
    pub targets: &'a [u32],
    /// The share of the examples that each item row is the target of; positive for every target.
    pub frequencies: &'a [f32],
    /// What else is known to be right, so that it is nobody's negative; `None` knows of the
    /// targets only.
    pub positives: Option<Positives<'a>>,
    /// How much each example counts for each objective `[examples, objectives]`, for models that
    /// have several; none is negative.
    pub objectives: Option<&'a Array2<f32>>,
}

/// All that each user is known to want.
#[derive(Debug, Clone, Copy)]
pub struct Positives<'a> {
    /// The user of each example, a position in `items`.
    pub users: &'a [u32],
    /// Each user's item rows.
    pub items: &'a [Vec<u32>],
}

impl Positives<'_> {
    /// The item rows that the user of an example wants.
    pub(crate) fn of(&self, example: usize) -> impl Iterator<Item = usize> {
        self.items[position(self.users[example])].iter().map(|&item| position(item))
    }

    fn check(&self, examples: usize, items: usize) -> Result<(), NetworkError> {
        expect_length("positives", self.users.len(), examples)?;
        check_ids("positives of users", self.users, self.items.len())?;
        self.items.iter().try_for_each(|rows| check_ids("positives", rows, items))
    }
}

impl RecallExamples<'_> {
    /// Checks all but the rows of users, which are made batch by batch; gives the targets as
    /// positions.
    pub(crate) fn check(&self) -> Result<Vec<usize>, NetworkError> {
        let Self { users, items, targets, frequencies, positives, objectives } = *self;
        expect_length("targets", targets.len(), users.rows())?;
        expect_length("frequencies", frequencies.len(), items.rows)?;
        if targets.is_empty() {
            return Err(NetworkError::Empty);
        }
        let bad = frequencies.iter().enumerate().find(|(_, share)| !(0.0..=1.0).contains(*share));
        if let Some((row, &value)) = bad {
            return Err(NetworkError::Value { column: "frequencies".into(), row, value });
        }
        if let Some(objectives) = objectives {
            check_objectives(objectives, targets.len())?;
        }
        if let Some(positives) = positives {
            positives.check(targets.len(), items.rows)?;
        }
        check_ids("targets", targets, items.rows)?;
        let targets: Vec<usize> = targets.iter().map(|&target| position(target)).collect();
        match targets.iter().find(|&&item| frequencies[item] <= 0.0) {
            None => Ok(targets),
            Some(&row) => {
                let column = "frequencies".to_owned();
                Err(NetworkError::Value { column, row, value: frequencies[row] })
            }
        }
    }
}

fn check_objectives(weights: &Array2<f32>, examples: usize) -> Result<(), NetworkError> {
    expect_length("objectives", weights.nrows(), examples)?;
    let allowed = |weight: f32| weight.is_finite() && weight >= 0.0;
    match weights.indexed_iter().find(|(_, weight)| !allowed(**weight)) {
        None => Ok(()),
        Some(((row, _), &value)) => {
            Err(NetworkError::Value { column: "objectives".into(), row, value })
        }
    }
}

/// A row number as a position.
fn position(row: u32) -> usize {
    usize::try_from(row).expect("usize has at least 32 bits here")
}

fn check_ids(column: &str, ids: &[u32], rows: usize) -> Result<(), NetworkError> {
    match ids.iter().enumerate().find(|(_, id)| position(**id) >= rows) {
        None => Ok(()),
        Some((row, &id)) => Err(NetworkError::IdOutOfRange {
            column: column.to_owned(),
            row,
            id: i64::from(id),
            table: "items".into(),
            rows,
        }),
    }
}
