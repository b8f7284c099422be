//! Scores by the nearest interest, as serving has them: a search with each interest, merged by
//! score, finds an item by its best one.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use crate::real::Real;

/// Users whose scores one task goes through.
const USERS: usize = 32;

/// The best score of one user for each item.
#[derive(Debug)]
pub(super) struct Nearest<T> {
    pub(super) scores: Vec<T>,
    /// The interest that each score is of, by number among the user's.
    interests: Vec<usize>,
}

impl<T: Real> Nearest<T> {
    fn of(items: usize) -> Self {
        Self { scores: vec![T::zero(); items], interests: vec![0; items] }
    }

    /// Of the user's scores `[interests, items]`. Of equals the first is taken.
    fn find(&mut self, own: &[T]) {
        self.scores.fill(T::neg_infinity());
        self.interests.fill(0);
        for (interest, scores) in own.chunks_exact(self.scores.len()).enumerate() {
            let best = self.scores.iter_mut().zip(&mut self.interests);
            for ((best, nearest), &score) in best.zip(scores) {
                if score > *best {
                    (*best, *nearest) = (score, interest);
                }
            }
        }
    }

    /// Turns the user's scores into their gradient, given that of the best ones in their place.
    fn spread(&self, own: &mut [T]) {
        for (interest, cells) in own.chunks_exact_mut(self.scores.len()).enumerate() {
            let best = self.scores.iter().zip(&self.interests);
            for (cell, (&gradient, &nearest)) in cells.iter_mut().zip(best) {
                *cell = if nearest == interest { gradient } else { T::zero() };
            }
        }
    }
}

/// Turns all scores `[interests, items]`, where row `r` has the interests from `starts[r]` up to
/// `starts[r + 1]`, into their gradient: `slope` gets the number of each row with its best scores
/// and leaves their gradient in their place. Gives what it says of each row.
pub(super) fn through_nearest<T: Real, R: Send>(
    all: &mut Array2<T>,
    starts: &[usize],
    slope: impl Fn(usize, &mut [T]) -> R + Sync,
) -> Vec<R> {
    let items = all.ncols();
    let mut rest = all.as_slice_mut().expect("scores are in row-major order");
    let mut tasks: Vec<(Range<usize>, &mut [T])> = Vec::new();
    let rows = starts.len().saturating_sub(1);
    for from in (0..rows).step_by(USERS) {
        let to = rows.min(from + USERS);
        let (own, behind) = rest.split_at_mut((starts[to] - starts[from]) * items);
        tasks.push((from..to, own));
        rest = behind;
    }
    let parts = tasks.into_par_iter().map(|(rows, mut cells)| {
        let mut nearest = Nearest::of(items);
        let mut said = Vec::with_capacity(rows.len());
        for row in rows {
            let (own, behind) = cells.split_at_mut((starts[row + 1] - starts[row]) * items);
            nearest.find(own);
            said.push(slope(row, &mut nearest.scores));
            nearest.spread(own);
            cells = behind;
        }
        said
    });
    parts.collect::<Vec<Vec<R>>>().into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn an_item_has_the_score_of_its_nearest_interest() {
        let mut all = array![[0.1, 0.9], [0.3, 0.2], [0.5, -0.5], [0.7, 0.7], [0.7, 0.8]];
        let gradient = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        let found = through_nearest(&mut all, &[0, 2, 3, 5], |row, scores| {
            let found = scores.to_vec();
            scores.copy_from_slice(gradient.row(row).as_slice().unwrap());
            found
        });
        assert_eq!(found, [[0.3, 0.9], [0.5, -0.5], [0.7, 0.8]]);
        let expected = array![[0.0, 2.0], [1.0, 0.0], [3.0, 4.0], [5.0, 0.0], [0.0, 6.0]];
        assert_eq!(all, expected);
    }

    #[test]
    fn every_row_is_asked_once_in_order() {
        let starts: Vec<usize> = (0..=70).map(|row| row + row / 2).collect();
        let mut all = Array2::from_elem((starts[70], 3), 1.0);
        let rows = through_nearest(&mut all, &starts, |row, _| row);
        assert!(rows.into_iter().eq(0..70));
        let nobody: Vec<()> = through_nearest(&mut Array2::<f64>::zeros((0, 3)), &[0], |_, _| ());
        assert!(nobody.is_empty());
    }
}
