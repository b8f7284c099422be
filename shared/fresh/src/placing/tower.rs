use std::collections::HashMap;

use tributary_bundle::Bundle;
use tributary_domain::{Item, ItemId};
use tributary_tower::{ItemTower, Loader, TowerError};

use super::{Placing, PlacingError};

/// Places items by the item tower that made the bundle's vectors.
pub struct ByTower {
    tower: ItemTower,
    /// What the tower saw of the items when the bundle's vectors were made.
    known: HashMap<ItemId, u64>,
}

impl ByTower {
    /// By the item tower `name` of a bundle, whose vectors have `dimensions` numbers; `None` where
    /// the bundle holds no such tower.
    pub fn load(
        bundle: &Bundle,
        loader: &Loader,
        name: &str,
        dimensions: usize,
    ) -> Result<Option<Box<dyn Placing>>, TowerError> {
        let Some(tower) = loader.load_items(bundle, name, dimensions)? else {
            tracing::warn!(bundle = %bundle.id(), name, "no item tower: new items get no vectors");
            return Ok(None);
        };
        Ok(Some(Box::new(Self::new(tower, &bundle.items()?))))
    }

    /// `items` are those of the bundle: their vectors were made from them.
    pub fn new<'a>(tower: ItemTower, items: impl IntoIterator<Item = &'a Item>) -> Self {
        let known = items.into_iter().map(|item| (item.id, tower.fingerprint(item))).collect();
        Self { tower, known }
    }
}

impl Placing for ByTower {
    fn stands(&self, item: &Item) -> bool {
        self.known.get(&item.id).is_some_and(|known| *known == self.tower.fingerprint(item))
    }

    fn place(&self, items: &[&Item]) -> Result<Vec<Option<Vec<f32>>>, PlacingError> {
        Ok(self.tower.vectors(items)?.into_iter().map(Some).collect())
    }
}
