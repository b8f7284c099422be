//! From an item's attributes to its vector.

mod labels;
mod tower;

use tributary_domain::Item;
use tributary_tower::TowerError;

pub use self::{labels::ByLabels, tower::ByTower};

/// Why items have no vectors.
#[derive(Debug, thiserror::Error)]
pub enum PlacingError {
    #[error("the item tower gives no vectors")]
    Tower(#[from] TowerError),
}

/// A way to place items among a bundle's vectors.
pub trait Placing: Send + Sync + 'static {
    /// True where the vector that the bundle has of the item, if it has one, is still right.
    fn stands(&self, item: &Item) -> bool;

    /// The vectors of items, in their order; `None` where nothing says where one belongs. May block:
    /// it runs off the async workers.
    fn place(&self, items: &[&Item]) -> Result<Vec<Option<Vec<f32>>>, PlacingError>;
}
