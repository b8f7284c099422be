//! The ranker as it is served, and the measures of its probabilities.

use std::collections::BTreeMap;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tributary_bundle::Tensor;
use tributary_domain::UserId;
use tributary_features::{Encoder, Specification};
use tributary_inference::{InferenceConfig, Runtime, Session};

use super::{
    bootstrap::ratio_interval,
    lists::Judge,
    metrics::{Outcome, auc, gauc, log_loss, predicted_over_observed},
};
use crate::{
    artifacts::{Artifacts, RANKER, encoder_file, model_file},
    candidates::{Catalogue, Question},
    error::TrainerError,
    models::{
        ModelError,
        ranker::{batch, happened},
    },
    number::float,
};

/// The exported ranker with its encoder.
pub(crate) struct Ranking {
    encoder: Encoder,
    session: Session,
    tasks: Vec<String>,
}

/// How well one task's probabilities separate and how well they are calibrated, over all
/// candidates of all cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreMetrics {
    pub task: String,
    /// Candidates of which what the task predicts came about.
    pub positives: usize,
    /// Missing where the candidates are all of one class.
    pub auc: Option<f64>,
    /// AUC by user, weighted by candidates.
    pub gauc: Option<f64>,
    /// AUC of the same candidates in the order of how popular they are.
    pub popularity_auc: Option<f64>,
    /// Missing where there is no candidate.
    pub log_loss: Option<f64>,
    /// Predicted over observed clicks: 1 is calibrated.
    pub pcoc: Option<f64>,
    /// What holds it in 95 % of resamples of the users.
    pub pcoc_low: Option<f64>,
    pub pcoc_high: Option<f64>,
}

impl ScoreMetrics {
    /// The numbers that there are, with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let all = [
            ("positives", Some(float(self.positives))),
            ("auc", self.auc),
            ("gauc", self.gauc),
            ("popularity_auc", self.popularity_auc),
            ("log_loss", self.log_loss),
            ("pcoc", self.pcoc),
            ("pcoc_low", self.pcoc_low),
            ("pcoc_high", self.pcoc_high),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

impl Ranking {
    pub(crate) fn open(files: &Artifacts, runtime: &Runtime) -> Result<Self, TrainerError> {
        let encoder = Encoder::from_json(files.text(&encoder_file(RANKER))?)
            .map_err(|source| ModelError::Features { encoder: RANKER, source: source.into() })?;
        let model = files.get(&model_file(RANKER))?;
        let session = Session::load(runtime, model, &InferenceConfig::default()).map_err(failed)?;
        let tasks = session.outputs().iter().map(|port| port.name.clone()).collect();
        Ok(Self { encoder, session, tasks })
    }

    pub(crate) fn specification(&self) -> &Specification {
        self.encoder.specification()
    }

    pub(crate) fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// Probabilities [candidates, tasks].
    pub(crate) fn score(
        &mut self,
        question: &Question<'_>,
        catalogue: &Catalogue,
    ) -> Result<Array2<f32>, ModelError> {
        let rows: Vec<usize> = (0..question.candidates.len()).collect();
        let mut probabilities = Array2::zeros((rows.len(), self.tasks.len()));
        if rows.is_empty() {
            return Ok(probabilities);
        }
        let batch = batch(&self.encoder, catalogue, question, &rows);
        let outputs = self.session.run(&batch.into_tensors::<Tensor>()).map_err(failed)?;
        for (task, mut column) in self.tasks.iter().zip(probabilities.columns_mut()) {
            let values = outputs.get(task).and_then(Tensor::as_f32);
            let values = values.filter(|values| values.len() == rows.len());
            let values = values.ok_or_else(|| ModelError::Shape {
                model: RANKER,
                reason: format!("output {task} has not one value a candidate"),
            })?;
            column.iter_mut().zip(values).for_each(|(cell, value)| *cell = *value);
        }
        Ok(probabilities)
    }
}

fn failed(source: tributary_inference::InferenceError) -> ModelError {
    ModelError::Network { model: "the exported ranker", source: source.into() }
}

/// All candidates with the probabilities that they got.
pub(crate) struct Scores<'a> {
    pub(crate) questions: &'a [Question<'a>],
    /// [candidates, tasks] for each question.
    pub(crate) probabilities: &'a [Array2<f32>],
    /// Knows how popular an item is.
    pub(crate) judge: &'a Judge,
    /// Of the resampling.
    pub(crate) seed: u64,
}

impl Scores<'_> {
    /// Measures every task over the candidates of all questions.
    pub(crate) fn measure(&self, tasks: &[String]) -> Result<Vec<ScoreMetrics>, ModelError> {
        tasks.iter().enumerate().map(|(column, task)| self.measure_task(task, column)).collect()
    }

    fn measure_task(&self, task: &str, column: usize) -> Result<ScoreMetrics, ModelError> {
        let mut by_user: BTreeMap<UserId, Vec<Outcome>> = BTreeMap::new();
        let mut by_popularity = Vec::new();
        for (question, probabilities) in self.questions.iter().zip(self.probabilities) {
            let user = by_user.entry(question.case.context.user).or_default();
            for (index, probability) in probabilities.column(column).into_iter().enumerate() {
                let happened = happened(task, question.outcome(index))?;
                let popularity = self.judge.popularity(question.candidates[index].item);
                user.push(Outcome { probability: f64::from(*probability), happened });
                by_popularity.push(Outcome { probability: popularity, happened });
            }
        }
        let all: Vec<Outcome> = by_user.values().flatten().copied().collect();
        let pcoc = predicted_over_observed(&all);
        let parts: Vec<(f64, f64)> = by_user.values().map(|user| sums(user)).collect();
        let interval = pcoc.map(|_| ratio_interval(&parts, self.seed));
        Ok(ScoreMetrics {
            task: task.to_owned(),
            positives: all.iter().filter(|outcome| outcome.happened).count(),
            auc: auc(&all),
            gauc: gauc(by_user.values().map(Vec::as_slice)),
            popularity_auc: auc(&by_popularity),
            log_loss: (!all.is_empty()).then(|| log_loss(&all)),
            pcoc,
            pcoc_low: interval.map(|(low, _)| low),
            pcoc_high: interval.map(|(_, high)| high),
        })
    }
}

/// What a user was predicted to do in all, and did.
fn sums(outcomes: &[Outcome]) -> (f64, f64) {
    let predicted = outcomes.iter().map(|outcome| outcome.probability).sum();
    (predicted, float(outcomes.iter().filter(|outcome| outcome.happened).count()))
}
