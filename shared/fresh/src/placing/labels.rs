use tributary_domain::Item;
use tributary_retrieval::vector::{LabelMeans, VectorIndex};

use super::{Placing, PlacingError};

/// Places items that users have not connected with others yet where the items with the same labels
/// lie. A vector that comes from behaviour stands whatever becomes of the item's attributes.
pub struct ByLabels(LabelMeans);

impl ByLabels {
    /// `items` are those of the bundle: their labels say what lies where.
    pub fn new<'a>(index: &VectorIndex, items: impl IntoIterator<Item = &'a Item>) -> Self {
        Self(LabelMeans::of(index, items))
    }
}

impl Placing for ByLabels {
    fn stands(&self, _: &Item) -> bool {
        true
    }

    fn place(&self, items: &[&Item]) -> Result<Vec<Option<Vec<f32>>>, PlacingError> {
        Ok(items.iter().map(|item| self.0.place(item)).collect())
    }
}
