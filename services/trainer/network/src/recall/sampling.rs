//! Which items a batch is scored against.

use std::collections::BTreeMap;

use rand::Rng;

use super::{Positives, softmax::Columns};
use crate::{error::NetworkError, real::Real, settings};

/// How negatives are found besides the batch's own targets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Negatives {
    pub(crate) logq: bool,
    /// Items drawn uniformly for each batch.
    pub(crate) uniform: usize,
    /// Items drawn for each batch by their share of the examples to the power `exponent`.
    pub(crate) popular: usize,
    pub(crate) exponent: f32,
    /// How many of the drawn items, the best scored ones, are a row's negatives; 0 takes all.
    pub(crate) hard: usize,
}

impl Negatives {
    pub(crate) fn check(&self) -> Result<(), NetworkError> {
        settings::not_negative("popularity_exponent", self.exponent)
    }
}

/// How the items of a batch are drawn: with the examples, uniformly from the catalogue, and by
/// popularity.
#[derive(Debug, Clone)]
pub(crate) struct Sampling<'a> {
    frequencies: &'a [f32],
    positives: Option<Positives<'a>>,
    negatives: Negatives,
    popularity: Popularity,
}

/// The items of one batch.
#[derive(Debug)]
pub(crate) struct Sample<T> {
    /// Catalogue rows, each once, in the order first drawn in.
    pub(crate) items: Vec<usize>,
    pub(crate) columns: Columns<T>,
}

impl<'a> Sampling<'a> {
    /// `frequencies` are the share of the examples that each item is the target of.
    pub(crate) fn new(
        frequencies: &'a [f32],
        positives: Option<Positives<'a>>,
        negatives: Negatives,
    ) -> Self {
        let popularity = match negatives.popular {
            0 => Popularity::default(),
            _ => Popularity::new(frequencies, negatives.exponent),
        };
        Self { frequencies, positives, negatives, popularity }
    }

    /// The targets of the examples `rows` and the batch's negatives.
    pub(crate) fn draw<T: Real>(
        &self,
        rows: &[usize],
        targets: &[usize],
        random: &mut impl Rng,
    ) -> Sample<T> {
        let catalogue = self.frequencies.len();
        let mut drawn = Drawn::default();
        let target_columns: Vec<usize> = rows.iter().map(|&row| drawn.add(targets[row])).collect();
        for _ in 0..self.negatives.uniform {
            drawn.add(random.random_range(0..catalogue));
        }
        for _ in 0..self.negatives.popular {
            drawn.add(self.popularity.draw(random));
        }
        let Drawn { items, counts, .. } = drawn;
        let log_weights = match self.negatives.logq {
            true => {
                items.iter().map(|&item| -self.log_probability::<T>(item, rows.len())).collect()
            }
            false => counts.into_iter().map(|count| T::from_count(count).ln()).collect(),
        };
        let wanted = self.wanted(rows, &items, &target_columns);
        let hard = self.negatives.hard;
        Sample { items, columns: Columns { targets: target_columns, log_weights, wanted, hard } }
    }

    /// For each row, the columns of items that its user is known to want, its own item apart.
    fn wanted(&self, rows: &[usize], items: &[usize], targets: &[usize]) -> Vec<Vec<usize>> {
        let Some(positives) = self.positives else { return Vec::new() };
        let mut columns = vec![None; self.frequencies.len()];
        for (column, &item) in items.iter().enumerate() {
            columns[item] = Some(column);
        }
        let wanted = rows.iter().zip(targets).map(|(&row, &target)| {
            let columns = positives.of(row).filter_map(|item| columns[item]);
            columns.filter(|&column| column != target).collect()
        });
        wanted.collect()
    }

    /// Log of the probability that a batch draws the item, besides the one example whose negative
    /// it is to be: `1 - (1 - p)^(B - 1) (1 - 1 / N)^M (1 - q)^P`, for `q` the item's share of the
    /// `P` draws by popularity.
    ///
    /// With one over it as weight, the sum over a row's negatives is an unbiased estimate of the
    /// sum over the catalogue. The own item is in every sample and keeps weight one: to correct
    /// it like the negatives biases the loss (Khrylchenko et al., 2025, "Correcting the LogQ
    /// correction").
    fn log_probability<T: Real>(&self, item: usize, examples: usize) -> T {
        let missed = |times: usize, share: f64| {
            // None of no draws misses nothing, also where each would hit.
            if times == 0 {
                T::zero()
            } else {
                T::from_count(times) * (-T::from_f64(share)).ln_1p()
            }
        };
        let Negatives { uniform, popular, .. } = self.negatives;
        let share = 1.0 / self.frequencies.len() as f64;
        let absent = missed(examples.saturating_sub(1), f64::from(self.frequencies[item]))
            + missed(uniform, share)
            + missed(popular, self.popularity.share(item));
        (-absent.exp_m1()).ln()
    }
}

/// Items and their columns.
#[derive(Default)]
struct Drawn {
    items: Vec<usize>,
    counts: Vec<usize>,
    columns: BTreeMap<usize, usize>,
}

impl Drawn {
    fn add(&mut self, item: usize) -> usize {
        let column = *self.columns.entry(item).or_insert_with(|| {
            self.items.push(item);
            self.counts.push(0);
            self.items.len() - 1
        });
        self.counts[column] += 1;
        column
    }
}

/// The distribution of the draws by popularity.
#[derive(Debug, Clone, Default)]
struct Popularity {
    /// The probability of an item up to each one.
    cumulative: Vec<f64>,
}

impl Popularity {
    fn new(frequencies: &[f32], exponent: f32) -> Self {
        let weight = |share: &f32| match *share > 0.0 {
            true => f64::from(*share).powf(f64::from(exponent)),
            false => 0.0,
        };
        let whole: f64 = frequencies.iter().map(weight).sum();
        let cumulative = frequencies.iter().scan(0.0, |sum, share| {
            *sum += weight(share) / whole;
            Some(*sum)
        });
        Self { cumulative: cumulative.collect() }
    }

    fn draw(&self, random: &mut impl Rng) -> usize {
        let point = random.random_range(0.0..1.0) * self.cumulative.last().copied().unwrap_or(1.0);
        self.cumulative.partition_point(|sum| *sum <= point).min(self.cumulative.len() - 1)
    }

    /// Share of the draws that are the item's; 0 where nothing is drawn.
    fn share(&self, item: usize) -> f64 {
        let Some(upper) = self.cumulative.get(item) else { return 0.0 };
        let lower = item.checked_sub(1).map_or(0.0, |before| self.cumulative[before]);
        upper - lower
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const FREQUENCIES: [f32; 4] = [0.5, 0.25, 0.125, 0.125];
    const TARGETS: [usize; 4] = [2, 0, 2, 1];

    fn negatives(uniform: usize, logq: bool) -> Negatives {
        Negatives { logq, uniform, popular: 0, exponent: 1.0, hard: 0 }
    }

    fn sample(negatives: Negatives, positives: Option<Positives<'_>>) -> Sample<f64> {
        let sampling = Sampling::new(&FREQUENCIES, positives, negatives);
        sampling.draw(&[0, 1, 2, 3], &TARGETS, &mut ChaCha8Rng::seed_from_u64(1))
    }

    fn draw(uniform: usize, logq: bool) -> Sample<f64> {
        sample(negatives(uniform, logq), None)
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

    #[test]
    fn popular_draws_are_counted_in_the_probability() {
        let negatives = Negatives { popular: 2, exponent: 0.5, ..negatives(8, true) };
        let roots = FREQUENCIES.map(|share| f64::from(share).sqrt());
        let share = roots[2] / roots.iter().sum::<f64>();
        let missed = 0.875f64.powi(3) * 0.75f64.powi(8) * (1.0 - share).powi(2);
        let weight = sample(negatives, None).columns.log_weights[0];
        assert!((weight + (1.0 - missed).ln()).abs() < 1e-12, "{weight}");
    }

    #[test]
    fn popular_draws_follow_their_shares() {
        let popularity = Popularity::new(&[0.0, 0.81, 0.0, 0.01, 0.0], 0.5);
        assert!((popularity.share(1) - 0.9).abs() < 1e-7 && popularity.share(4) == 0.0);
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut counts = [0; 5];
        (0..10_000).for_each(|_| counts[popularity.draw(&mut random)] += 1);
        assert_eq!([counts[0], counts[2], counts[4]], [0; 3]);
        // Four standard deviations around 1,000.
        assert!((880..1120).contains(&counts[3]), "{counts:?}");
    }

    #[test]
    fn columns_of_wanted_items_are_named() {
        let items = [vec![0, 1, 2], vec![3]];
        let positives = Positives { users: &[0, 1, 0, 0], items: &items };
        let sample = sample(negatives(0, true), Some(positives));
        assert_eq!(sample.items, [2, 0, 1]);
        // By row: its user wants 0, 1, 2 or 3 besides its own item.
        assert_eq!(sample.columns.wanted, [vec![1, 2], vec![], vec![1, 2], vec![1, 0]]);
    }
}
