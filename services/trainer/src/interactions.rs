//! Who engaged with what, as a sparse binary matrix with dense row numbers.

use std::collections::HashMap;

use tributary_domain::{Event, ItemId, UserContext, UserId};

/// Users × items, 1 where the user engaged with the item.
#[derive(Debug, Clone)]
pub(crate) struct Interactions {
    /// Ascending.
    pub(crate) items: Vec<ItemId>,
    /// Ascending.
    pub(crate) users: Vec<UserId>,
    /// Item rows of each user, ascending.
    pub(crate) by_user: Vec<Vec<u32>>,
    /// User rows of each item, ascending.
    pub(crate) by_item: Vec<Vec<u32>>,
    rows: HashMap<ItemId, u32>,
}

impl Interactions {
    /// Of the engagements among `events`, over the items that have one.
    pub(crate) fn of(events: &[Event]) -> Self {
        let engaged = || events.iter().filter(|event| event.behaviour.action.is_engagement());
        let items = distinct(engaged().map(|event| event.behaviour.item));
        let users = distinct(engaged().map(|event| event.user));
        let rows = numbered(&items);
        let user_rows = numbered(&users);
        let mut by_user = vec![Vec::new(); users.len()];
        let mut by_item = vec![Vec::new(); items.len()];
        for event in engaged() {
            by_user[position(user_rows[&event.user])].push(rows[&event.behaviour.item]);
        }
        for (user, list) in (0_u32..).zip(&mut by_user) {
            list.sort_unstable();
            list.dedup();
            list.iter().for_each(|item| by_item[position(*item)].push(user));
        }
        Self { items, users, by_user, by_item, rows }
    }

    /// The row of an item that has engagements.
    pub(crate) fn row(&self, item: ItemId) -> Option<u32> {
        self.rows.get(&item).copied()
    }

    /// Item rows of the items that a user engaged with, ascending: neither hidden nor only shown
    /// ones.
    pub(crate) fn rows_of(&self, context: &UserContext) -> Vec<u32> {
        let engaged = context.behaviours.iter().filter(|step| step.action.is_engagement());
        distinct(engaged.filter_map(|step| self.row(step.item)))
    }
}

/// A row number as an index.
pub(crate) fn position(row: u32) -> usize {
    usize::try_from(row).expect("usize has at least 32 bits here")
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn numbered<T: Copy + Eq + std::hash::Hash>(values: &[T]) -> HashMap<T, u32> {
    values.iter().copied().zip(0..).collect()
}
