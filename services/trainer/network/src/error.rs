//! What can go wrong when a network is described, trained, asked or exported.

use thiserror::Error;

/// Why a network refused its description or its input.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// A setting is out of its range.
    #[error("{field} {reason}")]
    Config { field: &'static str, reason: String },
    /// The input layout does not fit together.
    #[error("input layout: {0}")]
    Layout(String),
    /// An array has not the shape that the layout or its companions ask for.
    #[error("{name} has shape {found:?}, expected {expected:?}")]
    Shape { name: String, found: Vec<usize>, expected: Vec<usize> },
    /// An id lies outside its table.
    #[error("column {column}, row {row}: id {id} is outside table {table} of {rows} rows")]
    IdOutOfRange { column: String, row: usize, id: i64, table: String, rows: usize },
    /// A number is NaN or infinite, or outside the range its column allows.
    #[error("column {column}, row {row}: value {value} is not allowed")]
    Value { column: String, row: usize, value: f32 },
    /// There is nothing to train on.
    #[error("no training examples")]
    Empty,
    /// The loss is no longer a finite number.
    #[error("loss became {loss} in epoch {epoch}: lower the learning rate")]
    Diverged { epoch: usize, loss: f64 },
    /// The exported model passes the 2 GiB limit of one protobuf message.
    #[error("exported model has {bytes} bytes, over the protobuf limit")]
    TooLarge { bytes: usize },
    /// A checkpoint is damaged, or of another model or other settings.
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    /// The operating system refused the worker threads.
    #[error("cannot start worker threads")]
    Threads(#[source] rayon::ThreadPoolBuildError),
}

impl NetworkError {
    pub(crate) fn config(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Config { field, reason: reason.into() }
    }

    /// The same, where its row is a position in `rows` and those are the rows to name.
    pub(crate) fn of_rows(mut self, rows: &[usize]) -> Self {
        if let Self::IdOutOfRange { row, .. } | Self::Value { row, .. } = &mut self {
            *row = rows.get(*row).copied().unwrap_or(*row);
        }
        self
    }
}
