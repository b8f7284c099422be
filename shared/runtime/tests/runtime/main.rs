//! The skeleton of a process, seen from the outside.

#![allow(clippy::unwrap_used)]

mod process;
mod serving;
