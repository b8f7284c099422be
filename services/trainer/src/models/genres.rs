//! How often each genre occurs among what users dealt with, and the items' genres by number.

use std::collections::{BTreeSet, HashMap};

use tributary_domain::{Event, Item, ItemId};
use tributary_retrieval::labels::Labels;

use crate::{
    interactions::{Interactions, position},
    number::{float, narrow},
};

/// The table over the catalogue; shares are of distinct pairs of user and item among `events`.
pub(crate) fn table(events: &[Event], catalogue: &[Item]) -> Labels {
    let data = Interactions::of(events);
    let users: HashMap<ItemId, usize> =
        data.items.iter().copied().zip(data.by_item.iter().map(Vec::len)).collect();
    let names: BTreeSet<&str> =
        catalogue.iter().flat_map(|item| &item.genres).map(String::as_str).collect();
    let numbers: HashMap<&str, u32> = names.iter().copied().zip(0..).collect();
    let mut counts = vec![0_usize; numbers.len()];
    let mut items = Vec::with_capacity(catalogue.len());
    for item in catalogue {
        let mut labels: Vec<u32> =
            item.genres.iter().map(|genre| numbers[genre.as_str()]).collect();
        labels.sort_unstable();
        labels.dedup();
        let met = users.get(&item.id).copied().unwrap_or(0);
        labels.iter().for_each(|label| counts[position(*label)] += met);
        items.push((item.id, labels));
    }
    let all: usize = users.values().sum();
    // One more of each, so that a genre that nobody met has a share.
    let share = |count: &usize| narrow(float(count + 1) / float(all + 1));
    Labels { items, shares: counts.iter().map(share).collect() }
}

#[cfg(test)]
mod tests {
    use tributary_domain::{Action, Behaviour, Timestamp, UserId};

    use super::*;

    #[test]
    fn shares_are_of_users_and_items_that_met() {
        let item = |id, genres: &[&str]| Item {
            genres: genres.iter().map(|genre| (*genre).to_owned()).collect(),
            ..Item::bare(ItemId(id))
        };
        let catalogue = [item(1, &["War", "Drama"]), item(2, &["Drama"]), item(3, &["Western"])];
        let met = [(1, 1), (1, 1), (2, 1), (1, 2)].map(|(user, item)| Event {
            user: UserId(user),
            behaviour: Behaviour {
                item: ItemId(item),
                action: Action::View,
                time: Timestamp(0),
                dwell_ms: 0,
            },
        });
        let found = table(&met, &catalogue);
        assert_eq!(found.shares, [4.0 / 4.0, 3.0 / 4.0, 1.0 / 4.0], "drama, war, western");
        let lists: Vec<&[u32]> = found.items.iter().map(|(_, labels)| &labels[..]).collect();
        assert_eq!(lists, [&[0, 1][..], &[0], &[2]]);
    }
}
