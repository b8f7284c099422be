//! Measures of recommended lists over all cases.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tributary_domain::{Item, ItemId};

use super::metrics::{intra_list_diversity, jaccard_distance, mean, ndcg, recall};
use crate::{number::float, split::Case};

/// How many places of a list are measured at most.
pub(crate) const LIST_SIZE: usize = 50;
const SHORT: usize = 10;

/// One row of the results table. Relevant is what the user engaged with afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListMetrics {
    pub recall_at_10: f64,
    pub recall_at_50: f64,
    pub ndcg_at_10: f64,
    /// NDCG@10 where only what the user liked is relevant, over the users who liked something.
    pub liked_ndcg_at_10: f64,
    /// Share of the catalogue in somebody's first 10.
    pub coverage_at_10: f64,
    /// Mean Jaccard distance of the genres inside the first 10.
    pub diversity_at_10: f64,
}

impl ListMetrics {
    /// The numbers with their names.
    pub fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("recall_at_10", self.recall_at_10),
            ("recall_at_50", self.recall_at_50),
            ("ndcg_at_10", self.ndcg_at_10),
            ("liked_ndcg_at_10", self.liked_ndcg_at_10),
            ("coverage_at_10", self.coverage_at_10),
            ("diversity_at_10", self.diversity_at_10),
        ]
    }
}

/// Knows the catalogue that lists are measured against.
pub(crate) struct Judge {
    genres: HashMap<ItemId, Vec<String>>,
}

impl Judge {
    pub(crate) fn new(catalogue: &[Item]) -> Self {
        Self { genres: catalogue.iter().map(|item| (item.id, item.genres.clone())).collect() }
    }

    /// Measures one list a case, best first.
    pub(crate) fn measure(&self, cases: &[Case], lists: &[Vec<ItemId>]) -> ListMetrics {
        let rows = || cases.iter().zip(lists);
        let over = |measure: &dyn Fn(&[ItemId], &HashSet<ItemId>) -> f64| {
            mean(&rows().map(|(case, list)| measure(list, &relevant(case))).collect::<Vec<_>>())
        };
        let liked: Vec<f64> = rows()
            .map(|(case, list)| (liked(case), list))
            .filter(|(liked, _)| !liked.is_empty())
            .map(|(liked, list)| ndcg(list, &liked, SHORT))
            .collect();
        let diversity: Vec<f64> = lists.iter().map(|list| self.diversity(list)).collect();
        ListMetrics {
            recall_at_10: over(&|list, targets| recall(list, targets, SHORT)),
            recall_at_50: over(&|list, targets| recall(list, targets, LIST_SIZE)),
            ndcg_at_10: over(&|list, targets| ndcg(list, targets, SHORT)),
            liked_ndcg_at_10: mean(&liked),
            coverage_at_10: self.coverage(lists),
            diversity_at_10: mean(&diversity),
        }
    }

    fn coverage(&self, lists: &[Vec<ItemId>]) -> f64 {
        let shown: HashSet<ItemId> =
            lists.iter().flat_map(|list| list.iter().take(SHORT).copied()).collect();
        float(shown.len()) / float(self.genres.len().max(1))
    }

    fn diversity(&self, list: &[ItemId]) -> f64 {
        let short = &list[..list.len().min(SHORT)];
        intra_list_diversity(short, |one, other| {
            jaccard_distance(self.genres.get(one)?, self.genres.get(other)?)
        })
    }
}

fn relevant(case: &Case) -> HashSet<ItemId> {
    case.targets.iter().map(|target| target.item).collect()
}

fn liked(case: &Case) -> HashSet<ItemId> {
    case.targets.iter().filter(|target| target.liked).map(|target| target.item).collect()
}

#[cfg(test)]
mod tests {
    use tributary_domain::{Timestamp, UserContext, UserId};

    use super::*;
    use crate::split::Target;

    fn case(targets: &[(u64, bool)]) -> Case {
        let targets =
            targets.iter().map(|(item, liked)| Target { item: ItemId(*item), liked: *liked });
        Case {
            context: UserContext::cold(UserId(1)),
            as_of: Timestamp(1),
            targets: targets.collect(),
        }
    }

    fn list(ids: &[u64]) -> Vec<ItemId> {
        ids.iter().copied().map(ItemId).collect()
    }

    #[test]
    fn a_row_is_the_mean_over_cases() {
        let catalogue: Vec<Item> = [(1, "a"), (2, "a"), (3, "b"), (4, "b")]
            .map(|(id, genre)| Item { genres: vec![genre.into()], ..Item::bare(ItemId(id)) })
            .to_vec();
        let cases = [case(&[(1, true), (3, false)]), case(&[(4, false)])];
        let row = Judge::new(&catalogue).measure(&cases, &[list(&[1, 2, 3]), list(&[2, 1])]);
        let ideal = 1.0 + 1.0 / 3.0_f64.log2();
        let expected = ListMetrics {
            recall_at_10: 0.5,
            recall_at_50: 0.5,
            ndcg_at_10: (1.0 + 0.5) / ideal / 2.0,
            liked_ndcg_at_10: 1.0,
            coverage_at_10: 0.75,
            diversity_at_10: (2.0 / 3.0 + 0.0) / 2.0,
        };
        for (found, expected) in [
            (row.recall_at_10, expected.recall_at_10),
            (row.recall_at_50, expected.recall_at_50),
            (row.ndcg_at_10, expected.ndcg_at_10),
            (row.liked_ndcg_at_10, expected.liked_ndcg_at_10),
            (row.coverage_at_10, expected.coverage_at_10),
            (row.diversity_at_10, expected.diversity_at_10),
        ] {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
    }
}
