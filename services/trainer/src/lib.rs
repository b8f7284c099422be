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
pub mod gate;
mod interactions;
mod models;
mod number;
mod pieces;
mod progress;
mod protocol;
pub mod quality;
mod replay;
mod served;
mod sessions;
mod split;
mod statistics;
pub mod steps;
pub mod synthetic;
mod training;
pub mod work;

pub use error::TrainerError;
pub use models::ModelError;
pub use training::{Model, RecallModel};
