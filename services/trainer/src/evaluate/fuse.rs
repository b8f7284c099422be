//! One order out of the ranker's probabilities.

use ndarray::ArrayView2;
use tributary_domain::Scored;
use tributary_slate::Fusion;

use crate::{candidates::Question, models::ModelError};

/// The candidates by fused score, best first. `probabilities` is [candidates, tasks].
pub(crate) fn ranked(
    question: &Question<'_>,
    probabilities: ArrayView2<'_, f32>,
    tasks: &[String],
    fusion: &Fusion,
) -> Result<Vec<Scored>, ModelError> {
    let fusion = fusion
        .bind(tasks)
        .map_err(|error| ModelError::Shape { model: "the ranker", reason: error.to_string() })?;
    let mut list: Vec<Scored> = question
        .candidates
        .iter()
        .zip(probabilities.outer_iter())
        .map(|(candidate, row)| {
            let row: Vec<f32> = row.iter().copied().collect();
            Scored { item: candidate.item, score: fusion.score(&row) }
        })
        .collect();
    list.sort_by(Scored::best_first);
    Ok(list)
}
