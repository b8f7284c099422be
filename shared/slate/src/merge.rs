//! Multi-way merge of the channels' lists.

use std::collections::HashMap;

use tributary_domain::{ItemId, Scored};

/// What one channel answered, best first, and how much of the merged list it may claim.
#[derive(Debug, Clone, Copy)]
pub struct ChannelList<'a> {
    pub items: &'a [Scored],
    /// How many items the channel hands over in its turn; with 0 it only backs up what others
    /// found.
    pub weight: u32,
    /// The most items that enter the merged list by this channel's turns; `None` for no bound.
    pub quota: Option<usize>,
}

/// That a channel found an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Index of the channel among the merged lists.
    pub channel: usize,
    /// The item's first place in the channel's list, from 1.
    pub position: u32,
    pub score: f32,
}

/// An item of the merged list with every channel that found it, in the order of the channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    pub item: ItemId,
    pub findings: Vec<Finding>,
}

/// Merges by turns: in every round each channel, in order, hands over its next `weight` items that
/// nobody handed over before, until `limit` items are there or all channels are empty.
///
/// An item appears once; the findings name all channels that have it, also those whose turn came
/// too late to hand it over. The same lists give the same order.
pub fn merge(lists: &[ChannelList<'_>], limit: usize) -> Vec<Merged> {
    let mut turns: Vec<Turn<'_>> = lists.iter().map(Turn::new).collect();
    let mut merged = Draft::default();
    while merged.items.len() < limit && take_round(&mut turns, &mut merged, limit) {}
    merged.with_findings(lists)
}

/// Lets every channel have its turn; false where none had anything to give.
fn take_round(turns: &mut [Turn<'_>], merged: &mut Draft, limit: usize) -> bool {
    let before = merged.items.len();
    for turn in turns {
        for _ in 0..turn.weight {
            if merged.items.len() == limit || !turn.hand_over(merged) {
                break;
            }
        }
    }
    merged.items.len() > before
}

struct Turn<'a> {
    rest: std::slice::Iter<'a, Scored>,
    weight: u32,
    quota: usize,
}

impl<'a> Turn<'a> {
    fn new(list: &ChannelList<'a>) -> Self {
        let quota = list.quota.unwrap_or(usize::MAX);
        Self { rest: list.items.iter(), weight: list.weight, quota }
    }

    /// Moves the next item that is new to `merged`; false where there is none.
    fn hand_over(&mut self, merged: &mut Draft) -> bool {
        if self.quota == 0 {
            return false;
        }
        let taken = self.rest.by_ref().any(|scored| merged.accept(scored.item));
        self.quota -= usize::from(taken);
        taken
    }
}

#[derive(Default)]
struct Draft {
    items: Vec<Merged>,
    places: HashMap<ItemId, usize>,
}

impl Draft {
    fn accept(&mut self, item: ItemId) -> bool {
        let place = self.items.len();
        if *self.places.entry(item).or_insert(place) != place {
            return false;
        }
        self.items.push(Merged { item, findings: Vec::new() });
        true
    }

    fn with_findings(mut self, lists: &[ChannelList<'_>]) -> Vec<Merged> {
        for (channel, list) in lists.iter().enumerate() {
            for (position, scored) in (1_u32..).zip(list.items) {
                if let Some(place) = self.places.get(&scored.item) {
                    let findings = &mut self.items[*place].findings;
                    if findings.last().is_none_or(|finding| finding.channel != channel) {
                        findings.push(Finding { channel, position, score: scored.score });
                    }
                }
            }
        }
        self.items
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Row {
        items: Vec<u64>,
        weight: u32,
        quota: Option<usize>,
    }

    fn row(items: &[u64], weight: u32, quota: Option<usize>) -> Row {
        Row { items: items.to_vec(), weight, quota }
    }

    fn scored(row: &Row) -> Vec<Scored> {
        let score = |index: usize| -(f32::from(u16::try_from(index).unwrap()));
        let ids = row.items.iter().enumerate();
        ids.map(|(index, id)| Scored { item: ItemId(*id), score: score(index) }).collect()
    }

    fn merged(rows: &[Row], limit: usize) -> Vec<Merged> {
        let items: Vec<Vec<Scored>> = rows.iter().map(scored).collect();
        let lists: Vec<ChannelList<'_>> = rows
            .iter()
            .zip(&items)
            .map(|(row, items)| ChannelList { items, weight: row.weight, quota: row.quota })
            .collect();
        merge(&lists, limit)
    }

    fn ids(merged: &[Merged]) -> Vec<u64> {
        merged.iter().map(|merged| merged.item.0).collect()
    }

    #[track_caller]
    fn check(rows: &[Row], limit: usize, expected: &[u64]) {
        assert_eq!(ids(&merged(rows, limit)), expected);
    }

    #[test]
    fn takes_turns() {
        check(&[], 5, &[]);
        check(&[row(&[1, 2], 1, None)], 0, &[]);
        check(&[row(&[1, 2, 3], 1, None), row(&[7, 8], 1, None)], 9, &[1, 7, 2, 8, 3]);
        // A duplicate does not use up the turn.
        check(&[row(&[1, 2], 1, None), row(&[1, 8], 1, None)], 9, &[1, 8, 2]);
        check(&[row(&[1, 2, 3], 2, None), row(&[7, 8], 1, None)], 9, &[1, 2, 7, 3, 8]);
        check(&[row(&[1, 2, 3], 1, Some(1)), row(&[7, 8], 1, None)], 9, &[1, 7, 8]);
        check(&[row(&[1, 2, 3], 0, None), row(&[7, 8], 1, None)], 9, &[7, 8]);
        check(&[row(&[1, 2, 3], 5, None), row(&[7, 8], 1, None)], 2, &[1, 2]);
        check(&[row(&[1, 1, 2], 1, None)], 9, &[1, 2]);
    }

    #[test]
    fn keeps_every_finding() {
        let merged = merged(&[row(&[1, 2], 1, None), row(&[3, 2, 1, 2], 1, None)], 3);
        let first = &merged[0];
        assert_eq!(first.item, ItemId(1));
        let places: Vec<(usize, u32)> =
            first.findings.iter().map(|found| (found.channel, found.position)).collect();
        assert_eq!(places, [(0, 1), (1, 3)]);
        let second = merged.iter().find(|merged| merged.item == ItemId(2)).unwrap();
        assert_eq!(second.findings.len(), 2);
        assert_eq!(second.findings[1].position, 2);
    }

    /// The definition, as slowly as it reads.
    fn oracle(rows: &[Row], limit: usize) -> Vec<u64> {
        let mut out: Vec<u64> = Vec::new();
        let mut given: BTreeMap<usize, usize> = BTreeMap::new();
        loop {
            let before = out.len();
            for (channel, row) in rows.iter().enumerate() {
                for _ in 0..row.weight {
                    let given = given.entry(channel).or_default();
                    let next = row.items.iter().find(|id| !out.contains(id));
                    let free = row.quota.is_none_or(|quota| *given < quota);
                    if let (Some(id), true, true) = (next, free, out.len() < limit) {
                        out.push(*id);
                        *given += 1;
                    }
                }
            }
            if out.len() == before {
                return out;
            }
        }
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row =
            (prop::collection::vec(1_u64..40, 0..30), 0_u32..4, prop::option::of(0_usize..20));
        let row = row.prop_map(|(items, weight, quota)| Row { items, weight, quota });
        prop::collection::vec(row, 0..5)
    }

    proptest! {
        #[test]
        fn equals_the_definition(rows in rows(), limit in 0_usize..60) {
            prop_assert_eq!(ids(&merged(&rows, limit)), oracle(&rows, limit));
        }

        #[test]
        fn loses_nothing_and_repeats_nothing(mut rows in rows(), limit in 0_usize..200) {
            for row in &mut rows {
                row.weight += 1;
                row.quota = None;
            }
            let merged = merged(&rows, limit);
            let all: BTreeSet<u64> = rows.iter().flat_map(|row| row.items.clone()).collect();
            let unique: BTreeSet<u64> = ids(&merged).into_iter().collect();
            prop_assert_eq!(unique.len(), merged.len());
            prop_assert_eq!(merged.len(), all.len().min(limit));
        }

        #[test]
        fn a_shorter_limit_is_a_prefix(rows in rows(), limit in 0_usize..60) {
            let long = ids(&merged(&rows, limit + 10));
            let short = ids(&merged(&rows, limit));
            prop_assert_eq!(&long[..short.len()], &short[..]);
        }

        #[test]
        fn findings_are_where_the_lists_say(rows in rows()) {
            for merged in merged(&rows, 100) {
                let found: Vec<usize> = merged.findings.iter().map(|one| one.channel).collect();
                let expected: Vec<usize> = (0..rows.len())
                    .filter(|channel| rows[*channel].items.contains(&merged.item.0))
                    .collect();
                prop_assert_eq!(found, expected);
                for finding in merged.findings {
                    let items = &rows[finding.channel].items;
                    let first = items.iter().position(|id| *id == merged.item.0).unwrap();
                    prop_assert_eq!(usize::try_from(finding.position).unwrap(), first + 1);
                }
            }
        }
    }
}
