//! The sampled softmax loss.

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use crate::real::Real;

/// The sampled items: one column of scores each, no item twice.
#[derive(Debug)]
pub(crate) struct Columns<T> {
    /// The column of each row's own item.
    pub(crate) targets: Vec<usize>,
    /// Added to each item's scores where it is a negative: the log of how often it counts.
    pub(crate) log_weights: Vec<T>,
    /// Columns that are no negative of a row, its target not among them; empty, or one list a row.
    pub(crate) wanted: Vec<Vec<usize>>,
    /// How many of a row's negatives count, those with the largest scores; 0 counts all.
    pub(crate) hard: usize,
}

#[cfg(test)]
impl<T> Columns<T> {
    /// Where all drawn items are negatives.
    pub(crate) fn plain(targets: Vec<usize>, log_weights: Vec<T>) -> Self {
        Self { targets, log_weights, wanted: Vec::new(), hard: 0 }
    }
}

/// Cross-entropy of each row's own item among the columns, and its gradient.
///
/// `scores` are inner products `[rows, columns]`. An item that was drawn for another row and is
/// this row's own (an accidental hit) is no negative of it: the own item counts once, since it is
/// always there. `weights` are how much each row counts; without, each counts one. Gives the mean
/// loss and its gradient with respect to the scores.
pub(crate) fn sampled_softmax<T: Real>(
    mut scores: Array2<T>,
    columns: &Columns<T>,
    weights: Option<ArrayView1<'_, T>>,
    temperature: T,
) -> (T, Array2<T>) {
    let (rows, width) = scores.dim();
    let softmax = Softmax { columns, temperature, rows };
    let cells = scores.as_slice_mut().expect("scores are in row-major order");
    let losses: Vec<T> = cells
        .par_chunks_mut(width)
        .enumerate()
        .map(|(number, row)| match weights {
            None => softmax.row(number, row),
            Some(weights) => softmax.weighted_row(number, row, weights[number]),
        })
        .collect();
    (losses.into_iter().sum::<T>() / T::from_count(rows), scores)
}

/// The loss over so many rows, row by row.
#[derive(Debug)]
pub(crate) struct Softmax<'a, T> {
    pub(crate) columns: &'a Columns<T>,
    pub(crate) temperature: T,
    pub(crate) rows: usize,
}

impl<T: Real> Softmax<'_, T> {
    /// Turns the scores of a row into the gradient of the mean loss; gives the row's loss.
    pub(crate) fn row(&self, number: usize, scores: &mut [T]) -> T {
        self.weighted_row(number, scores, T::one())
    }

    fn weighted_row(&self, number: usize, scores: &mut [T], weight: T) -> T {
        let loss = softmax_row(scores, number, self.columns, self.temperature);
        let factor = weight / (self.temperature * T::from_count(self.rows));
        scores.iter_mut().for_each(|cell| *cell *= factor);
        loss * weight
    }
}

/// Turns a row of scores into probabilities, less one at the target; gives the loss.
fn softmax_row<T: Real>(row: &mut [T], number: usize, columns: &Columns<T>, temperature: T) -> T {
    let target = columns.targets[number];
    let own = row[target] / temperature;
    let wanted = columns.wanted.get(number).map_or(&[][..], Vec::as_slice);
    wanted.iter().for_each(|&column| row[column] = T::neg_infinity());
    if columns.hard > 0 {
        keep_hard(row, target, columns.hard);
    }
    for (cell, &weight) in row.iter_mut().zip(&columns.log_weights) {
        *cell = *cell / temperature + weight;
    }
    row[target] = own;
    let largest = row.iter().copied().fold(own, T::max);
    for cell in &mut *row {
        *cell = (*cell - largest).exp();
    }
    let sum = row.iter().copied().sum::<T>();
    row.iter_mut().for_each(|cell| *cell /= sum);
    row[target] -= T::one();
    largest + sum.ln() - own
}

/// Leaves only the `count` largest scores besides the target's; of equals, the first ones.
fn keep_hard<T: Real>(row: &mut [T], target: usize, count: usize) {
    let mut order: Vec<usize> = (0..row.len()).filter(|&column| column != target).collect();
    if order.len() <= count {
        return;
    }
    order.select_nth_unstable_by(count, |&a, &b| {
        row[b].partial_cmp(&row[a]).unwrap_or(std::cmp::Ordering::Equal).then(a.cmp(&b))
    });
    order[count..].iter().for_each(|&column| row[column] = T::neg_infinity());
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};

    use super::*;
    use crate::layer::tests::assert_close;

    /// Three rows; item 0 is the target of rows 0 and 1, item 1 of row 2, item 2 is a drawn
    /// negative.
    fn columns(weights: [f64; 3]) -> Columns<f64> {
        Columns::plain(vec![0, 0, 1], weights.map(f64::ln).to_vec())
    }

    fn scores() -> Array2<f64> {
        array![[0.5, 0.25, 0.0], [0.5, 0.0, -0.5], [1.0, 0.5, 0.5]]
    }

    #[test]
    fn without_logq_by_hand() {
        // Item 0 was drawn twice.
        let (loss, gradient) = sampled_softmax(scores(), &columns([2.0, 1.0, 1.0]), None, 0.5);
        let e = |power: f64| power.exp();
        // Rows 0 and 1: the second draw of item 0 is their own item, and no negative.
        let first = -(e(1.0) / (e(1.0) + e(0.5) + 1.0)).ln();
        let second = -(e(1.0) / (e(1.0) + 1.0 + e(-1.0))).ln();
        let own = e(1.0) / (2.0 * e(2.0) + e(1.0) + e(1.0));
        assert_close(loss, (first + second - own.ln()) / 3.0, "loss");
        assert_close(gradient[[2, 1]], (own - 1.0) / 0.5 / 3.0, "gradient of the target");
    }

    #[test]
    fn with_logq_by_hand() {
        // Each negative is worth one over the probability of seeing it.
        let [a, b, c] = [0.75, 0.5, 0.25];
        let columns = columns([1.0 / a, 1.0 / b, 1.0 / c]);
        let (loss, _) = sampled_softmax(scores(), &columns, None, 0.5);
        let e = |power: f64| power.exp();
        let first = -(e(1.0) / (e(1.0) + e(0.5) / b + 1.0 / c)).ln();
        let second = -(e(1.0) / (e(1.0) + 1.0 / b + e(-1.0) / c)).ln();
        let third = -(e(1.0) / (e(2.0) / a + e(1.0) + e(1.0) / c)).ln();
        assert_close(loss, (first + second + third) / 3.0, "loss");
    }

    #[test]
    fn rows_count_by_their_weights() {
        let columns = columns([2.0, 1.0, 1.0]);
        let weights = array![0.0, 2.0, 1.0];
        let (loss, gradient) = sampled_softmax(scores(), &columns, Some(weights.view()), 0.5);
        let alone = |row: usize| {
            let columns = Columns::plain(vec![columns.targets[row]], columns.log_weights.clone());
            sampled_softmax(scores().select(Axis(0), &[row]), &columns, None, 0.5)
        };
        assert_close(loss, (2.0 * alone(1).0 + alone(2).0) / 3.0, "loss");
        assert_eq!(gradient.row(0).to_vec(), [0.0; 3]);
        assert_close(gradient[[1, 2]], alone(1).1[[0, 2]] * 2.0 / 3.0, "gradient");
    }

    #[test]
    fn wanted_and_easy_items_are_no_negatives() {
        let e = |power: f64| power.exp();
        let mut columns = columns([2.0, 1.0, 4.0]);
        columns.wanted = vec![vec![1, 2], vec![], vec![0]];
        let (loss, gradient) = sampled_softmax(scores(), &columns, None, 0.5);
        let second = -(e(1.0) / (e(1.0) + 1.0 + 4.0 * e(-1.0))).ln();
        let third = -(e(1.0) / (e(1.0) + 4.0 * e(1.0))).ln();
        assert_close(loss, (second + third) / 3.0, "loss");
        assert_eq!(gradient.row(0).to_vec(), [0.0; 3], "nothing is left to tell apart from");
        columns.hard = 1;
        let (loss, gradient) = sampled_softmax(scores(), &columns, None, 0.5);
        let second = -(e(1.0) / (e(1.0) + 1.0)).ln();
        assert_close(loss, (second + third) / 3.0, "loss");
        assert_eq!(gradient[[1, 2]], 0.0);
        columns.wanted.clear();
        let (loss, _) = sampled_softmax(scores(), &columns, None, 0.5);
        let first = -(e(1.0) / (e(1.0) + e(0.5))).ln();
        let third = -(e(1.0) / (e(1.0) + 2.0 * e(2.0))).ln();
        assert_close(loss, (first + second + third) / 3.0, "loss");
    }

    #[test]
    fn gradient_of_the_scores() {
        let mut columns = columns([2.0, 0.5, 4.0]);
        columns.wanted = vec![vec![], vec![2], vec![]];
        let mut scores = scores();
        let (_, gradient) = sampled_softmax(scores.clone(), &columns, None, 0.5);
        for cell in ndarray::indices(scores.dim()) {
            let mut at = |step: f64| {
                scores[cell] += step;
                sampled_softmax(scores.clone(), &columns, None, 0.5).0
            };
            let numeric = (at(1e-6) - at(-2e-6)) / 2e-6;
            at(1e-6);
            assert_close(gradient[cell], numeric, &format!("{cell:?}"));
        }
    }

    #[test]
    fn large_scores_do_not_overflow() {
        let columns = Columns::plain(vec![1], vec![20.0f32, 0.0]);
        let (loss, gradient) = sampled_softmax(array![[1.0, -1.0]], &columns, None, 0.01);
        assert!((loss - 220.0).abs() < 1e-3, "{loss}");
        assert!(gradient.iter().all(|value| value.is_finite()));
    }
}
