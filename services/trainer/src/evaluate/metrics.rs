//! Metrics of lists and of scores. Lists are full rankings of the catalogue, best first.

use std::collections::HashSet;

use tributary_domain::ItemId;

use crate::number::float;

/// Share of the first `k` places that hold a target; a place that a short list leaves empty holds
/// none.
pub fn precision(list: &[ItemId], targets: &HashSet<ItemId>, k: usize) -> f64 {
    ratio(float(hits(list, targets, k).count()), float(k))
}

/// Share of the targets among the first `k`. 0 without targets.
pub fn recall(list: &[ItemId], targets: &HashSet<ItemId>, k: usize) -> f64 {
    ratio(float(hits(list, targets, k).count()), float(targets.len()))
}

/// 1 where a target is among the first `k`, else 0.
pub fn hit(list: &[ItemId], targets: &HashSet<ItemId>, k: usize) -> f64 {
    if hits(list, targets, k).next().is_some() { 1.0 } else { 0.0 }
}

/// 1 / the place of the first target, counted from 1; 0 where none is among the first `k`. Its mean
/// over users is MRR@k.
pub fn reciprocal_rank(list: &[ItemId], targets: &HashSet<ItemId>, k: usize) -> f64 {
    hits(list, targets, k).next().map_or(0.0, |position| 1.0 / (float(position) + 1.0))
}

/// Precision at the place of each target among the first `k`, summed and divided by the number of
/// all targets, as `recommenders` has it where it measures MovieLens 100K (other libraries divide
/// by min(k, targets)). 0 without targets. Its mean over users is MAP@k.
pub fn average_precision(list: &[ItemId], targets: &HashSet<ItemId>, k: usize) -> f64 {
    let precisions = hits(list, targets, k)
        .zip(1_usize..)
        .map(|(position, found)| float(found) / (float(position) + 1.0));
    ratio(precisions.sum(), float(targets.len()))
}

/// Positions from 0 of the targets among the first `k`, ascending.
fn hits<'a>(
    list: &'a [ItemId],
    targets: &'a HashSet<ItemId>,
    k: usize,
) -> impl Iterator<Item = usize> + 'a {
    let places = list.iter().take(k).enumerate();
    places.filter(|(_, item)| targets.contains(item)).map(|(position, _)| position)
}

/// Normalised discounted cumulative gain with binary gains, log2 discounts, and the best possible
/// order of min(k, targets) hits as its ideal. 0 without targets.
pub fn ndcg(list: &[ItemId], targets: &HashSet<ItemId>, k: usize) -> f64 {
    let discount = |position: usize| 1.0 / (float(position) + 2.0).log2();
    let gained: f64 = hits(list, targets, k).map(discount).sum();
    let ideal: f64 = (0..k.min(targets.len())).map(discount).sum();
    ratio(gained, ideal)
}

/// Mean distance of all pairs, where `distance` is 0 (same) to 1; pairs it does not know are left
/// out. 0 where no pair is left.
pub fn intra_list_diversity<T>(list: &[T], distance: impl Fn(&T, &T) -> Option<f64>) -> f64 {
    let pairs = (0..list.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    let known: Vec<f64> =
        pairs.filter_map(|(one, other)| distance(&list[one], &list[other])).collect();
    mean(&known)
}

/// 1 − |intersection| / |union| of two label sets in ascending order, `None` where one is empty.
pub fn jaccard_distance<T: Ord>(one: &[T], other: &[T]) -> Option<f64> {
    if one.is_empty() || other.is_empty() {
        return None;
    }
    let common = one.iter().filter(|label| other.binary_search(label).is_ok()).count();
    Some(1.0 - float(common) / float(one.len() + other.len() - common))
}

/// Bits of surprise in an item that `takers` of `users` engaged with: −log2 of
/// `(takers + 1) / (users + 1)`, one of each added so that what nobody took stays finite
/// (self-information: Vargas and Castells, Rank and Relevance in Novelty and Diversity Metrics,
/// 2011).
pub fn self_information(takers: usize, users: usize) -> f64 {
    ((float(users) + 1.0) / (float(takers) + 1.0)).log2()
}

/// A prediction and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub probability: f64,
    pub happened: bool,
}

/// Area under the ROC curve: the chance that a positive outranks a negative, ties counting half
/// (Mann-Whitney). `None` where one class is missing.
pub fn auc(outcomes: &[Outcome]) -> Option<f64> {
    let mut sorted: Vec<Outcome> = outcomes.to_vec();
    sorted.sort_by(|one, other| one.probability.total_cmp(&other.probability));
    let positives = sorted.iter().filter(|outcome| outcome.happened).count();
    let negatives = sorted.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut ranks, mut below) = (0.0, 0);
    for tied in sorted.chunk_by(|one, other| one.probability == other.probability) {
        let hits = tied.iter().filter(|outcome| outcome.happened).count();
        ranks += float(hits) * (float(below) + (float(tied.len()) + 1.0) / 2.0);
        below += tied.len();
    }
    let least = float(positives) * (float(positives) + 1.0) / 2.0;
    Some((ranks - least) / (float(positives) * float(negatives)))
}

/// AUC of each user's outcomes, weighted by their number; users with one class are left out
/// (Zhu et al., Optimized Cost per Click in Taobao, 2017). `None` where no user is left.
pub fn gauc<'a>(users: impl Iterator<Item = &'a [Outcome]>) -> Option<f64> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for outcomes in users {
        if let Some(auc) = auc(outcomes) {
            sum += auc * float(outcomes.len());
            weight += float(outcomes.len());
        }
    }
    (weight > 0.0).then(|| sum / weight)
}

/// Mean negative log likelihood in nats, probabilities kept 1e-7 from 0 and 1.
pub fn log_loss(outcomes: &[Outcome]) -> f64 {
    let losses: Vec<f64> = outcomes
        .iter()
        .map(|outcome| {
            let probability = outcome.probability.clamp(1e-7, 1.0 - 1e-7);
            if outcome.happened { -probability.ln() } else { -(1.0 - probability).ln() }
        })
        .collect();
    mean(&losses)
}

/// Predicted over observed (PCOC): 1 is calibrated, above is over-confident. `None` where nothing
/// happened.
pub fn predicted_over_observed(outcomes: &[Outcome]) -> Option<f64> {
    let happened = outcomes.iter().filter(|outcome| outcome.happened).count();
    let predicted: f64 = outcomes.iter().map(|outcome| outcome.probability).sum();
    (happened > 0).then(|| predicted / float(happened))
}

/// The mean, 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    ratio(values.iter().sum(), float(values.len()))
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(ids: &[u64]) -> Vec<ItemId> {
        ids.iter().copied().map(ItemId).collect()
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    /// Worked out by hand; d(p) is the discount at place p.
    #[test]
    fn lists() {
        struct Row {
            list: Vec<u64>,
            targets: Vec<u64>,
            k: usize,
            /// Precision, recall, NDCG, hit, reciprocal rank, average precision.
            expected: [f64; 6],
        }
        let d = |place: f64| 1.0 / (place + 1.0).log2();
        let row = |list: &[u64], targets: &[u64], k, expected| Row {
            list: list.to_vec(),
            targets: targets.to_vec(),
            k,
            expected,
        };
        let third = (d(3.0) + d(4.0)) / (1.0 + d(2.0) + d(3.0) + d(4.0));
        for Row { list, targets, k, expected } in [
            row(&[1, 2, 3, 4], &[1, 2], 2, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
            row(&[1, 2, 3, 4], &[2, 9], 2, [0.5, 0.5, d(2.0) / (1.0 + d(2.0)), 1.0, 0.5, 0.25]),
            row(&[1, 2, 3, 4], &[4], 3, [0.0; 6]),
            // Precision is 1/3 at place 3 and 2/4 at place 4; four targets.
            row(
                &[1, 2, 3, 4],
                &[3, 4, 5, 6],
                4,
                [0.5, 0.5, third, 1.0, 1.0 / 3.0, (1.0 / 3.0 + 0.5) / 4.0],
            ),
            row(&[5, 6, 7], &[5, 6, 7, 8], 2, [1.0, 0.5, 1.0, 1.0, 1.0, 0.5]),
            // A short list leaves places empty.
            row(&[5], &[5], 10, [0.1, 1.0, 1.0, 1.0, 1.0, 1.0]),
            row(&[], &[1], 10, [0.0; 6]),
            row(&[1], &[], 10, [0.0; 6]),
        ] {
            let (list, targets) = (items(&list), items(&targets).into_iter().collect());
            let measures = [precision, recall, ndcg, hit, reciprocal_rank, average_precision];
            for (measure, expected) in measures.iter().zip(expected) {
                close(measure(&list, &targets, k), expected);
            }
        }
    }

    #[test]
    fn diversity_is_the_mean_over_known_pairs() {
        let list: [&[char]; 4] = [&['a', 'b'], &['b'], &[], &['c']];
        // a,b–b: 1/2; a,b–c: 1; b–c: 1; the empty one has no distance.
        close(intra_list_diversity(&list, |one, other| jaccard_distance(one, other)), 2.5 / 3.0);
        close(intra_list_diversity(&list[..1], |one, other| jaccard_distance(one, other)), 0.0);
    }

    #[test]
    fn surprise_is_in_bits() {
        close(self_information(7, 7), 0.0);
        close(self_information(1, 7), 2.0);
        close(self_information(0, 7), 3.0);
    }

    fn outcomes(rows: &[(f64, u8)]) -> Vec<Outcome> {
        rows.iter()
            .map(|(probability, happened)| Outcome {
                probability: *probability,
                happened: *happened == 1,
            })
            .collect()
    }

    #[test]
    fn scores() {
        for (rows, expected) in [
            (outcomes(&[(0.9, 1), (0.8, 0), (0.7, 1), (0.1, 0)]), Some(0.75)),
            (outcomes(&[(0.5, 1), (0.5, 0)]), Some(0.5)),
            (outcomes(&[(0.5, 1), (0.5, 0), (0.2, 0)]), Some(0.75)),
            (outcomes(&[(0.1, 1), (0.9, 0)]), Some(0.0)),
            (outcomes(&[(0.1, 1)]), None),
        ] {
            assert_eq!(auc(&rows), expected);
        }
        close(log_loss(&outcomes(&[(0.5, 1), (0.25, 0)])), (2.0_f64.ln() - 0.75_f64.ln()) / 2.0);
        close(predicted_over_observed(&outcomes(&[(0.5, 1), (0.7, 0)])).unwrap(), 1.2);
        assert_eq!(predicted_over_observed(&outcomes(&[(0.5, 0)])), None);
    }

    #[test]
    fn gauc_weighs_users_by_rows() {
        let users = [
            outcomes(&[(0.9, 1), (0.1, 0)]),
            outcomes(&[(0.9, 0), (0.8, 1), (0.7, 0), (0.6, 0)]),
            outcomes(&[(0.9, 1), (0.8, 1)]),
        ];
        // (1 × 2 + 2/3 × 4) / 6
        close(gauc(users.iter().map(Vec::as_slice)).unwrap(), (2.0 + 8.0 / 3.0) / 6.0);
    }
}
