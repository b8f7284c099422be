//! The recall channels as they are served, asked with what was known at each case's moment.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use rayon::prelude::*;
use tributary_bundle::Tensor;
use tributary_domain::{Item, ItemChange, ItemId, Scored, Timestamp};
use tributary_features::{Encoder, ranking::UserRecord};
use tributary_inference::{InferenceConfig, Runtime, Session};
use tributary_retrieval::{
    collaborative::{Collaborative, Tables},
    text::TextIndex,
    trending::Trending,
    vector::{ItemVectors, VectorIndex},
};

use crate::{
    artifacts::{Artifacts, COLLABORATIVE, ITEM_VECTORS, USER_TOWER, encoder_file, model_file},
    config::Config,
    data::DataSet,
    error::TrainerError,
    models::{ModelError, two_tower::view},
    replay::Replay,
    split::Case,
};

/// The channels in the order in which everything here lists them.
pub(crate) const CHANNELS: [&str; 4] = ["two-tower", "collaborative", "search", "trending"];

/// One list a channel, best first.
pub(crate) type Recalled = [Vec<Scored>; CHANNELS.len()];

/// The four channels over one set of trained files.
pub(crate) struct Channels {
    encoder: Encoder,
    tower: Session,
    index: VectorIndex,
    collaborative: Collaborative,
    text: TextIndex,
    trending: Trending,
    arrivals: Arrivals,
    created: HashMap<ItemId, Timestamp>,
}

impl Channels {
    pub(crate) fn open(
        files: &Artifacts,
        catalogue: &[Item],
        config: &Config,
        runtime: &Runtime,
    ) -> Result<Self, TrainerError> {
        let encoder = Encoder::from_json(files.text(&encoder_file(USER_TOWER))?)
            .map_err(failed("two-tower"))?;
        let model = files.get(&model_file(USER_TOWER))?;
        let tower = Session::load(runtime, model, &InferenceConfig::default())
            .map_err(failed("two-tower"))?;
        let ItemVectors { ids, vectors } =
            ItemVectors::from_bytes(files.get(ITEM_VECTORS)?).map_err(failed("two-tower"))?;
        let index =
            VectorIndex::build(ids, vectors, &config.vector).map_err(failed("two-tower"))?;
        let tables =
            Tables::from_bytes(files.get(COLLABORATIVE)?).map_err(failed("collaborative"))?;
        let collaborative = Collaborative::new(Arc::new(tables), config.collaborative.clone())
            .map_err(failed("collaborative"))?;
        let mut channels = Self {
            encoder,
            tower,
            index,
            collaborative,
            text: TextIndex::new(config.text.clone()).map_err(failed("search"))?,
            trending: Trending::new(config.trending.clone()),
            arrivals: Arrivals::of(catalogue),
            created: catalogue.iter().filter_map(|item| Some((item.id, item.created?))).collect(),
        };
        channels.list_items(None)?;
        Ok(channels)
    }

    /// The item tower's vector of an item.
    pub(crate) fn vector(&self, item: ItemId) -> Option<&[f32]> {
        self.index.get(item).and_then(|vector| vector.to_slice())
    }

    /// Asks every channel for `size` items for each case. Trending and the popularity inside
    /// search know the events before each case's moment, as they would live. No channel finds an
    /// item before it was created. The cases stand in order of time.
    pub(crate) fn recall(
        &mut self,
        data: &DataSet,
        cases: &[Case],
        size: usize,
    ) -> Result<Vec<Recalled>, TrainerError> {
        let near = self.two_tower(cases, size)?;
        let collaborative: Vec<Vec<Scored>> =
            cases.par_iter().map(|case| self.collaborative.recall(&case.context, size)).collect();
        let mut replay = Replay::of(&data.events);
        let mut recalled = Vec::with_capacity(cases.len());
        for ((case, near), collaborative) in cases.iter().zip(near).zip(collaborative) {
            self.list_items(Some(case.as_of))?;
            for event in replay.until(case.as_of) {
                let profile = data.profile(event.user);
                let (age, gender) = profile.map_or((None, None), |one| (one.age, one.gender));
                self.trending.record(event, age, gender);
                self.text.record(event);
            }
            let found = self.text.recall(&case.context, size).map_err(failed("search"))?;
            let trending = self.trending.recall(&case.context, size);
            recalled.push([near, collaborative, found, trending]);
        }
        Ok(recalled)
    }

    /// Gives trending and search the items that have come by a moment.
    fn list_items(&mut self, moment: Option<Timestamp>) -> Result<(), TrainerError> {
        let come = self.arrivals.until(moment);
        if come.is_empty() {
            return Ok(());
        }
        self.trending.apply(&come);
        self.text.apply(&come).map_err(failed("search"))?;
        self.text.commit().map_err(failed("search"))?;
        Ok(())
    }

    fn two_tower(&mut self, cases: &[Case], size: usize) -> Result<Vec<Vec<Scored>>, TrainerError> {
        let mut lists = Vec::with_capacity(cases.len());
        for cases in cases.chunks(BATCH) {
            let mut batch = self.encoder.batch();
            for case in cases {
                self.encoder.encode(&UserRecord(&view(&case.context)), &mut batch);
            }
            let answer = self.tower.run(&batch.into_tensors::<Tensor>());
            let answer = answer.map_err(failed("two-tower"))?;
            let vectors = answer.get("vector").and_then(Tensor::as_f32);
            let vectors = vectors.ok_or_else(|| no_output("two-tower", "vector"))?;
            for (case, vector) in cases.iter().zip(vectors.outer_iter()) {
                let query: Vec<f32> = vector.iter().copied().collect();
                let is_to_come =
                    |item| self.created.get(&item).is_some_and(|created| *created > case.as_of);
                let barred = |item| case.context.has_seen(item) || is_to_come(item);
                let list = self.index.search(&query, size, &barred);
                lists.push(list.map_err(failed("two-tower"))?);
            }
        }
        Ok(lists)
    }
}

const BATCH: usize = 256;

fn failed<E: std::error::Error + Send + Sync + 'static>(
    channel: &'static str,
) -> impl FnOnce(E) -> ModelError {
    move |source| ModelError::Channel { channel, source: source.into() }
}

fn no_output(model: &'static str, output: &str) -> ModelError {
    ModelError::Shape { model, reason: format!("its network has no output {output}") }
}

/// The items that are still to come, in the order of their creation.
struct Arrivals(VecDeque<Item>);

impl Arrivals {
    fn of(catalogue: &[Item]) -> Self {
        let mut items = catalogue.to_vec();
        items.sort_by_key(|item| (item.created, item.id));
        Self(items.into())
    }

    /// The items created since the last call up to `moment`. Those of which it is not known when
    /// are there from the start (`None`).
    fn until(&mut self, moment: Option<Timestamp>) -> Vec<ItemChange> {
        let count = self.0.partition_point(|item| item.created <= moment);
        self.0.drain(..count).map(ItemChange::Upserted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_arrive_when_they_are_created() {
        let item = |id, created: Option<i64>| Item {
            created: created.map(Timestamp),
            ..Item::bare(ItemId(id))
        };
        let catalogue =
            [item(1, Some(9)), item(2, None), item(3, Some(5)), item(4, Some(5)), item(5, None)];
        let mut arrivals = Arrivals::of(&catalogue);
        let rows: [(Option<i64>, &[u64]); 5] =
            [(None, &[2, 5]), (Some(4), &[]), (Some(5), &[3, 4]), (Some(8), &[]), (Some(9), &[1])];
        for (moment, expected) in rows {
            let come = arrivals.until(moment.map(Timestamp));
            let found: Vec<u64> = come.iter().map(|change| change.item().0).collect();
            assert_eq!(found, expected, "{moment:?}");
        }
    }
}
