//! The feature service: its store against a model, its process against kill -9, its contract.

#![allow(clippy::unwrap_used, reason = "a test may panic; clippy.toml covers only test functions")]

mod conformance;
mod durability;
mod failover;
mod harness;
mod limits;
mod model;
mod open;
mod replicas;
mod serving;
mod store;
mod watch;
