//! Finding candidates: the algorithms behind the recall channels.
//!
//! No network, no clock, no async: the channel processes and the trainer's evaluation run the very
//! same code over the same context. Every list is in [`Scored::best_first`] order, holds no item
//! twice and none the context has seen, and is the same for the same inputs.
//!
//! [`Scored::best_first`]: tributary_domain::Scored::best_first

pub mod affinity;
mod archive;
pub mod audience;
pub mod collaborative;
pub mod exploration;
pub mod factors;
mod history;
pub mod labels;
pub mod medoids;
mod popularity;
pub mod text;
mod top;
pub mod trending;
pub mod vector;

pub use archive::TableError;
