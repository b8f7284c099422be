//! The steps from files of every format to a published bundle.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "it/formats.rs"]
mod formats;
#[path = "it/readers.rs"]
mod readers;
#[path = "it/training.rs"]
mod training;
