//! Item vectors as they stand in a bundle.

use ndarray::Array2;
use tributary_domain::ItemId;

use crate::archive::{Archive, ArchiveWriter, TableError};

const IDS: &str = "item_ids";
const VECTORS: &str = "vectors";

/// One vector for each item. As safetensors: `item_ids` U64 [N], `vectors` F32 [N, D].
#[derive(Debug, Clone, PartialEq)]
pub struct ItemVectors {
    pub ids: Vec<ItemId>,
    /// [items, dimensions]
    pub vectors: Array2<f32>,
}

impl ItemVectors {
    /// # Panics
    /// Where there is not one id for each vector.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut archive = ArchiveWriter::default();
        self.add_to(&mut archive);
        archive.to_bytes()
    }

    /// For tables that hold more beside the vectors.
    pub(crate) fn add_to(&self, archive: &mut ArchiveWriter) {
        assert_eq!(self.ids.len(), self.vectors.nrows(), "one id a vector");
        archive.add(IDS, &[self.ids.len()], self.ids.iter().map(|id| id.0));
        archive.add(VECTORS, self.vectors.shape(), self.vectors.iter().copied());
    }

    /// Refuses damaged bytes, wrong kinds and shapes, id 0, repeated ids, and numbers that are not
    /// finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TableError> {
        let archive = Archive::open(bytes)?;
        let ids: Vec<ItemId> = archive.list(IDS)?.into_iter().map(ItemId).collect();
        let (shape, values) = archive.array::<f32>(VECTORS)?;
        let [rows, columns] = shape[..] else {
            let reason = format!("{} axes instead of 2", shape.len());
            return Err(TableError::invalid(VECTORS, reason));
        };
        if rows != ids.len() {
            let reason = format!("{rows} rows for {} ids", ids.len());
            return Err(TableError::invalid(VECTORS, reason));
        }
        check_ids(&ids)?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(TableError::invalid(VECTORS, "holds a number that is not finite"));
        }
        let vectors = Array2::from_shape_vec((rows, columns), values);
        let vectors = vectors.map_err(|error| TableError::invalid(VECTORS, error))?;
        Ok(Self { ids, vectors })
    }
}

fn check_ids(ids: &[ItemId]) -> Result<(), TableError> {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    if sorted.first() == Some(&ItemId(0)) {
        return Err(TableError::invalid(IDS, "holds the id 0"));
    }
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(TableError::invalid(IDS, format_args!("holds {} twice", pair[0]))),
        None => Ok(()),
    }
}
