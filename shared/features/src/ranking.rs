//! The records of this system, and the features that its models are given unless told otherwise.
//!
//! Everything here is a function of events and items alone, never of the clock: replaying the
//! same events offline gives the same values as following them online.

mod affinity;
mod evidence;
mod record;
pub mod specification;
mod statistics;
mod view;

pub use affinity::{Affinity, AffinityName, Form, Past};
pub use evidence::Evidence;
pub use record::{ItemRecord, RankingRecord, UserRecord};
pub use statistics::{ItemStatistics, Statistics};
pub use view::UserView;

#[cfg(test)]
mod tests;
