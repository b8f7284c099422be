//! Rows with their labels.

use ndarray::{Array2, Axis};

use super::{RankerConfig, batches::Batch, loss::Goal};
use crate::{
    error::NetworkError,
    inputs::{expect_length, expect_shape},
    source::Source,
};

/// Rows with their labels.
#[derive(Clone, Copy)]
pub struct Labelled<'a> {
    pub inputs: &'a dyn Source,
    /// `[rows, tasks]`, each in `0..=1`.
    pub labels: &'a Array2<f32>,
    /// Weight of each row's loss, not negative; `None` means 1 each.
    pub weights: Option<&'a [f32]>,
    /// Which question each row is an answer to, for the listwise loss.
    pub groups: Option<&'a [u32]>,
}

impl Labelled<'_> {
    pub(super) fn goal(&self, batch: &Batch) -> Goal<f32> {
        let rows = &batch.rows;
        Goal {
            labels: self.labels.select(Axis(0), rows),
            weights: rows.iter().map(|&row| self.weight(row)).collect(),
            groups: batch.groups.clone(),
        }
    }

    pub(super) fn weight(&self, row: usize) -> f32 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    pub(super) fn total_weight(&self) -> f64 {
        match self.weights {
            None => self.inputs.rows() as f64,
            Some(weights) => weights.iter().map(|&weight| f64::from(weight)).sum(),
        }
    }

    /// Checks shapes and values; the inputs' are not looked at.
    pub(super) fn check(&self, config: &RankerConfig) -> Result<(), NetworkError> {
        let rows = self.inputs.rows();
        expect_shape("labels", self.labels.dim(), (rows, config.tasks.len()))?;
        let bad = self.labels.indexed_iter().find(|(_, label)| !(0.0..=1.0).contains(*label));
        if let Some(((row, task), &value)) = bad {
            let column = format!("labels of {}", config.tasks[task]);
            return Err(NetworkError::Value { column, row, value });
        }
        let weights = self.weights.unwrap_or_default();
        expect_length("weights", self.weights.map_or(rows, <[f32]>::len), rows)?;
        let bad = weights.iter().enumerate().find(|(_, w)| !w.is_finite() || **w < 0.0);
        if let Some((row, &value)) = bad {
            return Err(NetworkError::Value { column: "weights".into(), row, value });
        }
        expect_length("groups", self.groups.map_or(rows, <[u32]>::len), rows)?;
        if self.total_weight() > 0.0 { Ok(()) } else { Err(NetworkError::Empty) }
    }

    /// Checks that there are groups where the loss looks at them.
    pub(super) fn check_groups(&self, config: &RankerConfig) -> Result<(), NetworkError> {
        if config.listwise_weight > 0.0 && self.groups.is_none() {
            return Err(NetworkError::config("listwise_weight", "needs rows with groups"));
        }
        Ok(())
    }
}
