use tributary_bundle::Bundle;
use tributary_domain::UserContext;
use tributary_features::{
    Encoder,
    ranking::{UserRecord, UserView},
};
use tributary_inference::{
    Golden, InferenceConfig, Pool, Provider, Runtime, Session, Tensors, verify_golden,
};
use tributary_retrieval::vector::{ItemVectors, VectorConfig, VectorIndex};

use crate::{TwoTowerError, metrics};

const ENCODER: &str = "features/user_tower.json";
const TOWER: &str = "models/user_tower.onnx";
const GOLDEN: &str = "golden/user_tower.safetensors";
const VECTORS: &str = "tables/item_vectors.safetensors";
/// The tower's output: a unit vector for each row.
const OUTPUT: &str = "vector";
/// How far a vector's number may be from the trainer's.
const TOLERANCE: f32 = 1e-4;

/// Makes models of bundles.
pub(crate) struct Loader {
    pub(crate) runtime: Runtime,
    pub(crate) inference: InferenceConfig,
    pub(crate) index: VectorConfig,
}

impl Loader {
    /// The model of a bundle. Refuses a bundle whose tower does not answer as its trainer's did,
    /// does not take what its encoder makes, or lives in another space than its item vectors.
    pub(crate) fn load(&self, bundle: &Bundle) -> Result<Model, TwoTowerError> {
        let encoder = read_encoder(bundle)?;
        let ItemVectors { ids, vectors } = ItemVectors::from_bytes(&bundle.read(VECTORS)?)?;
        let bytes = bundle.read(TOWER)?;
        let mut session = Session::load(&self.runtime, &bytes, &self.inference)?;
        verify_golden(&mut session, &Golden::from_bytes(&bundle.read(GOLDEN)?)?, TOLERANCE)?;
        let nobody = session.run(&encode(&encoder, &UserView::default()))?;
        read_vector(&nobody, vectors.ncols())?;
        let index = VectorIndex::build(ids, vectors, &self.index)?;
        metrics::indexed(index.len());
        Ok(Model { encoder, tower: Pool::start(&self.runtime, &bytes, &self.inference)?, index })
    }
}

fn read_encoder(bundle: &Bundle) -> Result<Encoder, TwoTowerError> {
    let text = String::from_utf8(bundle.read(ENCODER)?).map_err(TwoTowerError::NotText)?;
    Ok(Encoder::from_json(&text)?)
}

/// What one bundle holds for this channel: the parts that must agree.
pub(crate) struct Model {
    encoder: Encoder,
    tower: Pool,
    index: VectorIndex,
}

impl Model {
    /// Where the user lies among the item vectors; `None` for a user who has dealt with no item.
    pub(crate) async fn user_vector(
        &self,
        context: &UserContext,
    ) -> Result<Option<Vec<f32>>, TwoTowerError> {
        // The tower sees ids of items, never their attributes.
        let view = UserView::new(context, &|_| None);
        if view.history_length() == 0 {
            return Ok(None);
        }
        let outputs = self.tower.run(encode(&self.encoder, &view)).await?;
        read_vector(&outputs, self.index.dimensions()).map(Some)
    }

    pub(crate) fn index(&self) -> &VectorIndex {
        &self.index
    }

    pub(crate) fn provider(&self) -> Provider {
        self.tower.provider()
    }
}

fn encode(encoder: &Encoder, view: &UserView) -> Tensors {
    let mut batch = encoder.batch();
    encoder.encode(&UserRecord(view), &mut batch);
    batch.into_tensors()
}

fn read_vector(outputs: &Tensors, dimensions: usize) -> Result<Vec<f32>, TwoTowerError> {
    outputs
        .get(OUTPUT)
        .and_then(|output| output.as_f32())
        .filter(|vector| vector.shape() == [1, dimensions])
        .map(|vector| vector.iter().copied().collect())
        .ok_or(TwoTowerError::NoVector { dimensions })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test panics where something is wrong")]
#[path = "../tests/fixtures/bundle.rs"]
mod fixture;

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use tributary_bundle::Store;
    use tributary_domain::BundleId;
    use tributary_testkit::TestFolder;

    use super::{
        fixture::{DIAGONAL, golden, good, user, vectors, write},
        *,
    };

    const ITEMS: [u64; 6] = [1, 2, 3, 4, 5, 6];

    fn load(store: &Store, id: &BundleId) -> Result<Model, TwoTowerError> {
        let inference = InferenceConfig::default();
        let runtime = Runtime::load(&inference).unwrap();
        let loader = Loader { runtime, inference, index: VectorConfig::default() };
        loader.load(&store.open(id).unwrap())
    }

    #[test]
    fn bundles_whose_parts_do_not_agree_are_refused() {
        let folder = TestFolder::new("two-tower");
        let store = Store::at(folder.path());
        let other_answer = write(&store, ITEMS, vectors(), golden(0.9));
        let error = load(&store, &other_answer).err().unwrap();
        assert!(matches!(error, TwoTowerError::Tower(_)), "{error:?}");
        let other_space = write(&store, ITEMS, Array2::ones((6, 3)), golden(DIAGONAL));
        let error = load(&store, &other_space).err().unwrap();
        assert!(matches!(error, TwoTowerError::NoVector { dimensions: 3 }), "{error:?}");
    }

    #[tokio::test]
    async fn the_vector_is_that_of_the_behaviour_as_it_is() {
        let folder = TestFolder::new("two-tower");
        let store = Store::at(folder.path());
        let model = load(&store, &good(&store, ITEMS)).unwrap();
        for (items, expected) in [
            (vec![], None),
            (vec![1, 2], Some([1.0, 0.0])),
            (vec![6], Some([0.0, 1.0])),
            (vec![3, 4], Some([DIAGONAL, DIAGONAL])),
            // Of a longer history the latest four count.
            (vec![1, 3, 4, 5, 6], Some([0.1_f32.sqrt(), 0.9_f32.sqrt()])),
        ] {
            let vector = model.user_vector(&user(&items, 1)).await.unwrap();
            assert_eq!(vector.is_some(), expected.is_some(), "{items:?}");
            for (found, expected) in vector.iter().flatten().zip(expected.iter().flatten()) {
                assert!((found - expected).abs() < 1e-6, "{items:?}: {vector:?}");
            }
        }
    }
}
