//! `ingest` against a real database and a feature service in memory.

// What goes wrong here is a failed test.
#![allow(clippy::unwrap_used)]

mod contents;
mod dead_letters;
mod harness;
mod kill;
mod mysql;
mod refusals;
mod rights;
mod rows;
mod schema_changes;
mod snapshot;
mod tls;
