use tributary_bundle::Bundle;
use tributary_domain::{Item, ItemId};
use tributary_features::{Encoder, ranking::UserView};
use tributary_inference::{Golden, InferenceConfig, Pool, Runtime, Session, verify_golden};

use crate::{
    ItemTower, Output, Tower, TowerError,
    tower::{encode, read_vectors},
};

/// How far a vector's number may be from the trainer's.
const TOLERANCE: f32 = 1e-4;

/// Makes towers of bundles.
pub struct Loader {
    runtime: Runtime,
    inference: InferenceConfig,
}

impl Loader {
    /// Fails where there is no ONNX Runtime.
    pub fn new(inference: InferenceConfig) -> Result<Self, TowerError> {
        Ok(Self { runtime: Runtime::load(&inference)?, inference })
    }

    /// The tower `name` of a bundle. Refuses one that does not answer as its trainer's did, does
    /// not take what its encoder makes, or gives vectors of other than `dimensions` numbers: they
    /// would be of another space than the items'.
    pub fn load(
        &self,
        bundle: &Bundle,
        name: &str,
        output: Output,
        dimensions: usize,
    ) -> Result<Tower, TowerError> {
        let encoder = read_encoder(bundle, name)?;
        let bytes = bundle.read(&model_file(name))?;
        let mut session = self.session(bundle, name, &bytes)?;
        let nobody = session.run(&encode(&encoder, &UserView::default()))?;
        read_vectors(&nobody, output, dimensions)?;
        let pool = Pool::start(&self.runtime, &bytes, &self.inference)?;
        Ok(Tower::new(encoder, pool, output, dimensions))
    }

    /// The item tower `name` of a bundle, refused for the same reasons; `None` where the bundle has
    /// no such network: its items then keep the vectors they have.
    pub fn load_items(
        &self,
        bundle: &Bundle,
        name: &str,
        dimensions: usize,
    ) -> Result<Option<ItemTower>, TowerError> {
        let Some(bytes) = bundle.read_if_present(&model_file(name))? else { return Ok(None) };
        let encoder = read_encoder(bundle, name)?;
        let session = self.session(bundle, name, &bytes)?;
        let tower = ItemTower::new(encoder, session, dimensions);
        tower.vectors(&[&Item::bare(ItemId(1))])?;
        Ok(Some(tower))
    }

    /// A session that answers as the trainer's network did.
    fn session(&self, bundle: &Bundle, name: &str, bytes: &[u8]) -> Result<Session, TowerError> {
        let golden = Golden::from_bytes(&bundle.read(&format!("golden/{name}.safetensors"))?)?;
        let mut session = Session::load(&self.runtime, bytes, &self.inference)?;
        verify_golden(&mut session, &golden, TOLERANCE)?;
        Ok(session)
    }
}

fn model_file(name: &str) -> String {
    format!("models/{name}.onnx")
}

fn read_encoder(bundle: &Bundle, name: &str) -> Result<Encoder, TowerError> {
    let bytes = bundle.read(&format!("features/{name}.json"))?;
    let text = String::from_utf8(bytes).map_err(TowerError::NotText)?;
    Ok(Encoder::from_json(&text)?)
}
