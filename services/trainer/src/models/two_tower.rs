//! The two-tower model: its examples, its training and its files.

use std::collections::BTreeMap;

use ndarray::Array2;
use rayon::prelude::*;
use tributary_bundle::Tensors;
use tributary_domain::{Behaviour, Event, Item, ItemId, UserContext, UserId};
use tributary_features::{
    Batch, Encoder, FeatureError, Fitter, Specification,
    ranking::{ItemRecord, UserRecord, UserView},
};
use tributary_network::{
    Inputs, NetworkError, Progress, TwoTower, TwoTowerConfig, TwoTowerExamples,
};
use tributary_retrieval::vector::ItemVectors;

use super::ModelError;
use crate::{
    artifacts::{Artifacts, ITEM_TOWER, ITEM_VECTORS, USER_TOWER},
    config::ExamplesConfig,
    data::DataSet,
    encoding::{input_layout, inputs, tensors},
    error::TrainerError,
    number::float32,
    split,
};

/// Rows in the golden files.
const GOLDEN_ROWS: usize = 16;

/// What the model learns from and how.
pub(crate) struct Plan<'a> {
    pub(crate) data: &'a DataSet,
    /// The events before the cut, in order of time.
    pub(crate) events: &'a [Event],
    /// As of the cut.
    pub(crate) catalogue: &'a [Item],
    pub(crate) user_specification: &'a Specification,
    pub(crate) item_specification: &'a Specification,
    pub(crate) examples: &'a ExamplesConfig,
    pub(crate) network: &'a TwoTowerConfig,
}

/// Trains the towers and gives their files: encoders, networks, golden rows and item vectors.
pub(crate) fn train(
    plan: &Plan<'_>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Artifacts, TrainerError> {
    let histories = histories(plan.events);
    let encoders = Encoders::fit(plan, &histories)?;
    let items = encoders.items(plan.catalogue);
    let (users, targets) = encoders.examples(plan, &histories);
    let frequencies = frequencies(&targets, items.rows);
    let layout = |encoder: &Encoder| input_layout(encoder.layout());
    let mut network =
        TwoTower::new(layout(&encoders.user), layout(&encoders.item), plan.network.clone())
            .map_err(failed)?;
    let examples = TwoTowerExamples {
        users: &users,
        items: &items,
        targets: &targets,
        frequencies: &frequencies,
    };
    network.train(examples, on_progress).map_err(failed)?;
    encoders.files(plan.catalogue, &network, &users, &items)
}

fn failed(source: NetworkError) -> ModelError {
    ModelError::Network { model: "the two-tower model", source: source.into() }
}

fn histories(events: &[Event]) -> BTreeMap<UserId, Vec<Behaviour>> {
    let mut histories: BTreeMap<UserId, Vec<Behaviour>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.behaviour.action.is_engagement()) {
        histories.entry(event.user).or_default().push(event.behaviour);
    }
    histories
}

struct Encoders {
    user: Encoder,
    item: Encoder,
}

impl Encoders {
    /// The item's table knows the items that somebody engaged with; the others share the row of
    /// unknown items, since a row of their own would never be trained.
    fn fit(
        plan: &Plan<'_>,
        histories: &BTreeMap<UserId, Vec<Behaviour>>,
    ) -> Result<Self, ModelError> {
        let bad = |encoder| {
            move |source: FeatureError| ModelError::Features { encoder, source: source.into() }
        };
        let mut fitter = Fitter::new(plan.item_specification).map_err(bad(ITEM_TOWER))?;
        let engaged: std::collections::HashSet<ItemId> =
            histories.values().flatten().map(|behaviour| behaviour.item).collect();
        for item in plan.catalogue.iter().filter(|item| engaged.contains(&item.id)) {
            fitter.observe(&ItemRecord(item)).map_err(bad(ITEM_TOWER))?;
        }
        let item = fitter.finish().map_err(bad(ITEM_TOWER))?;
        let mut fitter =
            Fitter::new(plan.user_specification).map_err(bad(USER_TOWER))?.sharing(&item);
        for (user, history) in histories {
            let view = view(&split::context(plan.data, *user, history));
            fitter.observe(&UserRecord(&view)).map_err(bad(USER_TOWER))?;
        }
        Ok(Self { user: fitter.finish().map_err(bad(USER_TOWER))?, item })
    }

    fn items(&self, catalogue: &[Item]) -> Inputs {
        let mut batch = self.item.batch();
        catalogue.iter().for_each(|item| self.item.encode(&ItemRecord(item), &mut batch));
        inputs(&self.item, &[batch])
    }

    /// One row for each engagement after the user's first: the user as of just before it, and the
    /// catalogue's row of the item.
    fn examples(
        &self,
        plan: &Plan<'_>,
        histories: &BTreeMap<UserId, Vec<Behaviour>>,
    ) -> (Inputs, Vec<u32>) {
        let total: usize = histories.values().map(|history| history.len().saturating_sub(1)).sum();
        let stride = total.div_ceil(plan.examples.maximum.max(1)).max(1);
        let parts: Vec<(Batch, Vec<u32>)> = histories
            .par_iter()
            .map(|(user, history)| self.user_examples(plan, *user, history, stride))
            .collect();
        let (batches, targets): (Vec<Batch>, Vec<Vec<u32>>) = parts.into_iter().unzip();
        (inputs(&self.user, &batches), targets.concat())
    }

    fn user_examples(
        &self,
        plan: &Plan<'_>,
        user: UserId,
        history: &[Behaviour],
        stride: usize,
    ) -> (Batch, Vec<u32>) {
        let mut batch = self.user.batch();
        let mut targets = Vec::new();
        let first = history.len().saturating_sub(plan.examples.per_user).max(1);
        for position in (first..history.len()).rev().step_by(stride) {
            let row = plan.catalogue.binary_search_by_key(&history[position].item, |item| item.id);
            let Some(row) = row.ok().and_then(|row| u32::try_from(row).ok()) else { continue };
            let view = view(&split::context(plan.data, user, &history[..position]));
            self.user.encode(&UserRecord(&view), &mut batch);
            targets.push(row);
        }
        (batch, targets)
    }

    fn files(
        &self,
        catalogue: &[Item],
        network: &TwoTower,
        users: &Inputs,
        items: &Inputs,
    ) -> Result<Artifacts, TrainerError> {
        let mut files = Artifacts::default();
        files.add_encoder(USER_TOWER, &self.user);
        files.add_encoder(ITEM_TOWER, &self.item);
        let vectors = network.item_vectors(items).map_err(failed)?;
        let ids = catalogue.iter().map(|item| item.id).collect();
        files.add(ITEM_VECTORS, ItemVectors { ids, vectors }.to_bytes());
        let rows = spread(users.rows);
        let golden = users.select(&rows);
        let vectors = network.user_vectors(&golden).map_err(failed)?;
        let onnx = network.export_user().map_err(failed)?;
        files.add_model(USER_TOWER, onnx, tensors(&self.user, &golden), output(vectors))?;
        let golden = items.select(&spread(items.rows));
        let vectors = network.item_vectors(&golden).map_err(failed)?;
        let onnx = network.export_item().map_err(failed)?;
        files.add_model(ITEM_TOWER, onnx, tensors(&self.item, &golden), output(vectors))?;
        Ok(files)
    }
}

/// The user as the tower sees one; the tower has no field that needs the items' attributes.
pub(crate) fn view(context: &UserContext) -> UserView {
    UserView::new(context, &|_| None)
}

fn output(vectors: Array2<f32>) -> Tensors {
    [("vector".to_owned(), vectors.into_dyn().into())].into()
}

/// A few row numbers over all rows.
pub(crate) fn spread(rows: usize) -> Vec<usize> {
    (0..rows).step_by(rows.div_ceil(GOLDEN_ROWS).max(1)).collect()
}

/// Share of the examples whose target is each row.
fn frequencies(targets: &[u32], rows: usize) -> Vec<f32> {
    let mut counts = vec![0_usize; rows];
    for target in targets {
        counts[crate::interactions::position(*target)] += 1;
    }
    counts.iter().map(|count| float32(*count) / float32(targets.len())).collect()
}
