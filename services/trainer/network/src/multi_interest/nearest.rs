//! Scores by the nearest interest, as serving has them: a search with each interest, merged by
//! score, finds an item by its best one.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::real::Real;

/// The best score of each row and item.
#[derive(Debug)]
pub(super) struct Nearest<T> {
    /// `[rows, items]`.
    pub(super) scores: Array2<T>,
    /// The interest that each score is of, by number among all.
    interests: Array2<usize>,
}

impl<T: Real> Nearest<T> {
    /// Of the scores `[interests, items]`, where row `r` has the interests from `starts[r]` up to
    /// `starts[r + 1]`. Of equals the first is taken.
    pub(super) fn new(all: ArrayView2<'_, T>, starts: &[usize]) -> Self {
        let shape = (starts.len() - 1, all.ncols());
        let mut scores = Array2::from_elem(shape, T::neg_infinity());
        let mut interests = Array2::zeros(shape);
        let width = all.ncols().max(1);
        let best = scores.as_slice_mut().expect("a fresh array is contiguous");
        let nearest = interests.as_slice_mut().expect("a fresh array is contiguous");
        let rows = best.par_chunks_mut(width).zip(nearest.par_chunks_mut(width)).enumerate();
        rows.for_each(|(row, (best, nearest))| {
            for interest in starts[row]..starts[row + 1] {
                let scores = all.row(interest);
                for ((best, nearest), &score) in best.iter_mut().zip(&mut *nearest).zip(scores) {
                    if score > *best {
                        (*best, *nearest) = (score, interest);
                    }
                }
            }
        });
        Self { scores, interests }
    }

    /// The gradient with respect to all scores `[count, items]`, from that of the best.
    pub(super) fn backward(&self, gradient: ArrayView2<'_, T>, starts: &[usize]) -> Array2<T> {
        let count = starts.last().copied().unwrap_or(0);
        let mut all = Array2::zeros((count, gradient.ncols()));
        for (gradient, nearest) in gradient.rows().into_iter().zip(self.interests.rows()) {
            for (item, (&value, &interest)) in gradient.iter().zip(nearest).enumerate() {
                all[[interest, item]] = value;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn an_item_has_the_score_of_its_nearest_interest() {
        let all = array![[0.1, 0.9], [0.3, 0.2], [0.5, -0.5], [0.7, 0.7], [0.7, 0.8]];
        let starts = [0, 2, 3, 5];
        let nearest = Nearest::new(all.view(), &starts);
        assert_eq!(nearest.scores, array![[0.3, 0.9], [0.5, -0.5], [0.7, 0.8]]);
        let gradient = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        let expected = array![[0.0, 2.0], [1.0, 0.0], [3.0, 4.0], [5.0, 0.0], [0.0, 6.0]];
        assert_eq!(nearest.backward(gradient.view(), &starts), expected);
    }
}
