//! Third stage: the channels' lists become one, by turns.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tributary_domain::{Item, ItemId, Scored, UserContext};
use tributary_slate::merge::{ChannelList, Merged, merge};

use crate::{catalogue::View, config::ChannelConfig, recall::ChannelAnswer};

/// All candidates of a request, in merged order, in columns. Later stages carry places in this
/// order (`usize`), not the candidates.
#[derive(Default)]
pub struct Pool {
    merged: Vec<Merged>,
    /// What the catalogue holds of each candidate.
    items: Vec<Option<Arc<Item>>>,
    /// The cold items among the candidates: their places in the channel's order, and how often they
    /// were shown.
    cold: HashMap<ItemId, (usize, u64)>,
}

impl Pool {
    /// Merges the answers. Nothing is cut here: the bound on candidates is applied after the
    /// filters, so that a removed candidate costs nobody a place. Without `quotas` none holds.
    pub fn merge(answers: &[ChannelAnswer], quotas: Option<&Quotas<'_>>, view: &View) -> Self {
        let mut merged = merge_all(answers.iter().map(unbounded));
        if let Some(quotas) = quotas.filter(|quotas| quotas.bound_any(answers)) {
            merged = quotas.apply(answers, merged);
        }
        for finding in merged.iter_mut().flat_map(|merged| &mut merged.findings) {
            let answer = &answers[finding.channel];
            finding.channel = answer.channel;
            finding.position = finding.position.saturating_add(answer.offset);
        }
        let cold: HashMap<ItemId, (usize, u64)> = answers
            .iter()
            .flat_map(|answer| answer.cold.iter().enumerate())
            .map(|(place, cold)| (cold.item, (place, cold.impressions)))
            .collect();
        append_cold(&mut merged, answers);
        let items = merged.iter().map(|merged| view.get(merged.item).cloned()).collect();
        Self { merged, items, cold }
    }

    pub fn len(&self) -> usize {
        self.merged.len()
    }

    pub fn is_empty(&self) -> bool {
        self.merged.is_empty()
    }

    pub fn id(&self, candidate: usize) -> ItemId {
        self.merged[candidate].item
    }

    /// What the catalogue holds of the candidate.
    pub fn item(&self, candidate: usize) -> Option<&Item> {
        self.items[candidate].as_deref()
    }

    /// Who found the candidate; `channel` is the channel's place in the configuration.
    pub fn findings(&self, candidate: usize) -> &[tributary_slate::merge::Finding] {
        &self.merged[candidate].findings
    }

    /// Where the candidate is a cold item: its place in the channel's order, and how often it was
    /// shown.
    pub fn cold(&self, candidate: usize) -> Option<(usize, u64)> {
        self.cold.get(&self.id(candidate)).copied()
    }

    /// The candidate with that id.
    pub fn find(&self, item: ItemId) -> Option<usize> {
        self.merged.iter().position(|merged| merged.item == item)
    }
}

/// How much of the merged list the channels may claim. What was served or seen claims nothing: the
/// filters remove it, and a quota spent on it would leave the channel without a place.
pub struct Quotas<'a> {
    pub channels: &'a [ChannelConfig],
    pub context: &'a UserContext,
    /// Ascending.
    pub served: &'a [ItemId],
}

impl Quotas<'_> {
    fn bound_any(&self, answers: &[ChannelAnswer]) -> bool {
        answers.iter().any(|answer| self.channels[answer.channel].quota.is_some())
    }

    fn counts(&self, item: ItemId) -> bool {
        self.served.binary_search(&item).is_err() && !self.context.has_seen(item)
    }

    /// Of all that was merged what the quotas allow, in the order of the turns, and behind it what
    /// does not count, so that explanations can name the filter that removed it.
    fn apply(&self, answers: &[ChannelAnswer], merged: Vec<Merged>) -> Vec<Merged> {
        let counting: Vec<Vec<Scored>> = answers.iter().map(|one| self.counting(one)).collect();
        let lists = answers.iter().zip(&counting).map(|(answer, items)| {
            let quota = self.channels[answer.channel].quota;
            ChannelList { items, quota, ..unbounded(answer) }
        });
        let allowed = merge_all(lists);
        let (counting, rest): (Vec<_>, Vec<_>) =
            merged.into_iter().partition(|one| self.counts(one.item));
        // With the findings and positions of the full lists.
        let mut counting: HashMap<ItemId, Merged> =
            counting.into_iter().map(|one| (one.item, one)).collect();
        allowed.iter().filter_map(|one| counting.remove(&one.item)).chain(rest).collect()
    }

    fn counting(&self, answer: &ChannelAnswer) -> Vec<Scored> {
        answer.items.iter().filter(|scored| self.counts(scored.item)).copied().collect()
    }
}

/// Cold items that no channel has in its list come last, found by none.
fn append_cold(merged: &mut Vec<Merged>, answers: &[ChannelAnswer]) {
    let mut known: HashSet<ItemId> = merged.iter().map(|merged| merged.item).collect();
    let cold = answers.iter().flat_map(|answer| &answer.cold);
    let unknown = cold.filter(|cold| known.insert(cold.item));
    merged.extend(unknown.map(|cold| Merged { item: cold.item, findings: Vec::new() }));
}

fn unbounded(answer: &ChannelAnswer) -> ChannelList<'_> {
    ChannelList { items: &answer.items, weight: answer.weight, quota: None }
}

fn merge_all<'a>(lists: impl Iterator<Item = ChannelList<'a>>) -> Vec<Merged> {
    let lists: Vec<_> = lists.collect();
    let proposed = lists.iter().map(|list| list.items.len()).sum();
    merge(&lists, proposed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{self, PERSONAL, TRENDING, USER};

    fn answer(channel: usize, ids: &[u64]) -> ChannelAnswer {
        let items: Vec<_> = ids.iter().map(|id| Scored { item: ItemId(*id), score: 1.0 }).collect();
        ChannelAnswer::remembered(channel, &items)
    }

    #[test]
    fn quotas_are_spent_on_what_may_be_shown() {
        let answers = [answer(PERSONAL, &[1, 2]), answer(TRENDING, &[8, 9, 5, 2, 6, 7])];
        let mut channels = fakes::config().channel;
        channels[TRENDING].quota = Some(2);
        let seen = vec![ItemId(8)];
        let context = UserContext { seen, ..UserContext::cold(USER) };
        let served = [ItemId(9)];
        let quotas = Quotas { channels: &channels, context: &context, served: &served };
        let view = fakes::bare_view();
        for (quotas, want) in
            [(Some(&quotas), &[1, 5, 2, 6, 8, 9][..]), (None, &[1, 8, 2, 9, 5, 6, 7])]
        {
            let pool = Pool::merge(&answers, quotas, &view);
            let ids: Vec<u64> = (0..pool.len()).map(|candidate| pool.id(candidate).0).collect();
            assert_eq!(ids, want);
            let found = pool.findings(pool.find(ItemId(2)).unwrap());
            let places: Vec<_> = found.iter().map(|one| (one.channel, one.position)).collect();
            assert_eq!(places, [(PERSONAL, 2), (TRENDING, 4)]);
        }
    }

    #[test]
    fn positions_are_those_in_the_whole_list() {
        let answers = [ChannelAnswer { offset: 100, ..answer(TRENDING, &[5, 6]) }];
        let pool = Pool::merge(&answers, None, &fakes::bare_view());
        assert_eq!(pool.findings(1)[0].position, 102);
    }
}
