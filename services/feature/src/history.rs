use tributary_domain::{Action, Behaviour, ItemId, Timestamp};

/// A user's latest behaviours, oldest first. Which ones are kept, and in what order, does not
/// depend on the order in which they arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    behaviours: Vec<Behaviour>,
}

impl History {
    /// Restores a history from what `behaviours` gave; `None` where it is out of order.
    pub(crate) fn from_behaviours(behaviours: Vec<Behaviour>) -> Option<Self> {
        behaviours.is_sorted_by_key(key).then_some(Self { behaviours })
    }

    /// The history of a user who did all this, in any order, impressions left out.
    pub(crate) fn latest(all: &[Behaviour], limit: usize) -> Self {
        let acted = all.iter().filter(|behaviour| behaviour.action != Action::Impression);
        let mut behaviours: Vec<Behaviour> = acted.copied().collect();
        behaviours.sort_by_key(key);
        behaviours.drain(..behaviours.len().saturating_sub(limit));
        Self { behaviours }
    }

    pub(crate) fn behaviours(&self) -> &[Behaviour] {
        &self.behaviours
    }

    /// Puts a behaviour in its place by time and keeps the `limit` latest.
    pub(crate) fn insert(&mut self, behaviour: Behaviour, limit: usize) {
        let place = self.behaviours.partition_point(|other| key(other) <= key(&behaviour));
        self.behaviours.insert(place, behaviour);
        let excess = self.behaviours.len().saturating_sub(limit);
        self.behaviours.drain(..excess);
    }
}

fn key(behaviour: &Behaviour) -> (Timestamp, ItemId, Action) {
    (behaviour.time, behaviour.item, behaviour.action)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn behaviour(item: u64, time: i64) -> Behaviour {
        let (item, time) = (ItemId(item), Timestamp(time));
        Behaviour { item, action: Action::Click, time, dwell_ms: 0 }
    }

    proptest! {
        #[test]
        fn keeps_the_latest_in_order_whatever_the_order_of_arrival(
            rows in prop::collection::vec((1_u64..20, 1_i64..20), 0..60).prop_shuffle(),
            limit in 1_usize..20,
        ) {
            let mut expected: Vec<Behaviour> =
                rows.iter().map(|(item, time)| behaviour(*item, *time)).collect();
            let mut history = History::default();
            expected.iter().for_each(|behaviour| history.insert(*behaviour, limit));
            expected.sort_by_key(key);
            let latest = &expected[expected.len().saturating_sub(limit)..];
            prop_assert_eq!(history.behaviours(), latest);
            prop_assert_eq!(History::latest(&expected, limit), history);
        }
    }
}
