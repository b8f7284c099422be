use tributary_domain::{Action, Behaviour, ItemId, Timestamp};

use crate::Retention;

/// What a user and one item had to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contact {
    pub(crate) item: ItemId,
    /// The latest time of any action on the item.
    pub(crate) last: Timestamp,
    /// How often it was shown; stops at the largest number.
    pub(crate) shown: u16,
    /// The user acted on it or hid it.
    pub(crate) acted: bool,
}

impl Contact {
    fn with(item: ItemId) -> Self {
        Self { item, last: Timestamp(0), shown: 0, acted: false }
    }

    fn meet(&mut self, behaviour: &Behaviour) {
        self.last = self.last.max(behaviour.time);
        match behaviour.action {
            Action::Impression => self.shown = self.shown.saturating_add(1),
            Action::Click | Action::View | Action::Bookmark | Action::Share | Action::Hide => {
                self.acted = true;
            }
        }
    }

    fn is_seen(&self, impressions_until_seen: u16) -> bool {
        self.acted || self.shown >= impressions_until_seen
    }
}

/// The items a user was shown or acted on. The seen ones and those not yet seen are bounded apart,
/// so that a flood of impressions cannot bring an item back that the user is done with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Exposure {
    /// Ascending by item.
    contacts: Vec<Contact>,
}

impl Exposure {
    /// Restores an exposure from what `contacts` gave; `None` where it is out of order.
    pub(crate) fn from_contacts(contacts: Vec<Contact>) -> Option<Self> {
        contacts.is_sorted_by(|one, next| one.item < next.item).then_some(Self { contacts })
    }

    pub(crate) fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// The items that are not to be shown again, ascending.
    pub(crate) fn seen(&self, impressions_until_seen: u16) -> Vec<ItemId> {
        let seen = self.contacts.iter().filter(|contact| contact.is_seen(impressions_until_seen));
        seen.map(|contact| contact.item).collect()
    }

    pub(crate) fn record(&mut self, behaviour: &Behaviour, retention: &Retention) {
        let contact = self.contact(behaviour.item);
        contact.meet(behaviour);
        let seen = contact.is_seen(retention.impressions_until_seen);
        self.bound(seen, retention);
    }

    /// Makes the contact with `item` what these behaviours made it: none where there are none. A
    /// contact that was forgotten stays forgotten.
    pub(crate) fn replace<'a>(
        &mut self,
        item: ItemId,
        behaviours: impl Iterator<Item = &'a Behaviour>,
    ) {
        let place = self.contacts.binary_search_by_key(&item, |contact| contact.item);
        let Ok(index) = place else { return };
        let mut contact = None;
        for behaviour in behaviours {
            contact.get_or_insert_with(|| Contact::with(item)).meet(behaviour);
        }
        match contact {
            Some(contact) => self.contacts[index] = contact,
            None => drop(self.contacts.remove(index)),
        }
    }

    fn contact(&mut self, item: ItemId) -> &mut Contact {
        let place = self.contacts.binary_search_by_key(&item, |contact| contact.item);
        let index = place.unwrap_or_else(|index| {
            self.contacts.insert(index, Contact::with(item));
            index
        });
        &mut self.contacts[index]
    }

    /// Forgets the contact longest ago among the seen, or among the not yet seen, where there are
    /// too many of them.
    fn bound(&mut self, seen: bool, retention: &Retention) {
        let until = retention.impressions_until_seen;
        while self.contacts.iter().filter(|contact| contact.is_seen(until) == seen).count()
            > retention.seen
        {
            let of_kind = self.contacts.iter().enumerate();
            let oldest = of_kind
                .filter(|(_, contact)| contact.is_seen(until) == seen)
                .min_by_key(|(_, contact)| (contact.last, contact.item))
                .map(|(index, _)| index)
                .expect("there are more than the limit");
            self.contacts.remove(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u64, Action, i64);

    fn seen_after(rows: &[Row], retention: &Retention) -> Vec<u64> {
        let mut exposure = Exposure::default();
        for (item, action, time) in rows {
            let (item, time) = (ItemId(*item), Timestamp(*time));
            let behaviour = Behaviour { item, action: *action, time, dwell_ms: 0 };
            exposure.record(&behaviour, retention);
        }
        exposure.seen(retention.impressions_until_seen).iter().map(|item| item.0).collect()
    }

    #[test]
    fn seen_items() {
        use Action::{Bookmark, Click, Hide, Impression, Share, View};
        let retention = Retention { impressions_until_seen: 2, seen: 2, ..Retention::default() };
        let cases: [(&[Row], &[u64]); 8] = [
            (&[], &[]),
            (&[(1, Impression, 1)], &[]),
            (&[(1, Impression, 1), (1, Impression, 2)], &[1]),
            (&[(3, Click, 1), (1, Hide, 2)], &[1, 3]),
            (&[(1, View, 5), (2, Share, 4), (3, Bookmark, 6)], &[1, 3]),
            (&[(1, View, 5), (2, Share, 4), (2, Impression, 7), (3, Bookmark, 6)], &[2, 3]),
            (&[(1, Click, 1), (2, Impression, 2), (3, Impression, 3), (4, Impression, 4)], &[1]),
            (
                &[(2, Impression, 2), (3, Impression, 3), (4, Impression, 4), (2, Impression, 5)],
                &[],
            ),
        ];
        for (rows, expected) in cases {
            assert_eq!(seen_after(rows, &retention), expected, "{rows:?}");
        }
    }
}
