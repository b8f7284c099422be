//! Towers in service. Into a user tower goes the user's behaviour as it is at the request, into an
//! item tower an item's attributes as they are after a change; out come vectors of one space.
//!
//! A tower of the name `user_tower` is three files of a bundle that must agree:
//! `features/user_tower.json` encodes the user, `models/user_tower.onnx` computes, and
//! `golden/user_tower.safetensors` says what the trainer computed with it.

mod error;
mod item;
mod loader;
mod tower;

pub use error::TowerError;
pub use item::ItemTower;
pub use loader::Loader;
pub use tower::{Output, Tower};

#[cfg(test)]
mod tests;
