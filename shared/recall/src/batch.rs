use std::collections::HashSet;

use tributary_domain::{BundleId, ItemId, Scored, UserContext};

use crate::{Recalled, metrics::Dropped};

/// The list a channel computed once for a user, from which pages are cut.
#[derive(Debug)]
pub(crate) struct Batch {
    items: Box<[Scored]>,
    bundle: Option<BundleId>,
    exhausted: bool,
}

/// One page of a batch.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) items: Vec<Scored>,
    pub(crate) bundle: Option<BundleId>,
}

impl Batch {
    /// Puts a channel's answer to a query of `size` into the contract's shape: best first, finite,
    /// no repeats (the better score stays), nothing seen, at most `size`. Counts what it drops.
    pub(crate) fn new(
        recalled: Recalled,
        size: usize,
        context: &UserContext,
        dropped: &Dropped,
    ) -> Self {
        let Recalled { mut items, bundle } = recalled;
        let exhausted = items.len() < size;
        items.sort_by(Scored::best_first);
        let mut taken = HashSet::with_capacity(items.len());
        items.retain(|scored| dropped.allow(verdict(scored, context, &mut taken)));
        items.truncate(size);
        Self { items: items.into_boxed_slice(), bundle, exhausted }
    }

    /// True where the channel had no more items than these.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Memory of the batch.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.items)
    }

    /// A page without the items that the user has seen since the batch was made: that happens
    /// without a new context version (items shown too often).
    ///
    /// At offset 0 these are the best `limit` of the unseen items: a user who sees a lot in the
    /// batch's lifetime still gets a full page while the batch lasts. At a further offset these are
    /// the unseen ones at positions `offset..offset + limit` of the batch as it was made, so that
    /// pages at successive offsets never overlap, whatever the user saw in between, and may be
    /// short. Where the first page went past `limit` positions to be full, the second may repeat
    /// its last items.
    pub(crate) fn page(&self, offset: usize, limit: usize, context: &UserContext) -> Page {
        let unseen = |scored: &&Scored| !context.has_seen(scored.item);
        let items = match offset {
            0 => self.items.iter().filter(unseen).take(limit).copied().collect(),
            _ => self.items.iter().skip(offset).take(limit).filter(unseen).copied().collect(),
        };
        Page { items, bundle: self.bundle.clone() }
    }
}

/// Why an item is not in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    NonFinite,
    Seen,
    Duplicate,
}

fn verdict(
    scored: &Scored,
    context: &UserContext,
    taken: &mut HashSet<ItemId>,
) -> Result<(), Flaw> {
    if !scored.score.is_finite() {
        return Err(Flaw::NonFinite);
    }
    if context.has_seen(scored.item) {
        return Err(Flaw::Seen);
    }
    if !taken.insert(scored.item) {
        return Err(Flaw::Duplicate);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tributary_domain::UserId;

    use super::*;

    fn batch(rows: &[(u64, f32)], size: usize, context: &UserContext) -> Batch {
        let items =
            rows.iter().map(|&(item, score)| Scored { item: ItemId(item), score }).collect();
        Batch::new(Recalled::live(items), size, context, &Dropped::of("test"))
    }

    fn ids(page: &Page) -> Vec<u64> {
        page.items.iter().map(|scored| scored.item.0).collect()
    }

    fn having_seen(items: &[u64]) -> UserContext {
        let seen = items.iter().copied().map(ItemId).collect();
        UserContext { seen, ..UserContext::cold(UserId(1)) }
    }

    #[test]
    fn rubbish_is_dropped() {
        let rows = [
            (1, f32::NAN),
            (2, 1.0),
            (3, 3.0),
            (2, 5.0),
            (4, f32::INFINITY),
            (5, 4.0),
            (6, f32::NEG_INFINITY),
        ];
        let context = having_seen(&[5]);
        let page = batch(&rows, 10, &context).page(0, 10, &context);
        assert_eq!(ids(&page), [2, 3]);
        assert_eq!(page.items[0].score, 5.0);
    }

    #[test]
    fn more_than_asked_is_cut_to_the_best() {
        let context = having_seen(&[]);
        let batch = batch(&[(1, 1.0), (2, 2.0), (3, 3.0)], 2, &context);
        assert_eq!(ids(&batch.page(0, 10, &context)), [3, 2]);
        assert!(!batch.is_exhausted());
    }

    #[test]
    fn what_is_seen_between_pages_shifts_no_position() {
        let fresh = having_seen(&[]);
        let rows: Vec<(u64, f32)> = (1..=6).map(|item| (item, 10.0 - item as f32)).collect();
        let batch = batch(&rows, 10, &fresh);
        assert_eq!(ids(&batch.page(0, 2, &fresh)), [1, 2]);
        let later = having_seen(&[1, 4]);
        assert_eq!(ids(&batch.page(2, 2, &later)), [3]);
        assert_eq!(ids(&batch.page(4, 2, &later)), [5, 6]);
    }

    #[test]
    fn the_first_page_is_filled_past_what_was_seen() {
        let fresh = having_seen(&[]);
        let rows: Vec<(u64, f32)> = (1..=500).map(|item| (item, 1_000.0 - item as f32)).collect();
        let batch = batch(&rows, 500, &fresh);
        let later = having_seen(&(1..=300).collect::<Vec<_>>());
        assert_eq!(ids(&batch.page(0, 200, &later)), (301..=500).collect::<Vec<_>>());
        assert!(ids(&batch.page(100, 200, &later)).is_empty());
    }

    proptest! {
        #[test]
        fn pages_tile_the_batch(
            rows in prop::collection::vec((1_u64..60, prop::num::f32::ANY), 0..80),
            seen in prop::collection::btree_set(1_u64..60, 0..10),
            limit in 1_usize..9,
        ) {
            let context = having_seen(&seen.iter().copied().collect::<Vec<_>>());
            let batch = batch(&rows, 50, &context);
            let whole = batch.page(0, 50, &context).items;
            let tiled: Vec<Scored> = (0..50)
                .step_by(limit)
                .flat_map(|offset| batch.page(offset, limit.min(50 - offset), &context).items)
                .collect();
            prop_assert_eq!(&tiled, &whole);
            let distinct: HashSet<u64> = whole.iter().map(|scored| scored.item.0).collect();
            prop_assert_eq!(distinct.len(), whole.len());
            prop_assert!(distinct.is_disjoint(&seen.into_iter().collect()));
            prop_assert!(whole.is_sorted_by(|one, next| one.score >= next.score));
            let expected: HashSet<u64> = rows
                .iter()
                .filter(|(item, score)| score.is_finite() && !context.has_seen(ItemId(*item)))
                .map(|(item, _)| *item)
                .collect();
            if expected.len() <= 50 {
                prop_assert_eq!(distinct, expected);
            }
        }
    }
}
