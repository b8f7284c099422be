//! The feature service: its store against a model, its process against kill -9, its contract.

#![allow(clippy::unwrap_used, reason = "a test may panic; clippy.toml covers only test functions")]

mod durability;
mod harness;
mod limits;
mod model;
mod open;
mod serving;
mod store;
mod watch;
