//! What a bundle gives to ranking.

use std::{collections::BTreeMap, sync::Arc};

use tributary_bundle::Bundle;
use tributary_domain::{Item, ItemId};
use tributary_features::{
    Batch, Encoder, Side,
    ranking::{ItemRecord, RankingRecord, Statistics, UserRecord, UserView},
};
use tributary_inference::{
    Golden, InferenceConfig, Pool, Provider, Runtime, Session, Tensors, verify_golden,
};
use tributary_retrieval::affinity::Affinities;
use tributary_slate::fusion::{BoundFusion, Fusion};

use crate::{
    Config,
    error::LoadError,
    items::{Models, Rows},
};

const RANKER: &str = "ranker";
const ENCODER: &str = "features/ranker.json";
const STATISTICS: &str = "tables/item_statistics.safetensors";
const FUSION: &str = "fusion";

/// The ranking model with all that must agree with it.
pub(crate) struct Model {
    pub(crate) encoder: Arc<Encoder>,
    pub(crate) rows: Arc<Rows>,
    /// Counts as of the training.
    pub(crate) statistics: Arc<Statistics>,
    /// What the bundle's tables say of candidates.
    pub(crate) affinities: Affinities,
    pub(crate) pool: Pool,
    /// Names of the model's outputs.
    pub(crate) tasks: Vec<String>,
    pub(crate) fusion: BoundFusion,
}

impl Model {
    /// Where the model is computed.
    pub(crate) fn provider(&self) -> Provider {
        self.pool.provider()
    }
}

/// Makes models of bundles.
pub(crate) struct Loader {
    runtime: Runtime,
    inference: InferenceConfig,
    fusion: Fusion,
    tolerance: f32,
    models: Models,
}

impl Loader {
    pub(crate) fn new(config: &Config, runtime: Runtime, models: Models) -> Self {
        Self {
            runtime,
            inference: config.inference.clone(),
            fusion: config.fusion.clone(),
            tolerance: config.golden_tolerance,
            models,
        }
    }

    /// Refuses bundles whose model is broken, does not fit its features, or does not answer the
    /// golden inputs as it should.
    pub(crate) fn load(&self, bundle: &Bundle) -> Result<Arc<Model>, LoadError> {
        let encoder = Arc::new(Encoder::from_json(&text(bundle, ENCODER)?)?);
        let entry = bundle.manifest().model(RANKER).ok_or(LoadError::NoRanker)?;
        let bytes = bundle.read(&entry.file)?;
        let golden = entry.golden.as_ref().map(|file| bundle.read(file)).transpose()?;
        let tasks = self.check(&bytes, golden.as_deref(), &encoder)?;
        let fusion = self.fusion(bundle)?.bind(&tasks)?;
        let statistics = bundle.read_if_present(STATISTICS)?;
        let statistics = statistics.map(|bytes| Statistics::from_bytes(&bytes)).transpose()?;
        let specification = encoder.specification();
        let affinities =
            Affinities::open(specification, |file| Ok::<_, LoadError>(bundle.read(file)?))?;
        let items = bundle.items()?;
        let rows = Arc::new(Rows::new(Arc::clone(&encoder), items.into_iter()));
        self.models.join(&rows);
        Ok(Arc::new(Model {
            encoder,
            rows,
            statistics: Arc::new(statistics.unwrap_or_default()),
            affinities,
            pool: Pool::start(&self.runtime, &bytes, &self.inference)?,
            tasks,
            fusion,
        }))
    }

    /// Runs the golden inputs, and one row of these features, through the model; gives the names
    /// of its outputs.
    fn check(
        &self,
        bytes: &[u8],
        golden: Option<&[u8]>,
        encoder: &Encoder,
    ) -> Result<Vec<String>, LoadError> {
        let mut session = Session::load(&self.runtime, bytes, &self.inference)?;
        match golden {
            Some(golden) => {
                verify_golden(&mut session, &Golden::from_bytes(golden)?, self.tolerance)?;
            }
            None => tracing::warn!("the bundle has no golden answers of the ranker"),
        }
        let outputs = session.run(&probe(encoder))?;
        for (task, tensor) in &outputs {
            if tensor.as_f32().is_none_or(|array| array.len() != 1) {
                let shape = tensor.shape().to_vec();
                return Err(LoadError::Output { task: task.clone(), shape });
            }
        }
        Ok(session.outputs().iter().map(|port| port.name.clone()).collect())
    }

    fn fusion(&self, bundle: &Bundle) -> Result<Fusion, LoadError> {
        if !self.fusion.exponents.is_empty() {
            return Ok(self.fusion.clone());
        }
        let exponents: BTreeMap<String, f32> = match bundle.manifest().parameters.get(FUSION) {
            Some(value) => serde_json::from_value(value.clone()).map_err(LoadError::Parameter)?,
            None => BTreeMap::new(),
        };
        Ok(Fusion { exponents })
    }
}

/// The inputs for a user and an item of whom nothing is known.
fn probe(encoder: &Encoder) -> Tensors {
    let (view, item) = (UserView::default(), Item::bare(ItemId(1)));
    let mut rows = encoder.rows(&UserRecord(&view));
    let record = RankingRecord::new(&view, &item, Statistics::new().of(item.id), &[]);
    rows.push(&encoder.part(Side::Item, &ItemRecord(&item)), &record);
    Batch::into_tensors(rows.finish())
}

fn text(bundle: &Bundle, file: &str) -> Result<String, LoadError> {
    let bytes = bundle.read(file)?;
    String::from_utf8(bytes).map_err(|source| LoadError::Text { file: file.to_owned(), source })
}

#[cfg(test)]
mod tests;
