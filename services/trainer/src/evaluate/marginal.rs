//! What each channel adds: the merged list once more, without it.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tributary_domain::ItemId;

use super::lists::{Judge, ListMetrics, whole_recall};
use crate::{
    candidates::merged,
    channels::{CHANNELS, Recalled},
    config::MergeConfig,
    split::Case,
};

/// The merged list, whole and without each of the channels, at the same limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The longest that a merged list gets.
    pub limit: usize,
    /// Share of the relevant items anywhere in the merged list: what ranking can still bring up.
    pub recall_at_limit: f64,
    /// In the order of the channels.
    pub without: Vec<Without>,
}

/// The merged list where one channel is silent. The places that it leaves go to the others, so
/// that a channel that adds little can make the rest better by its absence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Without {
    pub channel: String,
    pub recall_at_limit: f64,
    pub at: ListMetrics,
}

pub(super) fn measure(
    judge: &Judge,
    cases: &[Case],
    recalled: &[Recalled],
    config: &MergeConfig,
) -> Merge {
    let without = CHANNELS.iter().enumerate().map(|(channel, name)| {
        let lists = merge_without(recalled, Some(channel), config);
        Without {
            channel: (*name).to_owned(),
            recall_at_limit: whole_recall(cases, &lists),
            at: judge.row(cases, &lists),
        }
    });
    Merge {
        limit: config.limit,
        without: without.collect(),
        recall_at_limit: whole_recall(cases, &merge_without(recalled, None, config)),
    }
}

fn merge_without(
    recalled: &[Recalled],
    channel: Option<usize>,
    config: &MergeConfig,
) -> Vec<Vec<ItemId>> {
    let merge = |lists: &Recalled| {
        let mut lists = lists.clone();
        if let Some(silent) = channel {
            lists[silent].clear();
        }
        merged(&lists, config).into_iter().map(|candidate| candidate.item).collect()
    };
    recalled.par_iter().map(merge).collect()
}

#[cfg(test)]
mod tests {
    use tributary_domain::{Item, Scored};

    use super::*;
    use crate::evaluate::lists::tests::{case, list};

    fn recalled(lists: &[(usize, &[u64])]) -> Recalled {
        let mut recalled = Recalled::default();
        for (channel, items) in lists {
            let scored = |item: &u64| Scored { item: ItemId(*item), score: 1.0 };
            recalled[*channel] = items.iter().map(scored).collect();
        }
        recalled
    }

    #[test]
    fn a_channel_is_worth_what_only_it_finds() {
        // Channels 0 and 1 both find 1; only 1 finds the relevant 5; 2 finds nothing of use and
        // takes a place of the limit.
        let recalled = [recalled(&[(0, &[1, 2, 3]), (1, &[1, 5]), (2, &[9])])];
        let cases = [case(1, &[(1, true), (5, false), (3, false)])];
        let config = MergeConfig { limit: 4, ..MergeConfig::default() };
        let lists = |channel| merge_without(&recalled, channel, &config).remove(0);
        // Rounds: 1, 5, 9, then 2.
        assert_eq!(lists(None), list(&[1, 5, 9, 2]));
        assert_eq!(lists(Some(1)), list(&[1, 9, 2, 3]));
        assert_eq!(lists(Some(2)), list(&[1, 5, 2, 3]));
        let catalogue: Vec<Item> = [1, 2, 3, 5, 9].map(|id| Item::bare(ItemId(id))).to_vec();
        let merge = measure(&Judge::new(&catalogue), &cases, &recalled, &config);
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        };
        close(merge.recall_at_limit, 2.0 / 3.0);
        let found: Vec<f64> = merge.without.iter().map(|one| one.recall_at_limit).collect();
        let expected =
            [2.0 / 3.0, 2.0 / 3.0, 1.0].into_iter().chain([2.0 / 3.0; CHANNELS.len() - 3]);
        for (found, expected) in found.iter().zip(expected) {
            close(*found, expected);
        }
        close(merge.without[1].at.at(10).unwrap().recall, 2.0 / 3.0);
        let names: Vec<&str> = merge.without.iter().map(|one| one.channel.as_str()).collect();
        assert_eq!(names, CHANNELS);
    }
}
