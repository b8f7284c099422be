//! The offline half: data set → features → models → evaluation → bundle.

pub mod arguments;
mod artifacts;
mod candidates;
mod channels;
pub mod config;
pub mod data;
mod encoding;
mod error;
pub mod evaluate;
mod interactions;
mod models;
mod number;
mod progress;
mod replay;
mod split;
pub mod steps;
pub mod work;

pub use error::TrainerError;
pub use models::ModelError;
