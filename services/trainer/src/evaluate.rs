//! Evaluation: full ranking of the catalogue on the test period, by the code that serves.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tributary_domain::{Item, ItemId, Scored, UserId};
use tributary_inference::Runtime;
use tributary_slate::{Fusion, Request, Traits, rerank, similarity};

use crate::{
    artifacts::Artifacts,
    candidates::{Catalogue, Question, questions},
    channels::{CHANNELS, Channels},
    config::Config,
    data::DataSet,
    error::TrainerError,
    interactions::Interactions,
    models::{Baseline, ItemKnn, Popularity, collaborative::train_ease},
    progress::Step,
    split::{self, Case, Cuts, Period},
};
use lists::{Judge, LIST_SIZE, ListMetrics};
use ranking::{Ranking, ScoreMetrics};

pub(crate) mod fuse;
pub mod lists;
pub mod metrics;
pub mod ranking;
mod table;

#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    #[error("the test period has no usable case: give more data or move split.test earlier")]
    NoCases,
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
    pub ranker: Vec<ScoreMetrics>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRow {
    pub name: String,
    #[serde(flatten)]
    pub metrics: ListMetrics,
}

impl Evaluation {
    /// Every number by a name such as `final.ndcg_at_10` or `ranker.liked.auc`.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let mut metrics = BTreeMap::new();
        for ListRow { name, metrics: row } in &self.lists {
            for (metric, value) in row.named() {
                metrics.insert(format!("{name}.{metric}"), value);
            }
        }
        for row in &self.ranker {
            for (metric, value) in row.named() {
                metrics.insert(format!("ranker.{}.{metric}", row.task), value);
            }
        }
        metrics
    }
}

/// The protocol in words, for the table and the bundle.
pub const PROTOCOL: &str = "Split by time. Models learn from what is before the test period. Each \
    user with events in it asks once, after the first half of them, which the context then holds \
    (fresh history); what the user engages with in the rest and had not seen is relevant. Full \
    ranking of the catalogue, seen items left out. Popularity, ItemKNN and EASE are as of the \
    start of the period; the channels serve the same models, with live counters in trending and \
    search.";

/// Measures the models in `files`, which saw nothing of the test period.
pub(crate) fn evaluate(
    data: &DataSet,
    files: &Artifacts,
    fusion: &Fusion,
    config: &Config,
    runtime: &Runtime,
) -> Result<Evaluation, TrainerError> {
    let cuts = Cuts::at_shares(&data.events, config.split.window, config.split.test);
    let period = Period { from: cuts.test, until: None, ask_after: &config.split.ask_after };
    let cases = split::cases(data, &period);
    if cases.is_empty() {
        return Err(EvaluationError::NoCases.into());
    }
    let catalogue = data.catalogue(Some(cuts.test));
    let judge = Judge::new(&catalogue);
    let mut rows = Vec::new();
    let mut add = |name: &str, lists: &[Vec<ItemId>]| {
        rows.push(ListRow { name: name.to_owned(), metrics: judge.measure(&cases, lists) });
    };
    {
        let _step = Step::start("measuring the baselines");
        for (name, lists) in baselines(data, &cuts, &cases, config)? {
            add(name, &lists);
        }
    }
    let _step = Step::start("measuring the channels");
    let mut system = System::open(files, &catalogue, fusion, config, runtime)?;
    let answers = system.answer(data, &cases)?;
    for (name, lists) in CHANNELS.iter().zip(&answers.channels) {
        add(name, lists);
    }
    add("merged", &answers.merged);
    add("ranked", &answers.ranked);
    add("final", &answers.reranked);
    let users: HashSet<UserId> = cases.iter().map(|case| case.context.user).collect();
    Ok(Evaluation {
        dataset: data.name.clone(),
        protocol: PROTOCOL.to_owned(),
        cases: cases.len(),
        users: users.len(),
        catalogue: catalogue.len(),
        lists: rows,
        ranker: answers.scores,
    })
}

type Named = (&'static str, Vec<Vec<ItemId>>);

fn baselines(
    data: &DataSet,
    cuts: &Cuts,
    cases: &[Case],
    config: &Config,
) -> Result<Vec<Named>, TrainerError> {
    let events = split::before(&data.events, cuts.test);
    let knn = &config.item_knn;
    let lists = |model: &dyn Baseline| -> Vec<Vec<ItemId>> {
        cases.iter().map(|case| items(&model.rank(&case.context, LIST_SIZE))).collect()
    };
    Ok(vec![
        ("popularity", lists(&Popularity::of(events))),
        (
            "ItemKNN",
            lists(&ItemKnn::train(Interactions::of(events), knn.neighbours, knn.shrinkage)),
        ),
        ("EASE", lists(&train_ease(events, &config.ease)?)),
    ])
}

fn items(list: &[Scored]) -> Vec<ItemId> {
    list.iter().map(|scored| scored.item).collect()
}

/// The whole request path over one set of files.
struct System<'a> {
    channels: Channels,
    ranking: Ranking,
    catalogue: Catalogue,
    fusion: &'a Fusion,
    config: &'a Config,
}

/// One list a case for every stage.
struct Answers {
    channels: Vec<Vec<Vec<ItemId>>>,
    merged: Vec<Vec<ItemId>>,
    ranked: Vec<Vec<ItemId>>,
    reranked: Vec<Vec<ItemId>>,
    scores: Vec<ScoreMetrics>,
}

impl<'a> System<'a> {
    fn open(
        files: &Artifacts,
        catalogue: &[Item],
        fusion: &'a Fusion,
        config: &'a Config,
        runtime: &Runtime,
    ) -> Result<Self, TrainerError> {
        Ok(Self {
            channels: Channels::open(files, catalogue, config, runtime)?,
            ranking: Ranking::open(files, runtime)?,
            catalogue: Catalogue::of(catalogue),
            fusion,
            config,
        })
    }

    fn answer(&mut self, data: &DataSet, cases: &[Case]) -> Result<Answers, TrainerError> {
        let recalled = self.channels.recall(data, cases, self.config.merge.recall_size)?;
        let questions = questions(data, cases, &recalled, &self.config.merge);
        let mut probabilities = Vec::with_capacity(questions.len());
        let (mut ranked, mut reranked) = (Vec::new(), Vec::new());
        for question in &questions {
            let scores = self.ranking.score(question, &self.catalogue)?;
            let tasks = self.ranking.tasks();
            let list = fuse::ranked(question, scores.view(), tasks, self.fusion)?;
            reranked.push(self.rerank(&list));
            ranked.push(items(&list));
            probabilities.push(scores);
        }
        let channel = |index: usize| recalled.iter().map(|lists| items(&lists[index])).collect();
        Ok(Answers {
            channels: (0..CHANNELS.len()).map(channel).collect(),
            merged: questions.iter().map(Question::items).collect(),
            ranked,
            reranked,
            scores: ranking::measure(self.ranking.tasks(), &questions, &probabilities)?,
        })
    }

    /// As the rerank service does it, without caps.
    fn rerank(&self, ranked: &[Scored]) -> Vec<ItemId> {
        let settings = &self.config.rerank;
        let pool = &ranked[..ranked.len().min(settings.candidates)];
        let attributes: Vec<Option<Arc<Item>>> =
            pool.iter().map(|scored| self.catalogue.get(scored.item)).collect();
        let traits: Vec<Traits<'_>> = pool
            .iter()
            .zip(&attributes)
            .map(|(scored, item)| Traits {
                vector: self.channels.vector(scored.item),
                genres: item.as_ref().map_or(&[], |item| &item.genres),
                tags: item.as_ref().map_or(&[], |item| &item.tags),
            })
            .collect();
        let rows = similarity::vectors(&traits, settings.label_share);
        let scores: Vec<f32> = pool.iter().map(|scored| scored.score).collect();
        let request = Request {
            scores: &scores,
            vectors: rows.view(),
            size: LIST_SIZE,
            settings: settings.diversity,
            caps: &[],
        };
        rerank(&request).into_iter().map(|pick| pool[pick.index].item).collect()
    }
}
