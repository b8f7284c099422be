//! User towers in service: the user's behaviour as it is at the request goes in, and vectors among
//! the item vectors of the same bundle come out.
//!
//! A tower of the name `user_tower` is three files of a bundle that must agree:
//! `features/user_tower.json` encodes the user, `models/user_tower.onnx` computes, and
//! `golden/user_tower.safetensors` says what the trainer computed with it.

mod error;
mod loader;
mod tower;

pub use error::TowerError;
pub use loader::Loader;
pub use tower::{Output, Tower};

#[cfg(test)]
mod tests;
