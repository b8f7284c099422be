//! A bundle's item vectors, kept fresh from the item log.
//!
//! A bundle knows the catalogue of its training. What came later is placed as it comes: a new item
//! gets a vector from its attributes, a changed one gets another, and one that is deleted or hidden
//! is not found any more. The recall channels and rerank keep their vectors by this one piece, so
//! that an item lies in the same place for all of them.

mod index;
mod items;
mod metrics;
mod placing;

pub use index::FreshIndex;
pub use items::Items;
pub use placing::{ByLabels, ByTower, Placing, PlacingError};
