//! The recall channels as they are served, asked with what was known at each case's moment.

mod towers;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use rayon::prelude::*;
use tributary_domain::{Event, Item, ItemChange, ItemId, Scored, Timestamp};
use tributary_inference::Runtime;
use tributary_retrieval::{
    collaborative::{Collaborative, Tables},
    medoids::{self, MedoidsConfig},
    text::TextIndex,
    trending::Trending,
    vector::VectorIndex,
};

use self::towers::{Names, Towers};
use crate::{
    artifacts::{
        Artifacts, COLLABORATIVE, GRAPH_VECTORS, ITEM_VECTORS, MULTI_INTEREST_USER,
        MULTI_INTEREST_VECTORS, USER_TOWER,
    },
    config::Config,
    data::DataSet,
    error::TrainerError,
    models::ModelError,
    progress::Step,
    replay::Replay,
    split::Case,
};

/// The channels in the order in which everything here lists them.
pub(crate) const CHANNELS: [&str; 6] =
    ["two-tower", "multi-interest", "graph", "collaborative", "search", "trending"];

/// One list a channel, best first.
pub(crate) type Recalled = [Vec<Scored>; CHANNELS.len()];

/// The channels over one set of trained files.
pub(crate) struct Channels {
    two_tower: Towers,
    multi_interest: Towers,
    graph: VectorIndex,
    medoids: MedoidsConfig,
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
        let tables =
            Tables::from_bytes(files.get(COLLABORATIVE)?).map_err(failed("collaborative"))?;
        let collaborative = Collaborative::new(Arc::new(tables), config.collaborative.clone())
            .map_err(failed("collaborative"))?;
        let mut channels = Self {
            two_tower: Towers::open(files, TWO_TOWER, &config.vector, runtime)?,
            multi_interest: Towers::open(files, MULTI_INTEREST, &config.vector, runtime)?,
            graph: towers::index(files, GRAPH_VECTORS, "graph", &config.vector)?,
            medoids: config.medoids.clone(),
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
        self.two_tower.index().get(item).and_then(|vector| vector.to_slice())
    }

    /// Asks every channel for `size` items for each case. Trending and the popularity inside
    /// search know the events of `stream` before each case's moment, as they would live. No
    /// channel finds an item before it was created. The cases stand in order of time. Each list is
    /// a part of the step.
    pub(crate) fn recall(
        &mut self,
        data: &DataSet,
        stream: &[Event],
        cases: &[Case],
        size: usize,
        step: &Step,
    ) -> Result<Vec<Recalled>, TrainerError> {
        step.expect(cases.len() * CHANNELS.len());
        let created = &self.created;
        let barred = |case: &Case, item: ItemId| {
            let is_to_come = created.get(&item).is_some_and(|created| *created > case.as_of);
            is_to_come || case.context.has_seen(item)
        };
        let two_tower = self.two_tower.recall(cases, size, &barred, step)?;
        let multi_interest = self.multi_interest.recall(cases, size, &barred, step)?;
        let graph: Vec<Vec<Scored>> = cases
            .par_iter()
            .map(|case| {
                step.advance(1);
                let barred = |item| barred(case, item);
                medoids::recall(&self.graph, &case.context, size, &self.medoids, &barred)
            })
            .collect::<Result<_, _>>()
            .map_err(failed("graph"))?;
        let collaborative: Vec<Vec<Scored>> = cases
            .par_iter()
            .map(|case| {
                step.advance(1);
                self.collaborative.recall(&case.context, size)
            })
            .collect();
        let counted = self.counted(data, stream, cases, size, step)?;
        let learned = two_tower.into_iter().zip(multi_interest).zip(graph).zip(collaborative);
        let all = learned.zip(counted).map(
            |((((two_tower, multi_interest), graph), collaborative), [search, trending])| {
                [two_tower, multi_interest, graph, collaborative, search, trending]
            },
        );
        Ok(all.collect())
    }

    /// The lists of search and trending, which count as events come.
    fn counted(
        &mut self,
        data: &DataSet,
        stream: &[Event],
        cases: &[Case],
        size: usize,
        step: &Step,
    ) -> Result<Vec<[Vec<Scored>; 2]>, TrainerError> {
        let mut replay = Replay::of(stream);
        let mut lists = Vec::with_capacity(cases.len());
        for case in cases {
            step.advance(2);
            self.list_items(Some(case.as_of))?;
            for event in replay.until(case.as_of) {
                let profile = data.profile(event.user);
                let (age, gender) = profile.map_or((None, None), |one| (one.age, one.gender));
                self.trending.record(event, age, gender);
                self.text.record(event);
            }
            let found = self.text.recall(&case.context, size).map_err(failed("search"))?;
            lists.push([found, self.trending.recall(&case.context, size)]);
        }
        Ok(lists)
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
}

const TWO_TOWER: Names =
    Names { channel: "two-tower", model: USER_TOWER, output: "vector", table: ITEM_VECTORS };

const MULTI_INTEREST: Names = Names {
    channel: "multi-interest",
    model: MULTI_INTEREST_USER,
    output: "interests",
    table: MULTI_INTEREST_VECTORS,
};

fn failed<E: std::error::Error + Send + Sync + 'static>(
    channel: &'static str,
) -> impl FnOnce(E) -> ModelError {
    move |source| ModelError::Channel { channel, source: source.into() }
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
