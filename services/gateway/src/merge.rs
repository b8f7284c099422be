//! Third stage: the channels' lists become one, by turns.

use std::sync::Arc;

use tributary_domain::{Item, ItemId};
use tributary_slate::merge::{ChannelList, Merged, merge};

use crate::{catalogue::View, config::ChannelConfig, recall::ChannelAnswer};

/// All candidates of a request, in merged order, in columns. Later stages carry places in this
/// order (`usize`), not the candidates.
#[derive(Default)]
pub struct Pool {
    merged: Vec<Merged>,
    /// What the catalogue holds of each candidate.
    items: Vec<Option<Arc<Item>>>,
}

impl Pool {
    /// Merges the answers. Nothing is cut here: the bound on candidates is applied after the
    /// filters, so that a removed candidate costs nobody a place.
    pub fn merge(answers: &[ChannelAnswer], channels: &[ChannelConfig], view: &View) -> Self {
        let lists: Vec<ChannelList<'_>> = answers
            .iter()
            .map(|answer| ChannelList {
                items: &answer.items,
                weight: answer.weight,
                quota: channels[answer.channel].quota,
            })
            .collect();
        let proposed = lists.iter().map(|list| list.items.len()).sum();
        let mut merged = merge(&lists, proposed);
        for finding in merged.iter_mut().flat_map(|merged| &mut merged.findings) {
            finding.channel = answers[finding.channel].channel;
        }
        let items = merged.iter().map(|merged| view.get(merged.item).cloned()).collect();
        Self { merged, items }
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

    /// The candidate with that id.
    pub fn find(&self, item: ItemId) -> Option<usize> {
        self.merged.iter().position(|merged| merged.item == item)
    }
}
