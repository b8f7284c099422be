//! Metrics of lists and of scores. Lists are full rankings of the catalogue, best first.

use std::collections::HashSet;

use tributary_domain::ItemId;

use crate::number::float;

/// Share of the targets among the first `k`. 0 without targets.
pub fn recall(list: &[ItemId], targets: &HashSet<ItemId>, k: usize) -> f64 {
    let hits = list.iter().take(k).filter(|item| targets.contains(item)).count();
    ratio(float(hits), float(targets.len()))
}

/// Normalised discounted cumulative gain with binary gains, log2 discounts, and the best possible
/// order of min(k, targets) hits as its ideal. 0 without targets.
pub fn ndcg(list: &[ItemId], targets: &HashSet<ItemId>, k: usize) -> f64 {
    let discount = |position: usize| 1.0 / (float(position) + 2.0).log2();
    let hits = list.iter().take(k).enumerate().filter(|(_, item)| targets.contains(item));
    let gained: f64 = hits.map(|(position, _)| discount(position)).sum();
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

/// 1 − |intersection| / |union| of two label sets, `None` where one is empty.
pub fn jaccard_distance(one: &[String], other: &[String]) -> Option<f64> {
    if one.is_empty() || other.is_empty() {
        return None;
    }
    let one: HashSet<&String> = one.iter().collect();
    let other: HashSet<&String> = other.iter().collect();
    let common = float(one.intersection(&other).count());
    Some(1.0 - common / (float(one.len() + other.len()) - common))
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

    #[test]
    fn lists() {
        // (list, targets, k, recall, ndcg), worked out by hand.
        let d = |position: f64| 1.0 / (position + 1.0).log2();
        for (list, targets, k, recall_at, ndcg_at) in [
            (vec![1, 2, 3, 4], vec![1, 2], 2, 1.0, 1.0),
            (vec![1, 2, 3, 4], vec![2, 9], 2, 0.5, d(2.0) / (d(1.0) + d(2.0))),
            (vec![1, 2, 3, 4], vec![4], 3, 0.0, 0.0),
            (
                vec![1, 2, 3, 4],
                vec![3, 4, 5, 6],
                4,
                0.5,
                (d(3.0) + d(4.0)) / (1.0 + d(2.0) + d(3.0) + d(4.0)),
            ),
            (vec![5, 6, 7], vec![5, 6, 7, 8], 2, 0.5, 1.0),
            (vec![], vec![1], 10, 0.0, 0.0),
            (vec![1], vec![], 10, 0.0, 0.0),
        ] {
            let (list, targets) = (items(&list), items(&targets).into_iter().collect());
            close(recall(&list, &targets, k), recall_at);
            close(ndcg(&list, &targets, k), ndcg_at);
        }
    }

    #[test]
    fn diversity_is_the_mean_over_known_pairs() {
        let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let list: Vec<Vec<String>> =
            vec![labels(&["a", "b"]), labels(&["b"]), labels(&[]), labels(&["c"])];
        // a,b–b: 1/2; a,b–c: 1; b–c: 1; the empty one has no distance.
        close(intra_list_diversity(&list, |one, other| jaccard_distance(one, other)), 2.5 / 3.0);
        close(intra_list_diversity(&list[..1], |one, other| jaccard_distance(one, other)), 0.0);
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
