//! Which rows the ranker's probabilities are calibrated on.
//!
//! The slope comes from the held-out users, of whom the training saw nothing. The level comes from
//! all users of the window: how much one user engages with differs so much between users that the
//! mean over a fifth of them is off by a tenth and more, and the training's own rows do not bias
//! it, since a fit to the log loss keeps their mean in any case.
//!
//! How much is still to come depends on when a user is asked. The window asks at several moments
//! for the sake of samples, the served system is measured at one: of each user's questions only
//! the middle one counts here, or both that are nearest the middle.

use std::collections::HashMap;

use ndarray::{Array2, Axis, concatenate};
use tributary_domain::UserId;
use tributary_network::{Inputs, Labelled, NetworkError, Ranker, Source};

use super::Encoded;
use crate::encoding::Packed;

/// Calibrates a trained network; without held-out rows it stays as it is.
pub(super) fn calibrate(
    network: &mut Ranker,
    fitted: &Encoded,
    held_out: &Encoded,
) -> Result<(), NetworkError> {
    let sample = Sample::of(&[held_out]);
    if sample.rows.is_empty() {
        return Ok(());
    }
    network.calibrate(sample.labelled())?;
    network.calibrate_level(Sample::of(&[fitted, held_out]).labelled())?;
    Ok(())
}

/// The rows that stand for the served system's.
struct Sample<'e> {
    rows: Vec<(&'e Packed, usize)>,
    labels: Array2<f32>,
    weights: Vec<f32>,
}

impl<'e> Sample<'e> {
    fn of(all: &[&'e Encoded]) -> Self {
        let (mut rows, mut labels, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for encoded in all {
            let taken = middle(&encoded.users);
            let numbers = encoded.questions.iter().enumerate();
            let own: Vec<usize> = numbers
                .filter(|(_, question)| usize::try_from(**question).is_ok_and(|one| taken[one]))
                .map(|(row, _)| row)
                .collect();
            labels.push(encoded.labels.select(Axis(0), &own));
            weights.extend(own.iter().map(|row| encoded.weights[*row]));
            rows.extend(own.into_iter().map(|row| (&encoded.inputs, row)));
        }
        let labels: Vec<_> = labels.iter().map(|labels| labels.view()).collect();
        let labels = concatenate(Axis(0), &labels).expect("all have the same tasks");
        Self { rows, labels, weights }
    }

    fn labelled(&self) -> Labelled<'_> {
        Labelled { inputs: self, labels: &self.labels, weights: Some(&self.weights), groups: None }
    }
}

impl Source for Sample<'_> {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn select(&self, rows: &[usize]) -> Inputs {
        let rows: Vec<(&Packed, usize)> = rows.iter().map(|row| self.rows[*row]).collect();
        Packed::gather(&rows)
    }
}

/// Which questions are the middle ones of their user's, which stand in order of time.
fn middle(users: &[UserId]) -> Vec<bool> {
    let mut asked: HashMap<UserId, Vec<usize>> = HashMap::new();
    for (question, user) in users.iter().enumerate() {
        asked.entry(*user).or_default().push(question);
    }
    let mut taken = vec![false; users.len()];
    for questions in asked.into_values() {
        let half = questions.len() / 2;
        taken[questions[half]] = true;
        taken[questions[(questions.len() - 1) / 2]] = true;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_counts_at_the_middle_moment() {
        let rows: [(&[u64], &[bool]); 4] = [
            (&[], &[]),
            (&[7], &[true]),
            (&[7, 3, 7, 3, 7], &[false, true, true, true, false]),
            (&[7, 7, 7, 7], &[false, true, true, false]),
        ];
        for (users, expected) in rows {
            let users: Vec<UserId> = users.iter().map(|user| UserId(*user)).collect();
            assert_eq!(middle(&users), expected, "{users:?}");
        }
    }
}
