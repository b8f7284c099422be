//! Which items a batch is scored against.

use std::collections::BTreeMap;

use rand::Rng;

use super::softmax::Columns;
use crate::real::Real;

/// How the items of a batch are drawn: with the examples, and uniformly from the catalogue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampling<'a> {
    /// Share of the examples that each item is the target of.
    pub(super) frequencies: &'a [f32],
    /// Items drawn uniformly for each batch.
    pub(super) uniform: usize,
    pub(super) logq: bool,
}

/// The items of one batch.
#[derive(Debug)]
pub(super) struct Sample<T> {
    /// Catalogue rows, each once, in the order first drawn in.
    pub(super) items: Vec<usize>,
    pub(super) columns: Columns<T>,
}

impl Sampling<'_> {
    /// The targets of a batch and its uniform negatives.
    pub(super) fn draw<T: Real>(&self, targets: &[usize], random: &mut impl Rng) -> Sample<T> {
        let catalogue = self.frequencies.len();
        let uniform = (0..self.uniform).map(|_| random.random_range(0..catalogue));
        let mut items = Vec::with_capacity(targets.len() + self.uniform);
        let mut counts = Vec::with_capacity(items.capacity());
        let mut columns = BTreeMap::new();
        let mut column_of = |item: usize| {
            let column = *columns.entry(item).or_insert_with(|| {
                items.push(item);
                counts.push(0);
                items.len() - 1
            });
            counts[column] += 1;
            column
        };
        let target_columns = targets.iter().map(|&item| column_of(item)).collect();
        uniform.for_each(|item| {
            column_of(item);
        });
        let log_weights = match self.logq {
            true => {
                items.iter().map(|&item| -self.log_probability::<T>(item, targets.len())).collect()
            }
            false => counts.into_iter().map(|count| T::from_count(count).ln()).collect(),
        };
        Sample { items, columns: Columns { targets: target_columns, log_weights } }
    }

    /// Log of the probability that a batch draws the item, besides the one example whose negative
    /// it is to be: `1 - (1 - p)^(B - 1) (1 - 1 / N)^M`.
    ///
    /// With one over it as weight, the sum over a row's negatives is an unbiased estimate of the
    /// sum over the catalogue. The own item is in every sample and keeps weight one: to correct
    /// it like the negatives biases the loss (Khrylchenko et al., 2025, "Correcting the LogQ
    /// correction").
    fn log_probability<T: Real>(&self, item: usize, examples: usize) -> T {
        let with_others = T::from_count(examples.saturating_sub(1));
        let share = T::from_f64(f64::from(self.frequencies[item]));
        let uniform = T::one() / T::from_count(self.frequencies.len());
        let absent =
            with_others * (-share).ln_1p() + T::from_count(self.uniform) * (-uniform).ln_1p();
        (-absent.exp_m1()).ln()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const FREQUENCIES: [f32; 4] = [0.5, 0.25, 0.125, 0.125];

    fn draw(uniform: usize, logq: bool) -> Sample<f64> {
        let sampling = Sampling { frequencies: &FREQUENCIES, uniform, logq };
        sampling.draw(&[2, 0, 2, 1], &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn an_item_has_one_column_and_its_count() {
        let sample = draw(0, true);
        assert_eq!(sample.items, [2, 0, 1]);
        assert_eq!(sample.columns.targets, [0, 1, 0, 2]);
        assert_eq!(draw(0, false).columns.log_weights, [2f64.ln(), 0.0, 0.0]);
    }

    #[test]
    fn logq_weighs_by_the_probability_of_being_drawn() {
        // Three other examples: 1 - 0.875³, 1 - 0.5³, 1 - 0.75³.
        let expected = [0.330_078_125f64, 0.875, 0.578_125];
        for (weight, probability) in draw(0, true).columns.log_weights.iter().zip(expected) {
            assert!((weight + probability.ln()).abs() < 1e-12, "{weight} for {probability}");
        }
    }

    #[test]
    fn uniform_negatives_add_to_counts_and_probabilities() {
        let sample = draw(8, false);
        let drawn: f64 = sample.columns.log_weights.iter().map(|weight| weight.exp()).sum();
        assert!((drawn - 12.0).abs() < 1e-9);
        assert_eq!(sample.columns.targets, [0, 1, 0, 2]);
        let missed = 0.875f64.powi(3) * 0.75f64.powi(8);
        let weight = draw(8, true).columns.log_weights[0];
        assert!((weight + (1.0 - missed).ln()).abs() < 1e-12, "{weight}");
    }
}
