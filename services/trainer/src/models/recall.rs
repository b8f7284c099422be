//! The training that the recall networks have in common, and the files that come of it.

use ndarray::{Array2, ArrayD};
use tributary_bundle::Tensors;
use tributary_network::{InputLayout, Inputs, NetworkError, Progress, RecallExamples, Source};
use tributary_retrieval::vector::ItemVectors;

use super::{
    ModelError,
    examples::{Encoders, Examples, Plan, histories},
};
use crate::{
    artifacts::Artifacts,
    encoding::{Watched, input_layout, tensors},
    error::TrainerError,
};

/// Rows in the golden files.
const GOLDEN_ROWS: usize = 16;

/// What a recall network's files are called.
pub(crate) struct Names {
    /// The model as errors name it.
    pub(crate) model: &'static str,
    pub(crate) user: &'static str,
    pub(crate) item: &'static str,
    /// The output of the user's side.
    pub(crate) output: &'static str,
    /// The table of item vectors.
    pub(crate) vectors: &'static str,
}

/// A network of a user's side and an item tower.
pub(crate) trait RecallNetwork: Sized {
    type Config: Clone;
    const NAMES: Names;

    /// The names of the objectives, where there are several.
    fn objectives(_config: &Self::Config) -> Vec<&str> {
        Vec::new()
    }

    fn new(
        user: InputLayout,
        item: InputLayout,
        config: Self::Config,
    ) -> Result<Self, NetworkError>;

    /// How many epochs are configured.
    fn epochs(config: &mut Self::Config) -> &mut usize;

    /// Takes up an interrupted training.
    fn resume(&mut self, checkpoint: &[u8]) -> Result<(), NetworkError>;

    fn train(
        &mut self,
        examples: RecallExamples<'_>,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), NetworkError>;

    /// The output of the user's side.
    fn users(&self, users: &Inputs) -> Result<ArrayD<f32>, NetworkError>;

    /// Unit vectors `[rows, dimension]`.
    fn items(&self, items: &Inputs) -> Result<Array2<f32>, NetworkError>;

    fn export_user(&self) -> Result<Vec<u8>, NetworkError>;

    fn export_item(&self) -> Result<Vec<u8>, NetworkError>;
}

/// Trains a network and gives its files: encoders, networks, golden rows and item vectors.
pub(crate) fn train<N: RecallNetwork>(
    plan: &Plan<'_, N::Config>,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Artifacts, TrainerError> {
    let histories = histories(plan.events);
    let encoders = Encoders::fit(plan, &histories, (N::NAMES.user, N::NAMES.item))?;
    let items = encoders.items(plan.catalogue);
    let examples = Examples::new(plan, &encoders.user, &histories);
    let (examples, known) = match plan.examples.cold_share {
        share if share > 0.0 => {
            (examples.with_twins(share), encoders.items_and_twins(plan.catalogue))
        }
        _ => (examples, encoders.items(plan.catalogue)),
    };
    let user = input_layout(encoders.user.layout());
    let item = input_layout(encoders.item.layout());
    let failed = failed::<N>;
    let mut config = plan.network.clone();
    let epochs = plan.examples.epochs(examples.rows(), *N::epochs(&mut config));
    *N::epochs(&mut config) = epochs;
    let mut network = N::new(user, item, config).map_err(failed)?;
    plan.checkpoint.map_or(Ok(()), |state| network.resume(state)).map_err(failed)?;
    let weights = examples.weights(&N::objectives(plan.network))?;
    let users = Watched::new(&examples, plan.step, epochs);
    let objectives = weights.as_ref();
    let learned = RecallExamples { users: &users, objectives, ..examples.of(&known) };
    network.train(learned, &mut users.watching(on_progress)).map_err(failed)?;
    let golden = examples.select(&spread(examples.rows()));
    let mut files = files(&encoders, &network, &golden, &items)?;
    let ids = plan.catalogue.iter().map(|item| item.id).collect();
    let vectors = network.items(&items).map_err(failed)?;
    files.add(N::NAMES.vectors, ItemVectors { ids, vectors }.to_bytes());
    Ok(files)
}

fn failed<N: RecallNetwork>(source: NetworkError) -> ModelError {
    ModelError::Network { model: N::NAMES.model, source: source.into() }
}

fn files<N: RecallNetwork>(
    encoders: &Encoders,
    network: &N,
    users: &Inputs,
    items: &Inputs,
) -> Result<Artifacts, TrainerError> {
    let Names { user, item, output, .. } = N::NAMES;
    let failed = failed::<N>;
    let mut files = Artifacts::default();
    files.add_encoder(user, &encoders.user);
    files.add_encoder(item, &encoders.item);
    let outputs = named(output, network.users(users).map_err(failed)?);
    let onnx = network.export_user().map_err(failed)?;
    files.add_model(user, onnx, tensors(&encoders.user, users), outputs)?;
    let items = items.select(&spread(items.rows));
    let outputs = named("vector", network.items(&items).map_err(failed)?.into_dyn());
    let onnx = network.export_item().map_err(failed)?;
    files.add_model(item, onnx, tensors(&encoders.item, &items), outputs)?;
    Ok(files)
}

fn named(output: &str, values: ArrayD<f32>) -> Tensors {
    [(output.to_owned(), values.into())].into()
}

/// A few row numbers over all rows.
pub(crate) fn spread(rows: usize) -> Vec<usize> {
    (0..rows).step_by(rows.div_ceil(GOLDEN_ROWS).max(1)).collect()
}
