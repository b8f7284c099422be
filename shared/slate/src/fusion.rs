//! One score out of the ranker's probabilities.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Says how tasks are fused: the score is the product over the tasks of
/// `probability ^ exponent`. A task that is not named has exponent 0.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fusion {
    pub exponents: BTreeMap<String, f32>,
}

/// Why a fusion does not fit a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FusionError {
    #[error("fusion names task {task}, which the model does not have (it has {known})")]
    UnknownTask { task: String, known: String },
    #[error("exponent {exponent} of task {task} is not a finite number")]
    BadExponent { task: String, exponent: f32 },
    #[error("fusion names no task")]
    Empty,
}

impl Fusion {
    /// Resolves the names against a model's tasks, once for many rows.
    pub fn bind<T: AsRef<str>>(&self, tasks: &[T]) -> Result<BoundFusion, FusionError> {
        if self.exponents.is_empty() {
            return Err(FusionError::Empty);
        }
        for (task, exponent) in &self.exponents {
            if !exponent.is_finite() {
                return Err(FusionError::BadExponent { task: task.clone(), exponent: *exponent });
            }
            if !tasks.iter().any(|known| known.as_ref() == task) {
                let known: Vec<&str> = tasks.iter().map(AsRef::as_ref).collect();
                return Err(FusionError::UnknownTask {
                    task: task.clone(),
                    known: known.join(", "),
                });
            }
        }
        let exponent = |task: &T| self.exponents.get(task.as_ref()).copied().unwrap_or(0.0);
        Ok(BoundFusion { exponents: tasks.iter().map(exponent).collect() })
    }
}

/// A fusion with its exponents in the order of a model's tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundFusion {
    exponents: Vec<f32>,
}

impl BoundFusion {
    /// The score of one row of probabilities, in the order of the tasks. A probability of 0 counts
    /// as the smallest positive number, so that a negative exponent stays finite.
    pub fn score(&self, probabilities: &[f32]) -> f32 {
        let logarithm: f32 = self
            .exponents
            .iter()
            .zip(probabilities)
            .filter(|(exponent, _)| **exponent != 0.0)
            .map(|(exponent, probability)| exponent * probability.max(f32::MIN_POSITIVE).ln())
            .sum();
        logarithm.exp().min(f32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fusion(exponents: &[(&str, f32)]) -> Fusion {
        let exponents = exponents.iter().map(|(task, e)| ((*task).to_owned(), *e)).collect();
        Fusion { exponents }
    }

    #[test]
    fn multiplies_powers() {
        let tasks = ["liked", "watched"];
        for (exponents, row, expected) in [
            (vec![("liked", 1.0)], [0.5, 0.1], 0.5),
            (vec![("liked", 2.0), ("watched", 1.0)], [0.5, 0.1], 0.025),
            (vec![("watched", -1.0)], [0.5, 0.25], 4.0),
            (vec![("liked", 0.0), ("watched", 1.0)], [f32::NAN, 0.25], 0.25),
        ] {
            let bound = fusion(&exponents).bind(&tasks).unwrap();
            assert!((bound.score(&row) - expected).abs() < 1e-6, "{exponents:?}");
        }
        let bound = fusion(&[("liked", -100.0)]).bind(&tasks).unwrap();
        assert!(bound.score(&[0.0, 0.0]).is_finite());
    }

    #[test]
    fn refuses_what_the_model_does_not_have() {
        let error = fusion(&[("shared", 1.0)]).bind(&["liked", "watched"]).unwrap_err();
        assert!(error.to_string().contains("shared") && error.to_string().contains("watched"));
        let bad = fusion(&[("liked", f32::NAN)]).bind(&["liked"]);
        assert!(matches!(bad, Err(FusionError::BadExponent { .. })));
        assert_eq!(Fusion::default().bind(&["liked"]), Err(FusionError::Empty));
    }
}
