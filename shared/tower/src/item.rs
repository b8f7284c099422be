use std::sync::{Mutex, PoisonError};

use ndarray::Ix2;
use tributary_domain::Item;
use tributary_features::{Encoder, Side, ranking::ItemRecord};
use tributary_inference::{Session, Tensors};

use crate::TowerError;

/// Rows that the network is given at once.
const ROWS: usize = 256;

/// An item tower with its encoder: where an item lies by its attributes, also one that no training
/// knew. An id that the encoder does not know has the row of unknown ids, which training draws in
/// place of known ones (`id_dropout` of the trainer), so that the attributes decide.
pub struct ItemTower {
    encoder: Encoder,
    /// One call at a time: items change far less often than users ask.
    session: Mutex<Session>,
    dimensions: usize,
}

impl ItemTower {
    pub(crate) fn new(encoder: Encoder, session: Session, dimensions: usize) -> Self {
        Self { encoder, session: Mutex::new(session), dimensions }
    }

    /// The vectors of items, in their order. Blocks for as long as the network computes.
    pub fn vectors(&self, items: &[&Item]) -> Result<Vec<Vec<f32>>, TowerError> {
        let mut vectors = Vec::with_capacity(items.len());
        for items in items.chunks(ROWS) {
            let mut batch = self.encoder.batch();
            items.iter().for_each(|item| self.encoder.encode(&ItemRecord(item), &mut batch));
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let outputs = session.run(&batch.into_tensors())?;
            drop(session);
            vectors.extend(self.read(&outputs, items.len())?);
        }
        Ok(vectors)
    }

    /// A number that items share which the tower cannot tell apart.
    pub fn fingerprint(&self, item: &Item) -> u64 {
        self.encoder.part(Side::Item, &ItemRecord(item)).fingerprint()
    }

    fn read(&self, outputs: &Tensors, rows: usize) -> Result<Vec<Vec<f32>>, TowerError> {
        const OUTPUT: &str = "vector";
        let dimensions = self.dimensions;
        let values = outputs.get(OUTPUT).and_then(|values| values.as_f32());
        values
            .filter(|values| values.shape() == [rows, dimensions])
            .and_then(|values| values.view().into_dimensionality::<Ix2>().ok())
            .map(|values| values.rows().into_iter().map(|row| row.to_vec()).collect())
            .ok_or(TowerError::NoVectors { output: OUTPUT, dimensions })
    }
}
