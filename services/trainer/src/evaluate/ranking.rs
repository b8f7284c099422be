//! The ranker as it is served, and the measures of its probabilities.

use std::collections::BTreeMap;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tributary_bundle::Tensor;
use tributary_domain::UserId;
use tributary_features::Encoder;
use tributary_inference::{InferenceConfig, Runtime, Session};

use super::metrics::{Outcome, auc, gauc, log_loss, predicted_over_observed};
use crate::{
    artifacts::{Artifacts, RANKER, encoder_file, model_file},
    candidates::{Catalogue, Question},
    error::TrainerError,
    models::{
        ModelError,
        ranker::{batch, happened},
    },
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
    /// Missing where the candidates are all of one class.
    pub auc: Option<f64>,
    /// AUC by user, weighted by candidates.
    pub gauc: Option<f64>,
    pub log_loss: f64,
    /// Predicted over observed clicks: 1 is calibrated.
    pub pcoc: Option<f64>,
}

impl ScoreMetrics {
    /// The numbers that there are, with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let all = [
            ("auc", self.auc),
            ("gauc", self.gauc),
            ("log_loss", Some(self.log_loss)),
            ("pcoc", self.pcoc),
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

/// Measures every task over the candidates of all questions.
pub(crate) fn measure(
    tasks: &[String],
    questions: &[Question<'_>],
    probabilities: &[Array2<f32>],
) -> Result<Vec<ScoreMetrics>, ModelError> {
    let columns = tasks.iter().enumerate();
    columns.map(|(column, task)| measure_task(task, column, questions, probabilities)).collect()
}

fn measure_task(
    task: &str,
    column: usize,
    questions: &[Question<'_>],
    probabilities: &[Array2<f32>],
) -> Result<ScoreMetrics, ModelError> {
    let mut by_user: BTreeMap<UserId, Vec<Outcome>> = BTreeMap::new();
    for (question, probabilities) in questions.iter().zip(probabilities) {
        let outcomes = outcomes(task, column, question, probabilities)?;
        by_user.entry(question.case.context.user).or_default().extend(outcomes);
    }
    let all: Vec<Outcome> = by_user.values().flatten().copied().collect();
    Ok(ScoreMetrics {
        task: task.to_owned(),
        auc: auc(&all),
        gauc: gauc(by_user.values().map(Vec::as_slice)),
        log_loss: log_loss(&all),
        pcoc: predicted_over_observed(&all),
    })
}

fn outcomes(
    task: &str,
    column: usize,
    question: &Question<'_>,
    probabilities: &Array2<f32>,
) -> Result<Vec<Outcome>, ModelError> {
    let rows = probabilities.column(column).into_iter().enumerate();
    rows.map(|(candidate, probability)| {
        let happened = happened(task, question.outcome(candidate))?;
        Ok(Outcome { probability: f64::from(*probability), happened })
    })
    .collect()
}
