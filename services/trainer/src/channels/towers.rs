//! The channels whose network makes vectors of a user: one (two-tower) or several
//! (multi-interest).

use ndarray::{ArrayView2, Axis, Ix2, Ix3};
use rayon::prelude::*;
use tributary_bundle::Tensor;
use tributary_domain::{ItemId, Scored};
use tributary_features::{Encoder, ranking::UserRecord};
use tributary_inference::{InferenceConfig, Runtime, Session};
use tributary_retrieval::vector::{ItemVectors, VectorConfig, VectorIndex, merge_by_score};

use super::failed;
use crate::{
    artifacts::{Artifacts, encoder_file, model_file},
    error::TrainerError,
    models::{ModelError, examples::view},
    progress::Step,
    split::Case,
};

/// Cases that the network answers at once.
const BATCH: usize = 256;

/// Where a channel's files are.
pub(super) struct Names {
    pub(super) channel: &'static str,
    pub(super) model: &'static str,
    /// The network's output: `[rows, dimension]`, or `[rows, vectors, dimension]`, where zero
    /// vectors are not in use.
    pub(super) output: &'static str,
    pub(super) table: &'static str,
}

/// A user network with the item vectors of its training.
pub(super) struct Towers {
    names: Names,
    encoder: Encoder,
    session: Session,
    index: VectorIndex,
}

impl Towers {
    pub(super) fn open(
        files: &Artifacts,
        names: Names,
        config: &VectorConfig,
        runtime: &Runtime,
    ) -> Result<Self, TrainerError> {
        let channel = names.channel;
        let encoder =
            Encoder::from_json(files.text(&encoder_file(names.model))?).map_err(failed(channel))?;
        let model = files.get(&model_file(names.model))?;
        let session = Session::load(runtime, model, &InferenceConfig::default());
        let session = session.map_err(failed(channel))?;
        let index = index(files, names.table, channel, config)?;
        Ok(Self { names, encoder, session, index })
    }

    pub(super) fn index(&self) -> &VectorIndex {
        &self.index
    }

    /// The nearest items of each case, those that `barred` names left out.
    pub(super) fn recall(
        &mut self,
        cases: &[Case],
        size: usize,
        barred: &(dyn Fn(&Case, ItemId) -> bool + Sync),
        step: &Step,
    ) -> Result<Vec<Vec<Scored>>, TrainerError> {
        let mut lists = Vec::with_capacity(cases.len());
        for cases in cases.chunks(BATCH) {
            let mut batch = self.encoder.batch();
            for case in cases {
                self.encoder.encode(&UserRecord(&view(&case.context)), &mut batch);
            }
            let answer = self.session.run(&batch.into_tensors::<Tensor>());
            let mut answer = answer.map_err(failed(self.names.channel))?;
            let output = answer.remove(self.names.output).and_then(vectors);
            let vectors = output.ok_or_else(|| self.no_output())?;
            let found: Result<Vec<_>, TrainerError> = cases
                .par_iter()
                .enumerate()
                .map(|(row, case)| {
                    step.advance(1);
                    let vectors = vectors.index_axis(Axis(0), row);
                    self.nearest(vectors, size, &|item| barred(case, item))
                })
                .collect();
            lists.extend(found?);
        }
        Ok(lists)
    }

    fn nearest(
        &self,
        vectors: ArrayView2<'_, f32>,
        size: usize,
        barred: &(dyn Fn(ItemId) -> bool + Sync),
    ) -> Result<Vec<Scored>, TrainerError> {
        let used = vectors.outer_iter().filter(|vector| vector.iter().any(|value| *value != 0.0));
        let lists: Result<Vec<_>, _> =
            used.map(|vector| self.index.search(&vector.to_vec(), size, &barred)).collect();
        Ok(merge_by_score(lists.map_err(failed(self.names.channel))?, size))
    }

    fn no_output(&self) -> ModelError {
        let Names { channel, output, .. } = self.names;
        let reason = format!("its network has no output {output} of vectors");
        ModelError::Shape { model: channel, reason }
    }
}

/// The index over a table of item vectors.
pub(super) fn index(
    files: &Artifacts,
    table: &str,
    channel: &'static str,
    config: &VectorConfig,
) -> Result<VectorIndex, TrainerError> {
    let ItemVectors { ids, vectors } =
        ItemVectors::from_bytes(files.get(table)?).map_err(failed(channel))?;
    Ok(VectorIndex::build(ids, vectors, config).map_err(failed(channel))?)
}

/// `[rows, vectors, dimension]`, also of a network with one vector a row.
fn vectors(tensor: Tensor) -> Option<ndarray::Array3<f32>> {
    let Tensor::F32(array) = tensor else { return None };
    match array.ndim() {
        2 => Some(array.into_dimensionality::<Ix2>().ok()?.insert_axis(Axis(1))),
        3 => array.into_dimensionality::<Ix3>().ok(),
        _ => None,
    }
}
