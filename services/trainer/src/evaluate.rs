//! Evaluation: full ranking of the catalogue on the test part, by the code that serves.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tributary_domain::{ItemId, UserId};
use tributary_inference::Runtime;
use tributary_slate::Fusion;

use crate::{
    artifacts::Artifacts,
    channels::CHANNELS,
    config::Config,
    data::DataSet,
    error::TrainerError,
    progress::Step,
    protocol::{Protocol, Round},
    split::Case,
};
use bootstrap::Interval;
use lists::{Judge, ListMetrics};
use marginal::Merge;
use ranking::ScoreMetrics;
use system::System;

mod baselines;
pub mod bootstrap;
pub(crate) mod fuse;
pub mod lists;
pub mod marginal;
pub mod metrics;
pub mod ranking;
mod system;
mod table;

#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    #[error("the test part has no usable case: give more data or move split.test earlier")]
    NoCases,
    #[error(
        "the ranker has no usable case to learn from: give more data, move split.window earlier, \
         or set split.random.rehearsals"
    )]
    NoRehearsal,
}

/// What the results table shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    pub dataset: String,
    pub protocol: String,
    pub cases: usize,
    /// Distinct users among the cases.
    pub users: usize,
    pub catalogue: usize,
    /// Baselines, channels, and the stages of the answer, in this order.
    pub lists: Vec<ListRow>,
    /// `None` where only the baselines were measured.
    pub merge: Option<Merge>,
    /// The final list against the best baseline; `None` where only the baselines were measured.
    pub lead: Option<Lead>,
    pub ranker: Vec<ScoreMetrics>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRow {
    pub name: String,
    pub at: ListMetrics,
}

/// NDCG@10 of the final list less that of the baseline that has most of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lead {
    pub over: String,
    pub ndcg_at_10: Interval,
}

impl Evaluation {
    /// Every number by a name such as `final.ndcg_at_10`, `ranker.liked.auc` or
    /// `merged_without_graph.recall_at_limit`.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let mut metrics = BTreeMap::new();
        for ListRow { name, at } in &self.lists {
            metrics.extend(at.named().map(|(metric, value)| (format!("{name}.{metric}"), value)));
        }
        if let Some(merge) = &self.merge {
            metrics.insert("merged.recall_at_limit".into(), merge.recall_at_limit);
            for without in &merge.without {
                let name = format!("merged_without_{}.recall_at_limit", without.channel);
                metrics.insert(name, without.recall_at_limit);
            }
        }
        for row in &self.ranker {
            for (metric, value) in row.named() {
                metrics.insert(format!("ranker.{}.{metric}", row.task), value);
            }
        }
        metrics
    }

    /// The row of that name.
    pub fn list(&self, name: &str) -> Option<&ListMetrics> {
        self.lists.iter().find(|row| row.name == name).map(|row| &row.at)
    }
}

/// Measures the models in `files`, which saw nothing of the test part.
pub(crate) fn evaluate(
    data: &DataSet,
    protocol: &Protocol<'_>,
    files: &Artifacts,
    fusion: &Fusion,
    config: &Config,
    runtime: &Runtime,
) -> Result<Evaluation, TrainerError> {
    let Round { before, stream, cases, .. } = &protocol.test;
    let mut sheet = Sheet::of_baselines(data, protocol, config)?;
    let step = Step::start("measuring the channels");
    let catalogue = data.catalogue(*before);
    let mut system = System::open(files, &catalogue, fusion, config, runtime)?;
    let answers = system.answer(data, stream, cases, &sheet.judge, &step)?;
    sheet.lead = sheet.lead(&answers.reranked, config.seed);
    for (index, name) in CHANNELS.iter().enumerate() {
        sheet.add(name, &answers.channel(index));
    }
    sheet.add("merged", &answers.merged);
    sheet.add("ranked", &answers.ranked);
    sheet.add("final", &answers.reranked);
    let merge = marginal::measure(&sheet.judge, cases, &answers.recalled, &config.merge);
    Ok(Evaluation { merge: Some(merge), ranker: answers.scores, ..sheet.finish(data, protocol) })
}

/// Measures popularity, ItemKNN and EASE alone, for which nothing need be trained before.
pub(crate) fn evaluate_baselines(
    data: &DataSet,
    protocol: &Protocol<'_>,
    config: &Config,
) -> Result<Evaluation, TrainerError> {
    Ok(Sheet::of_baselines(data, protocol, config)?.finish(data, protocol))
}

/// Results under way.
struct Sheet<'a> {
    judge: Judge,
    cases: &'a [Case],
    catalogue: usize,
    rows: Vec<ListRow>,
    /// The baseline with the best NDCG@10, and that of each case.
    best: Option<(&'static str, Vec<f64>)>,
    lead: Option<Lead>,
}

impl<'a> Sheet<'a> {
    fn of_baselines(
        data: &DataSet,
        protocol: &'a Protocol<'_>,
        config: &Config,
    ) -> Result<Self, TrainerError> {
        let step = Step::start("measuring the baselines");
        let Round { learned, before, cases, .. } = &protocol.test;
        let catalogue = data.catalogue(*before);
        let judge = Judge::new(&catalogue).with_popularity(learned).at(&config.evaluation);
        let size = catalogue.len();
        let mut sheet =
            Self { judge, cases, catalogue: size, rows: Vec::new(), best: None, lead: None };
        for (name, lists) in baselines::lists(learned, cases, config, &step)? {
            sheet.add(name, &lists);
            let gains = lists::gains(cases, &lists);
            let known = sheet.best.as_ref().map_or(f64::MIN, |(_, best)| metrics::mean(best));
            if metrics::mean(&gains) > known {
                sheet.best = Some((name, gains));
            }
        }
        Ok(sheet)
    }

    /// Measures one list a case.
    fn add(&mut self, name: &str, lists: &[Vec<ItemId>]) {
        self.rows.push(ListRow { name: name.to_owned(), at: self.judge.row(self.cases, lists) });
    }

    fn lead(&self, answers: &[Vec<ItemId>], seed: u64) -> Option<Lead> {
        let (name, known) = self.best.as_ref()?;
        let gains = lists::gains(self.cases, answers);
        let differences: Vec<f64> =
            gains.iter().zip(known).map(|(gain, known)| gain - known).collect();
        let users: Vec<UserId> = self.cases.iter().map(|case| case.context.user).collect();
        let ndcg_at_10 = bootstrap::interval(&users, &differences, seed);
        Some(Lead { over: (*name).to_owned(), ndcg_at_10 })
    }

    fn finish(self, data: &DataSet, protocol: &Protocol<'_>) -> Evaluation {
        let users: HashSet<UserId> = self.cases.iter().map(|case| case.context.user).collect();
        Evaluation {
            dataset: data.name.clone(),
            protocol: protocol.kind.description().to_owned(),
            cases: self.cases.len(),
            users: users.len(),
            catalogue: self.catalogue,
            lists: self.rows,
            merge: None,
            lead: self.lead,
            ranker: Vec::new(),
        }
    }
}
