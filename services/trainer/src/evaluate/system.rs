//! The whole request path over one set of files.

use std::sync::Arc;

use tributary_domain::{Event, Item, ItemId, Scored};
use tributary_inference::Runtime;
use tributary_retrieval::affinity::Affinities;
use tributary_slate::{Fusion, Request, Traits, rerank, similarity};

use super::{
    baselines::items,
    fuse,
    lists::Judge,
    ranking::{Ranking, ScoreMetrics, Scores},
};
use crate::{
    artifacts::Artifacts,
    candidates::{Catalogue, Question, affinities, questions},
    channels::{Channels, Recalled},
    config::Config,
    data::DataSet,
    error::TrainerError,
    progress::Step,
    split::Case,
};

/// Channels, merge, ranking and rerank as they are served.
pub(super) struct System<'a> {
    channels: Channels,
    ranking: Ranking,
    affinities: Arc<Affinities>,
    catalogue: Catalogue,
    fusion: &'a Fusion,
    config: &'a Config,
}

/// One list a case for every stage.
pub(super) struct Answers {
    pub(super) recalled: Vec<Recalled>,
    pub(super) merged: Vec<Vec<ItemId>>,
    pub(super) ranked: Vec<Vec<ItemId>>,
    pub(super) reranked: Vec<Vec<ItemId>>,
    pub(super) scores: Vec<ScoreMetrics>,
}

impl Answers {
    /// The lists of one channel.
    pub(super) fn channel(&self, index: usize) -> Vec<Vec<ItemId>> {
        self.recalled.iter().map(|lists| items(&lists[index])).collect()
    }
}

impl<'a> System<'a> {
    pub(super) fn open(
        files: &Artifacts,
        catalogue: &[Item],
        fusion: &'a Fusion,
        config: &'a Config,
        runtime: &Runtime,
    ) -> Result<Self, TrainerError> {
        let ranking = Ranking::open(files, runtime)?;
        Ok(Self {
            channels: Channels::open(files, catalogue, config, runtime)?,
            affinities: affinities(files, ranking.specification())?,
            ranking,
            catalogue: Catalogue::of(catalogue),
            fusion,
            config,
        })
    }

    /// Answers every case with what was known at its moment; `stream` is what counters follow,
    /// `judge` knows what was popular before.
    pub(super) fn answer(
        &mut self,
        data: &DataSet,
        stream: &[Event],
        cases: &[Case],
        judge: &Judge,
        step: &Step,
    ) -> Result<Answers, TrainerError> {
        let size = self.config.merge.recall_size;
        let recalled = self.channels.recall(data, stream, cases, size, step)?;
        let questions = questions(stream, cases, &recalled, &self.affinities, &self.config.merge);
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
        let scores = Scores {
            questions: &questions,
            probabilities: &probabilities,
            judge,
            seed: self.config.seed,
        };
        let scores = scores.measure(self.ranking.tasks())?;
        Ok(Answers {
            merged: questions.iter().map(Question::items).collect(),
            ranked,
            reranked,
            scores,
            recalled,
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
            size: self.config.evaluation.size(),
            settings: settings.diversity,
            caps: &[],
        };
        rerank(&request).into_iter().map(|pick| pool[pick.index].item).collect()
    }
}
