//! Which groups of users deal with an item more than others do.

use std::collections::BTreeMap;

use ndarray::Array2;
use tributary_domain::{Event, UserId, UserProfile};
use tributary_retrieval::audience::{Audience, Trait};

use crate::{
    data::DataSet,
    interactions::{Interactions, position},
    number::{float, narrow},
};

/// Imagined interactions that draw a group's rate towards everybody's.
const PRIOR: f64 = 20.0;

/// The table over the items that somebody engaged with.
pub(crate) fn table(events: &[Event], data: &DataSet) -> Audience {
    of(&Interactions::of(events), |user| data.profile(user))
}

fn of<'p>(data: &Interactions, profile: impl Fn(UserId) -> Option<&'p UserProfile>) -> Audience {
    let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (user, met) in data.users.iter().zip(&data.by_user) {
        let Some(profile) = profile(*user) else { continue };
        for group in Trait::ALL.into_iter().filter_map(|kind| kind.group(profile)) {
            let counts = groups.entry(group).or_insert_with(|| vec![0; data.items.len()]);
            met.iter().for_each(|item| counts[position(*item)] += 1);
        }
    }
    let all: usize = data.by_user.iter().map(Vec::len).sum();
    let mut ratios = Array2::zeros((groups.len(), data.items.len()));
    for (mut row, counts) in ratios.rows_mut().into_iter().zip(groups.values()) {
        let total: usize = counts.iter().sum();
        for ((cell, count), users) in row.iter_mut().zip(counts).zip(&data.by_item) {
            let expected = float(total) * float(users.len()) / float(all.max(1));
            *cell = narrow(((float(*count) + PRIOR) / (expected + PRIOR)).ln());
        }
    }
    Audience { items: data.items.clone(), groups: groups.into_keys().collect(), ratios }
}

#[cfg(test)]
mod tests {
    use tributary_domain::{Action, Behaviour, Gender, ItemId, Timestamp};

    use super::*;

    #[test]
    fn ratios_by_hand() {
        let met = [(1, 1), (1, 2), (2, 1), (3, 2)].map(|(user, item)| Event {
            user: UserId(user),
            behaviour: Behaviour {
                item: ItemId(item),
                action: Action::View,
                time: Timestamp(0),
                dwell_ms: 0,
            },
        });
        let profiles = [(1, Gender::Female), (2, Gender::Male)].map(|(id, gender)| UserProfile {
            id: UserId(id),
            age: None,
            gender: Some(gender),
            occupation: String::new(),
            blocked_creators: vec![],
            blocked_tags: vec![],
        });
        let find = |user| profiles.iter().find(|profile| profile.id == user);
        let found = of(&Interactions::of(&met), find);
        let row = |profile| {
            let group = Trait::Gender.group(profile).unwrap();
            let place = found.groups.iter().position(|known| *known == group).unwrap();
            found.ratios.row(place).to_vec()
        };
        // Women met both items once, as expected: 2 of 4 times each. The man met item 1 only.
        assert_eq!(row(&profiles[0]), [0.0, 0.0]);
        let [once, never] = [21.0_f64 / 20.5, 20.0 / 20.5].map(|ratio| narrow(ratio.ln()));
        assert_eq!(row(&profiles[1]), [once, never]);
    }
}
