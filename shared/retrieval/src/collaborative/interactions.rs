//! Who dealt with what.

use tributary_domain::{ItemId, UserId};

/// Rows of numbers of different lengths, end to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lists {
    ends: Vec<usize>,
    values: Vec<usize>,
}

impl Lists {
    pub(super) fn with_rows(rows: &[Vec<usize>]) -> Self {
        let mut end = 0;
        let ends = rows.iter().map(|row| {
            end += row.len();
            end
        });
        Self { ends: ends.collect(), values: rows.concat() }
    }

    /// Row r ends before `ends[r]`; the ends ascend to the number of values.
    pub(super) fn from_parts(ends: Vec<usize>, values: Vec<usize>) -> Self {
        Self { ends, values }
    }

    pub(super) fn of(&self, row: usize) -> &[usize] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.values[start..self.ends[row]]
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn ends(&self) -> &[usize] {
        &self.ends
    }

    pub(super) fn values(&self) -> &[usize] {
        &self.values
    }
}

/// Which users have which items. Users and items are numbered by ascending id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interactions {
    users: Vec<UserId>,
    items: Vec<ItemId>,
    lists: Lists,
}

impl Interactions {
    /// Repeated pairs count once.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (UserId, ItemId)>) -> Self {
        let pairs: Vec<(UserId, ItemId)> = pairs.into_iter().collect();
        let items = pairs.iter().map(|(_, item)| *item).collect();
        Self::over(items, pairs)
    }

    /// As `from_pairs`, over a catalogue that may hold items without interactions. Pairs with
    /// items outside the catalogue are left out.
    pub fn over(mut items: Vec<ItemId>, pairs: impl IntoIterator<Item = (UserId, ItemId)>) -> Self {
        items.sort_unstable();
        items.dedup();
        let mut pairs: Vec<(UserId, ItemId)> = pairs.into_iter().collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut users: Vec<UserId> = Vec::new();
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for (user, item) in pairs {
            let Ok(column) = items.binary_search(&item) else { continue };
            if users.last() != Some(&user) {
                users.push(user);
                rows.push(Vec::new());
            }
            rows.last_mut().expect("pushed with its user").push(column);
        }
        Self { users, items, lists: Lists::with_rows(&rows) }
    }

    pub(super) fn from_parts(users: Vec<UserId>, items: Vec<ItemId>, lists: Lists) -> Self {
        Self { users, items, lists }
    }

    pub(super) fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Ascending.
    pub fn users(&self) -> &[UserId] {
        &self.users
    }

    /// Ascending; the columns of the matrix.
    pub fn items(&self) -> &[ItemId] {
        &self.items
    }

    /// The column of an item.
    pub fn row_of(&self, item: ItemId) -> Option<usize> {
        self.items.binary_search(&item).ok()
    }

    /// The columns of the user's items, ascending.
    pub fn of(&self, user: usize) -> &[usize] {
        self.lists.of(user)
    }

    /// For each item, the users (by number) who have it, ascending.
    pub(super) fn fans(&self) -> Lists {
        let mut rows = vec![Vec::new(); self.items.len()];
        for user in 0..self.users.len() {
            for column in self.of(user) {
                rows[*column].push(user);
            }
        }
        Lists::with_rows(&rows)
    }
}
