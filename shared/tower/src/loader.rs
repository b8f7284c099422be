use tributary_bundle::Bundle;
use tributary_features::{Encoder, ranking::UserView};
use tributary_inference::{Golden, InferenceConfig, Pool, Runtime, Session, verify_golden};

use crate::{
    Output, Tower, TowerError,
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
        let bytes = bundle.read(&format!("models/{name}.onnx"))?;
        let golden = Golden::from_bytes(&bundle.read(&format!("golden/{name}.safetensors"))?)?;
        let mut session = Session::load(&self.runtime, &bytes, &self.inference)?;
        verify_golden(&mut session, &golden, TOLERANCE)?;
        let nobody = session.run(&encode(&encoder, &UserView::default()))?;
        read_vectors(&nobody, output, dimensions)?;
        let pool = Pool::start(&self.runtime, &bytes, &self.inference)?;
        Ok(Tower::new(encoder, pool, output, dimensions))
    }
}

fn read_encoder(bundle: &Bundle, name: &str) -> Result<Encoder, TowerError> {
    let bytes = bundle.read(&format!("features/{name}.json"))?;
    let text = String::from_utf8(bytes).map_err(TowerError::NotText)?;
    Ok(Encoder::from_json(&text)?)
}
