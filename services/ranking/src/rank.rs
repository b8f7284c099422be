//! One request: encode, compute, fuse.

use std::{sync::Arc, time::Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tributary_bundle::{Loaded, Served};
use tributary_domain::{BundleId, Item, ItemId, UserContext};
use tributary_features::{
    Batch, Encoder,
    ranking::{RankingRecord, Statistics, UserRecord, UserView},
};
use tributary_feed::Follower;
use tributary_inference::{InferenceConfig, Tensors};
use tributary_retrieval::affinity::Answers;

use crate::{
    RankingError,
    counts::LiveCounts,
    evidence::{self, ChannelColumns},
    items::{Row, RowMap},
    metrics,
    model::Model,
};

/// A checked request.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) context: UserContext,
    /// Distinct.
    pub(crate) items: Vec<ItemId>,
    pub(crate) evidence: Vec<ChannelColumns>,
}

/// Scores in the order of the query's items.
#[derive(Debug)]
pub(crate) struct Ranking {
    /// Finite; higher is better.
    pub(crate) scores: Vec<f32>,
    /// Probabilities by task.
    pub(crate) tasks: Vec<(String, Vec<f32>)>,
    /// Items that were scored without features.
    pub(crate) unknown: Vec<ItemId>,
    pub(crate) bundle: BundleId,
}

pub(crate) struct Ranker {
    served: Served<Arc<Model>>,
    counts: LiveCounts,
    events: Follower,
    /// A place for each request that the inference can hold. The queue of blocking threads, where
    /// requests wait to be encoded, has no bound of its own.
    places: Arc<Semaphore>,
}

impl Ranker {
    pub(crate) fn new(
        served: Served<Arc<Model>>,
        counts: LiveCounts,
        events: Follower,
        inference: &InferenceConfig,
    ) -> Self {
        let places = inference.queue.saturating_add(inference.threads);
        let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { served, counts, events, places }
    }

    /// Refuses at once, with [`RankingError::Overloaded`], where all places are taken. A request
    /// whose future is dropped keeps its place until it is encoded.
    pub(crate) async fn rank(&self, query: Query) -> Result<Ranking, RankingError> {
        let place = self.place()?;
        let loaded = self.served.current().ok_or(RankingError::NotReady)?;
        let statistics = self.statistics(&loaded.value);
        let model = Arc::clone(&loaded.value);
        let encode = move || (encode(&model, &statistics, &query), place);
        // Hundreds of candidates take too long for an async worker.
        let ((inputs, unknown), _place) =
            tokio::task::spawn_blocking(encode).await.map_err(RankingError::Encoding)?;
        let outputs = loaded.value.pool.run(inputs).await?;
        Ok(fuse(&loaded, &outputs, unknown))
    }

    /// Waits until the events are no longer followed.
    pub(crate) async fn events_ended(&self) {
        self.events.ended().await;
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, RankingError> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            metrics::refused();
            RankingError::Overloaded
        })
    }

    /// The followed counts, once they hold at least what the training knew: before that, and where
    /// the log was cut, the training's are nearer to what the model has learnt.
    fn statistics(&self, model: &Model) -> Arc<Statistics> {
        let live = self.counts.snapshot();
        let complete = live.interactions() >= model.statistics.interactions();
        match complete && self.events.state().caught_up {
            true => live,
            false => Arc::clone(&model.statistics),
        }
    }
}

fn encode(model: &Model, statistics: &Statistics, query: &Query) -> (Tensors, Vec<ItemId>) {
    let start = Instant::now();
    let answers = model.affinities.ask(&query.context, &query.items);
    let (batch, unknown) =
        batch(&model.encoder, &model.rows.snapshot(), statistics, &answers, query);
    metrics::encoded(query.items.len(), unknown.len(), start.elapsed());
    (batch.into_tensors(), unknown)
}

/// The rows of the query's items in their order, and the items that are not known.
fn batch(
    encoder: &Encoder,
    known: &RowMap,
    statistics: &Statistics,
    answers: &Answers<'_>,
    query: &Query,
) -> (Batch, Vec<ItemId>) {
    let lookup = |id: ItemId| known.get(&id).map(|row| Arc::clone(&row.item));
    let view = UserView::new(&query.context, &lookup);
    let mut rows = encoder.rows(&UserRecord(&view));
    let (mut unknown, mut found, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for (candidate, id) in query.items.iter().enumerate() {
        evidence::of(&query.evidence, candidate, &mut found);
        answers.of(candidate, &mut said);
        let mut push = |row: &Row| {
            let record = RankingRecord::new(&view, &row.item, statistics.of(*id), &found);
            rows.push(&row.part, &record.with_affinities(&said));
        };
        match known.get(id) {
            Some(row) => push(row),
            None => {
                unknown.push(*id);
                push(&Row::encode(encoder, Arc::new(Item::bare(*id))));
            }
        }
    }
    (rows.finish(), unknown)
}

fn fuse(loaded: &Loaded<Arc<Model>>, outputs: &Tensors, unknown: Vec<ItemId>) -> Ranking {
    let model = &loaded.value;
    let mut bad = 0;
    let tasks: Vec<(String, Vec<f32>)> = model
        .tasks
        .iter()
        .map(|task| {
            let output = outputs[task].as_f32().expect("the outputs were checked when loading");
            (task.clone(), output.iter().map(|score| finite(*score, &mut bad)).collect())
        })
        .collect();
    if bad > 0 {
        tracing::warn!(scores = bad, bundle = %loaded.bundle_id, "scores are not finite");
        metrics::not_finite(bad);
    }
    let rows = tasks.first().map_or(0, |(_, scores)| scores.len());
    let mut row = Vec::with_capacity(tasks.len());
    let scores = (0..rows).map(|index| {
        row.clear();
        row.extend(tasks.iter().map(|(_, scores)| scores[index]));
        model.fusion.score(&row)
    });
    let scores = scores.collect();
    Ranking { scores, tasks, unknown, bundle: loaded.bundle_id.clone() }
}

/// A probability; what is none counts as 0, the worst.
fn finite(score: f32, bad: &mut usize) -> f32 {
    if score.is_finite() {
        return score.clamp(0.0, 1.0);
    }
    *bad += 1;
    0.0
}

#[cfg(test)]
mod tests;
