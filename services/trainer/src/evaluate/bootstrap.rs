//! How sure a measured number is, by resampling the users (Efron, Bootstrap Methods:
//! Another Look at the Jackknife, 1979).

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tributary_domain::UserId;

use crate::number::{float, floor};

const RESAMPLES: usize = 2_000;

/// A mean difference with the interval that holds it in 95 % of the resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    pub difference: f64,
    pub low: f64,
    pub high: f64,
}

/// The mean of `differences`, one a case. Users are drawn whole, with all their cases, because
/// cases of one user are alike. The same seed gives the same interval.
pub(super) fn interval(users: &[UserId], differences: &[f64], seed: u64) -> Interval {
    let mut by_user: BTreeMap<UserId, (f64, usize)> = BTreeMap::new();
    for (user, difference) in users.iter().zip(differences) {
        let (sum, cases) = by_user.entry(*user).or_default();
        *sum += difference;
        *cases += 1;
    }
    let users: Vec<(f64, f64)> =
        by_user.into_values().map(|(sum, cases)| (sum, float(cases))).collect();
    let (low, high) = ratio_interval(&users, seed);
    Interval { difference: ratio(users.iter().copied()), low, high }
}

/// The bounds that hold the ratio of two sums in 95 % of the resamples, given each user's share in
/// both; 0 where the sum below is 0.
pub(super) fn ratio_interval(users: &[(f64, f64)], seed: u64) -> (f64, f64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .map(|_| ratio((0..users.len()).map(|_| users[random.random_range(0..users.len())])))
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |share: f64| ratios[floor(share * float(RESAMPLES - 1))];
    (at(0.025), at(0.975))
}

fn ratio(users: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (above, below) = users.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For many users the interval is the normal one, mean ± 1.96 σ / √n.
    #[test]
    fn the_interval_is_the_normal_one_for_many_users() {
        let users: Vec<UserId> = (0..900).map(UserId).collect();
        // A third each of −1, 0, 1.3: mean 0.1, variance (1.1² + 0.1² + 1.2²) / 3.
        let differences: Vec<f64> = (0..900).map(|index| [-1.0, 0.0, 1.3][index % 3]).collect();
        let found = interval(&users, &differences, 7);
        let half = 1.96 * ((1.21 + 0.01 + 1.44) / 3.0_f64).sqrt() / 30.0;
        assert!((found.difference - 0.1).abs() < 1e-12);
        assert!((found.low - (0.1 - half)).abs() < 0.006, "{found:?} against ± {half}");
        assert!((found.high - (0.1 + half)).abs() < 0.006, "{found:?} against ± {half}");
        assert_eq!(found, interval(&users, &differences, 7));
        assert_ne!(found, interval(&users, &differences, 8));
    }

    #[test]
    fn cases_of_one_user_are_drawn_together() {
        let differences: Vec<f64> = (0..200).map(|index| [-1.0, 1.0][index / 100]).collect();
        let apart: Vec<UserId> = (0..200).map(UserId).collect();
        let together: Vec<UserId> = (0..200).map(|index| UserId(index / 100)).collect();
        let width = |users: &[UserId]| {
            let Interval { low, high, .. } = interval(users, &differences, 1);
            high - low
        };
        assert!(width(&apart) < 0.4);
        assert_eq!(width(&together), 2.0, "either of the two users can be drawn twice");
    }

    #[test]
    fn no_users_have_no_difference() {
        assert_eq!(interval(&[], &[], 1), Interval { difference: 0.0, low: 0.0, high: 0.0 });
    }
}
