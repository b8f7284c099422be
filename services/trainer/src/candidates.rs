//! Merged candidates of each case with what was known of the items then: what the ranker scores.

use std::{collections::HashMap, sync::Arc};

use tributary_domain::{ChannelName, Event, Item, ItemId};
use tributary_features::{
    Record, Specification,
    ranking::{Evidence, ItemStatistics, RankingRecord, Statistics, UserView},
};
use tributary_retrieval::affinity::Affinities;
use tributary_slate::{ChannelList, Finding, Merged, merge};

use crate::{
    artifacts::{Artifacts, RANKER},
    channels::{CHANNELS, Recalled},
    config::MergeConfig,
    error::TrainerError,
    models::ModelError,
    replay::Replay,
    split::{Case, Target},
};

/// One case with its merged candidates.
pub(crate) struct Question<'a> {
    pub(crate) case: &'a Case,
    pub(crate) candidates: Vec<Merged>,
    /// One a candidate, as of the case's moment. (The statistics of all items are not kept: what
    /// changes between two questions of a million events adds up to gigabytes.)
    statistics: Vec<ItemStatistics>,
    affinities: Arc<Affinities>,
}

/// The tables that a ranker's specification asks, of the round's files.
pub(crate) fn affinities(
    files: &Artifacts,
    specification: &Specification,
) -> Result<Arc<Affinities>, TrainerError> {
    let read = |file| Ok::<_, TrainerError>(files.get(file)?.to_vec());
    Affinities::open(specification, read).map(Arc::new)
}

impl From<tributary_retrieval::affinity::AffinityError> for TrainerError {
    fn from(source: tributary_retrieval::affinity::AffinityError) -> Self {
        ModelError::Features { encoder: RANKER, source: source.into() }.into()
    }
}

/// Merges the channels' lists of each case, as the gateway does, and counts the events of `stream`
/// before each case's moment. The cases stand in order of time.
pub(crate) fn questions<'a>(
    stream: &[Event],
    cases: &'a [Case],
    recalled: &[Recalled],
    affinities: &Arc<Affinities>,
    config: &MergeConfig,
) -> Vec<Question<'a>> {
    let lists = recalled.iter().map(|recalled| merged(recalled, config));
    asked(stream, cases.iter().zip(lists), affinities)
}

/// Questions about given candidates. The cases stand in order of time.
pub(crate) fn asked<'a>(
    stream: &[Event],
    questions: impl Iterator<Item = (&'a Case, Vec<Merged>)>,
    affinities: &Arc<Affinities>,
) -> Vec<Question<'a>> {
    let mut replay = Replay::of(stream);
    let mut statistics = Statistics::new();
    questions
        .map(|(case, candidates)| {
            replay.until(case.as_of).iter().for_each(|event| statistics.record(event));
            let known = candidates.iter().map(|candidate| statistics.of(candidate.item)).collect();
            let affinities = Arc::clone(affinities);
            Question { case, candidates, statistics: known, affinities }
        })
        .collect()
}

pub(crate) fn merged(recalled: &Recalled, config: &MergeConfig) -> Vec<Merged> {
    let lists: Vec<ChannelList<'_>> = recalled
        .iter()
        .zip(config.weights())
        .map(|(items, weight)| ChannelList { items, weight, quota: None })
        .collect();
    merge(&lists, config.limit)
}

/// The catalogue by id.
pub(crate) struct Catalogue(HashMap<ItemId, Arc<Item>>);

impl Catalogue {
    pub(crate) fn of(items: &[Item]) -> Self {
        Self(items.iter().map(|item| (item.id, Arc::new(item.clone()))).collect())
    }

    pub(crate) fn get(&self, item: ItemId) -> Option<Arc<Item>> {
        self.0.get(&item).cloned()
    }
}

impl Question<'_> {
    /// What became of a candidate, `None` where the user did not engage with it.
    pub(crate) fn outcome(&self, candidate: usize) -> Option<&Target> {
        let item = self.candidates[candidate].item;
        self.case.targets.iter().find(|target| target.item == item)
    }

    /// The candidates in the order of the merge.
    pub(crate) fn items(&self) -> Vec<ItemId> {
        self.candidates.iter().map(|candidate| candidate.item).collect()
    }

    /// Shows the ranker's records of some of the candidates, in order.
    pub(crate) fn visit<E>(
        &self,
        catalogue: &Catalogue,
        rows: &[usize],
        mut visit: impl FnMut(&dyn Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let view = UserView::new(&self.case.context, &|item| catalogue.get(item));
        let answers = self.affinities.ask(&self.case.context, &self.items());
        let mut said = Vec::new();
        for row in rows {
            let Merged { item, findings } = &self.candidates[*row];
            let evidence: Vec<Evidence> = findings.iter().map(evidence).collect();
            let attributes = catalogue.get(*item).unwrap_or_else(|| Arc::new(Item::bare(*item)));
            let statistics = self.statistics[*row];
            answers.of(*row, &mut said);
            let record = RankingRecord::new(&view, &attributes, statistics, &evidence);
            visit(&record.with_affinities(&said))?;
        }
        Ok(())
    }
}

fn evidence(finding: &Finding) -> Evidence {
    let Finding { channel, position, score } = *finding;
    Evidence { channel: ChannelName::from(CHANNELS[channel]), position, score }
}
