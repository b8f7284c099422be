use std::collections::HashMap;

use ndarray::Array2;
use tributary_bundle::Bundle;
use tributary_domain::ItemId;
use tributary_retrieval::vector::ItemVectors;

use crate::error::LoadError;

/// The bundle's file with the item tower's vectors.
const FILE: &str = "tables/item_vectors.safetensors";

/// The item vectors of one bundle.
#[derive(Debug)]
pub(crate) struct Vectors {
    rows: HashMap<ItemId, usize>,
    /// [items, dimensions], row-major.
    values: Array2<f32>,
}

impl Vectors {
    pub(crate) fn load(bundle: &Bundle) -> Result<Self, LoadError> {
        let table = ItemVectors::from_bytes(&bundle.read(FILE)?)?;
        let rows = table.ids.into_iter().enumerate().map(|(row, item)| (item, row)).collect();
        Ok(Self { rows, values: table.vectors })
    }

    /// The vector of an item; items newer than the bundle have none.
    pub(crate) fn get(&self, item: ItemId) -> Option<&[f32]> {
        let row = self.values.row(*self.rows.get(&item)?);
        Some(row.to_slice().expect("the table is read row by row"))
    }
}
