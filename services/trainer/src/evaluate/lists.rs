//! Measures of recommended lists over all cases.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tributary_domain::{Event, Item, ItemId};

use super::metrics::{
    average_precision, hit, intra_list_diversity, jaccard_distance, mean, ndcg, precision, recall,
    reciprocal_rank, self_information,
};
use crate::{interactions::Interactions, number::float, split::Case};

/// The list length that the gate, the choice of the fusion and the table go by.
pub(crate) const SHORT: usize = 10;

/// Which list lengths are measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// The k of every metric; 10 is always among them.
    pub at: Vec<usize>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { at: vec![SHORT, 20, 50] }
    }
}

impl EvaluationConfig {
    /// Ascending, without 0, with 10.
    pub(crate) fn cuts(&self) -> Vec<usize> {
        let cuts: BTreeSet<usize> = self.at.iter().copied().chain([SHORT]).collect();
        cuts.into_iter().filter(|k| *k > 0).collect()
    }

    /// How many places of a list are measured at most.
    pub(crate) fn size(&self) -> usize {
        self.cuts().last().copied().unwrap_or(SHORT)
    }
}

/// Means over all cases at one k. Relevant is what the user engaged with afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutMetrics {
    pub precision: f64,
    pub recall: f64,
    pub ndcg: f64,
    /// Share of the cases with a relevant item in the list.
    pub hit_rate: f64,
    pub mrr: f64,
    pub map: f64,
    /// NDCG where only what the user liked is relevant, over the users who liked something.
    pub liked_ndcg: f64,
    /// Share of the catalogue in somebody's list.
    pub coverage: f64,
    /// Mean self-information of the listed items in bits, over the cases with a list.
    pub novelty: f64,
    /// Mean Jaccard distance of the genres inside a list.
    pub diversity: f64,
}

impl CutMetrics {
    fn named(&self) -> [(&'static str, f64); 10] {
        [
            ("precision", self.precision),
            ("recall", self.recall),
            ("ndcg", self.ndcg),
            ("hit_rate", self.hit_rate),
            ("mrr", self.mrr),
            ("map", self.map),
            ("liked_ndcg", self.liked_ndcg),
            ("coverage", self.coverage),
            ("novelty", self.novelty),
            ("diversity", self.diversity),
        ]
    }
}

/// One row of the results: the metrics at each k.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ListMetrics(BTreeMap<usize, CutMetrics>);

impl ListMetrics {
    /// The metrics at a k that was measured.
    pub fn at(&self, k: usize) -> Option<&CutMetrics> {
        self.0.get(&k)
    }

    /// The measured k, ascending.
    pub fn cuts(&self) -> impl Iterator<Item = usize> {
        self.0.keys().copied()
    }

    /// The numbers with names such as `ndcg_at_10`.
    pub fn named(&self) -> impl Iterator<Item = (String, f64)> {
        self.0.iter().flat_map(|(k, metrics)| {
            metrics.named().map(|(name, value)| (format!("{name}_at_{k}"), value))
        })
    }
}

/// NDCG@10 over engaged and over liked items.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gain {
    pub(crate) ndcg_at_10: f64,
    pub(crate) liked_ndcg_at_10: f64,
}

/// Knows the catalogue and the popularity that lists are measured against.
pub(crate) struct Judge {
    /// Numbers of an item's genres, ascending.
    genres: HashMap<ItemId, Vec<usize>>,
    surprise: HashMap<ItemId, f64>,
    /// Of an item that nobody engaged with.
    most_surprise: f64,
    cuts: Vec<usize>,
}

impl Judge {
    /// A judge who knows of no engagement, with the default list lengths.
    pub(crate) fn new(catalogue: &[Item]) -> Self {
        let mut numbers: BTreeMap<&str, usize> = catalogue
            .iter()
            .flat_map(|item| &item.genres)
            .map(|genre| (genre.as_str(), 0))
            .collect();
        numbers.values_mut().zip(0..).for_each(|(number, next)| *number = next);
        let genres = |item: &Item| {
            let numbers: BTreeSet<usize> =
                item.genres.iter().map(|genre| numbers[genre.as_str()]).collect();
            numbers.into_iter().collect()
        };
        Self {
            genres: catalogue.iter().map(|item| (item.id, genres(item))).collect(),
            surprise: HashMap::new(),
            most_surprise: 0.0,
            cuts: EvaluationConfig::default().cuts(),
        }
    }

    /// Takes novelty from how many users engaged with an item among `learned`.
    #[must_use]
    pub(crate) fn with_popularity(mut self, learned: &[Event]) -> Self {
        let interactions = Interactions::of(learned);
        let users = interactions.users.len();
        let takers = interactions.items.iter().zip(&interactions.by_item);
        self.surprise =
            takers.map(|(item, takers)| (*item, self_information(takers.len(), users))).collect();
        self.most_surprise = self_information(0, users);
        self
    }

    /// More for an item that more users engaged with, 0 at most; only the order means something.
    pub(crate) fn popularity(&self, item: ItemId) -> f64 {
        -self.surprise.get(&item).copied().unwrap_or(self.most_surprise)
    }

    /// Measures at these k.
    #[must_use]
    pub(crate) fn at(mut self, config: &EvaluationConfig) -> Self {
        self.cuts = config.cuts();
        self
    }

    /// NDCG@10 of one list a case, best first: all that a choice between orders needs.
    pub(crate) fn measure(&self, cases: &[Case], lists: &[Vec<ItemId>]) -> Gain {
        let liked: Vec<f64> = cases
            .iter()
            .zip(lists)
            .map(|(case, list)| (liked(case), list))
            .filter(|(liked, _)| !liked.is_empty())
            .map(|(liked, list)| ndcg(list, &liked, SHORT))
            .collect();
        let ndcg_at_10 = mean(&gains(cases, lists));
        Gain { ndcg_at_10, liked_ndcg_at_10: mean(&liked) }
    }

    /// Measures one list a case, best first, in every respect.
    pub(crate) fn row(&self, cases: &[Case], lists: &[Vec<ItemId>]) -> ListMetrics {
        let judged: Vec<Judged<'_>> =
            cases.iter().zip(lists).map(|(case, list)| Judged::new(case, list)).collect();
        ListMetrics(self.cuts.iter().map(|k| (*k, self.cut(&judged, *k))).collect())
    }

    fn cut(&self, judged: &[Judged<'_>], k: usize) -> CutMetrics {
        let over = |measure: &(dyn Fn(&Judged<'_>) -> Option<f64> + Sync)| {
            let values: Vec<Option<f64>> = judged.par_iter().map(measure).collect();
            mean(&values.into_iter().flatten().collect::<Vec<f64>>())
        };
        let relevant = |measure: fn(&[ItemId], &HashSet<ItemId>, usize) -> f64| {
            over(&move |case| Some(measure(case.list, &case.relevant, k)))
        };
        CutMetrics {
            precision: relevant(precision),
            recall: relevant(recall),
            ndcg: relevant(ndcg),
            hit_rate: relevant(hit),
            mrr: relevant(reciprocal_rank),
            map: relevant(average_precision),
            liked_ndcg: over(&|case| {
                (!case.liked.is_empty()).then(|| ndcg(case.list, &case.liked, k))
            }),
            coverage: self.coverage(judged, k),
            novelty: over(&|case| {
                let first = case.first(k);
                (!first.is_empty()).then(|| self.novelty(first))
            }),
            diversity: over(&|case| Some(self.diversity(case.first(k)))),
        }
    }

    fn coverage(&self, judged: &[Judged<'_>], k: usize) -> f64 {
        let shown: HashSet<ItemId> =
            judged.iter().flat_map(|case| case.first(k)).copied().collect();
        float(shown.len()) / float(self.genres.len().max(1))
    }

    fn novelty(&self, list: &[ItemId]) -> f64 {
        let surprise = |item: &ItemId| -self.popularity(*item);
        mean(&list.iter().map(surprise).collect::<Vec<f64>>())
    }

    fn diversity(&self, list: &[ItemId]) -> f64 {
        intra_list_diversity(list, |one, other| {
            jaccard_distance(self.genres.get(one)?, self.genres.get(other)?)
        })
    }
}

/// A list with what would have been right.
struct Judged<'a> {
    list: &'a [ItemId],
    relevant: HashSet<ItemId>,
    liked: HashSet<ItemId>,
}

impl<'a> Judged<'a> {
    fn new(case: &Case, list: &'a [ItemId]) -> Self {
        Self { list, relevant: relevant(case), liked: liked(case) }
    }

    fn first(&self, k: usize) -> &'a [ItemId] {
        &self.list[..self.list.len().min(k)]
    }
}

/// NDCG@10 of each case.
pub(crate) fn gains(cases: &[Case], lists: &[Vec<ItemId>]) -> Vec<f64> {
    cases.iter().zip(lists).map(|(case, list)| ndcg(list, &relevant(case), SHORT)).collect()
}

/// Recall of whole lists.
pub(crate) fn whole_recall(cases: &[Case], lists: &[Vec<ItemId>]) -> f64 {
    let recalls =
        cases.iter().zip(lists).map(|(case, list)| recall(list, &relevant(case), list.len()));
    mean(&recalls.collect::<Vec<f64>>())
}

fn relevant(case: &Case) -> HashSet<ItemId> {
    case.targets.iter().map(|target| target.item).collect()
}

fn liked(case: &Case) -> HashSet<ItemId> {
    case.targets.iter().filter(|target| target.liked).map(|target| target.item).collect()
}

#[cfg(test)]
pub(in crate::evaluate) mod tests {
    use tributary_domain::{Action, Behaviour, Timestamp, UserContext, UserId};

    use super::*;
    use crate::split::Target;

    pub(in crate::evaluate) fn case(user: u64, targets: &[(u64, bool)]) -> Case {
        let targets =
            targets.iter().map(|(item, liked)| Target { item: ItemId(*item), liked: *liked });
        Case {
            context: UserContext::cold(UserId(user)),
            as_of: Timestamp(1),
            targets: targets.collect(),
        }
    }

    pub(in crate::evaluate) fn list(ids: &[u64]) -> Vec<ItemId> {
        ids.iter().copied().map(ItemId).collect()
    }

    fn catalogue() -> Vec<Item> {
        [(1, "a"), (2, "a"), (3, "b"), (4, "b")]
            .map(|(id, genre)| Item { genres: vec![genre.into()], ..Item::bare(ItemId(id)) })
            .to_vec()
    }

    /// Three users; item 1 was taken by all of them, item 2 by one, the others by none.
    fn learned() -> Vec<Event> {
        let event = |user, item| {
            let (item, time) = (ItemId(item), Timestamp(1));
            let behaviour = Behaviour { item, action: Action::View, time, dwell_ms: 0 };
            Event { user: UserId(user), behaviour }
        };
        vec![event(1, 1), event(2, 1), event(3, 1), event(3, 2)]
    }

    #[test]
    fn a_row_is_the_mean_over_cases() {
        let cases = [case(1, &[(1, true), (3, false)]), case(2, &[(4, false)])];
        let lists = [list(&[1, 2, 3]), list(&[2, 1])];
        let judge = Judge::new(&catalogue()).with_popularity(&learned());
        let row = judge.row(&cases, &lists);
        assert_eq!(row.cuts().collect::<Vec<_>>(), [10, 20, 50]);
        let ideal = 1.0 + 1.0 / 3.0_f64.log2();
        // Bits: item 1 none, item 2 one (2 of 4), item 3 two (1 of 4).
        let expected = CutMetrics {
            precision: (0.2 + 0.0) / 2.0,
            recall: 0.5,
            ndcg: (1.0 + 0.5) / ideal / 2.0,
            hit_rate: 0.5,
            mrr: 0.5,
            map: (1.0 + 2.0 / 3.0) / 2.0 / 2.0,
            liked_ndcg: 1.0,
            coverage: 0.75,
            novelty: ((0.0 + 1.0 + 2.0) / 3.0 + (1.0 + 0.0) / 2.0) / 2.0,
            diversity: (2.0 / 3.0 + 0.0) / 2.0,
        };
        check(row.at(10).unwrap(), &expected);
        let gain = judge.measure(&cases, &lists);
        assert_eq!((gain.ndcg_at_10, gain.liked_ndcg_at_10), (expected.ndcg, expected.liked_ndcg));
    }

    #[test]
    fn each_k_has_its_own_numbers() {
        let cases = [case(1, &[(3, true), (4, true)])];
        let lists = [list(&[1, 2, 3, 4])];
        let config = EvaluationConfig { at: vec![2, 3] };
        let judge = Judge::new(&catalogue()).with_popularity(&learned()).at(&config);
        let row = judge.row(&cases, &lists);
        assert_eq!(row.cuts().collect::<Vec<_>>(), [2, 3, 10], "10 is always there");
        let none = CutMetrics { coverage: 0.5, novelty: 0.5, ..CutMetrics::default() };
        check(row.at(2).unwrap(), &none);
        let d = |place: f64| 1.0 / (place + 1.0).log2();
        let ndcg = d(3.0) / (d(1.0) + d(2.0));
        let three = CutMetrics {
            precision: 1.0 / 3.0,
            recall: 0.5,
            ndcg,
            hit_rate: 1.0,
            mrr: 1.0 / 3.0,
            map: 1.0 / 6.0,
            liked_ndcg: ndcg,
            coverage: 0.75,
            novelty: 1.0,
            diversity: 2.0 / 3.0,
        };
        check(row.at(3).unwrap(), &three);
        let names: Vec<String> = row.named().map(|(name, _)| name).collect();
        assert!(names.contains(&"hit_rate_at_3".to_owned()), "{names:?}");
    }

    #[test]
    fn a_user_without_a_list_counts_as_missed_but_is_no_surprise() {
        let cases = [case(1, &[(1, true)]), case(2, &[(1, true)])];
        let judge = Judge::new(&catalogue()).with_popularity(&learned());
        let row = judge.row(&cases, &[list(&[3]), list(&[])]);
        let found = row.at(10).unwrap();
        assert_eq!((found.recall, found.novelty), (0.0, 2.0));
        let row = judge.row(&cases, &[list(&[1]), list(&[])]);
        assert_eq!(row.at(10).unwrap().recall, 0.5);
    }

    fn check(found: &CutMetrics, expected: &CutMetrics) {
        for ((name, found), (_, expected)) in found.named().iter().zip(expected.named()) {
            assert!((found - expected).abs() < 1e-12, "{name} {found} is not {expected}");
        }
    }
}
