//! A data set as Parquet files: what is exported from a store or a database, and what `trainer`
//! reads.
//!
//! A folder with `events.parquet`, `items.parquet` and `users.parquet`. Files appear under their
//! names when they are whole; readers look for the events, so finish those last.

mod events;
mod items;
mod sheet;
mod users;

use std::path::PathBuf;

pub use events::{EventRow, Events};
pub use items::Items;
pub use users::Users;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error("cannot create or rename {}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("cannot write {}", path.display())]
    Parquet { path: PathBuf, source: parquet::errors::ParquetError },
}

impl DatasetError {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    fn parquet(path: impl Into<PathBuf>) -> impl Fn(parquet::errors::ParquetError) -> Self {
        let path = path.into();
        move |source| Self::Parquet { path: path.clone(), source }
    }
}
