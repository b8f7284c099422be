//! What of a channel's answer can be used. The bad part is dropped and named, the rest counts.
//!
//! Ids that the catalogue does not know are left to the filters, which look every candidate up.

use std::{collections::HashSet, fmt::Write};

use tributary_domain::{ItemId, Scored};

use super::ColdItem;

/// The usable part of an answer.
#[derive(Debug, PartialEq)]
pub(super) struct Checked {
    /// In the order of the answer.
    pub(super) items: Vec<Scored>,
    /// What was dropped, for people; `None` where the answer was sound.
    pub(super) flaws: Option<String>,
}

/// Columns of different lengths cannot be paired: the whole answer is dropped. Otherwise zero ids,
/// scores that are not finite, repeats after the first, and what exceeds `limit` are.
pub(super) fn check(ids: &[u64], scores: &[f32], limit: usize) -> Checked {
    if ids.len() != scores.len() {
        let flaw = format!("{} items with {} scores", ids.len(), scores.len());
        return Checked { items: Vec::new(), flaws: Some(flaw) };
    }
    let mut flaws = Flaws { beyond: ids.len().saturating_sub(limit), ..Flaws::default() };
    let mut met = HashSet::with_capacity(ids.len().min(limit));
    let mut items = Vec::with_capacity(ids.len().min(limit));
    for (&id, &score) in ids.iter().zip(scores).take(limit) {
        match () {
            () if id == 0 => flaws.zero += 1,
            () if !score.is_finite() => flaws.not_finite += 1,
            () if !met.insert(id) => flaws.repeated += 1,
            () => items.push(Scored { item: ItemId(id), score }),
        }
    }
    Checked { items, flaws: flaws.describe() }
}

/// The usable cold items of an answer.
#[derive(Debug, PartialEq)]
pub(super) struct CheckedCold {
    pub(super) items: Vec<ColdItem>,
    pub(super) flaws: Option<String>,
}

/// By the same rules as for lists: more than `limit`, repeats and zero ids are dropped.
pub(super) fn check_cold(ids: &[u64], impressions: &[u64], limit: usize) -> CheckedCold {
    if ids.len() != impressions.len() {
        let flaw = format!("{} cold items with {} counts", ids.len(), impressions.len());
        return CheckedCold { items: Vec::new(), flaws: Some(flaw) };
    }
    let mut met = HashSet::new();
    let rows = ids.iter().zip(impressions).take(limit);
    let sound = rows.filter(|(id, _)| **id != 0 && met.insert(**id));
    let items: Vec<ColdItem> =
        sound.map(|(id, count)| ColdItem { item: ItemId(*id), impressions: *count }).collect();
    let bad = ids.len() - items.len();
    CheckedCold { items, flaws: (bad > 0).then(|| format!("{bad} cold items of no use")) }
}

#[derive(Default)]
struct Flaws {
    zero: usize,
    not_finite: usize,
    repeated: usize,
    beyond: usize,
}

impl Flaws {
    fn describe(&self) -> Option<String> {
        let mut text = String::new();
        for (count, what) in [
            (self.zero, "zero ids"),
            (self.not_finite, "scores that are not finite"),
            (self.repeated, "repeated items"),
            (self.beyond, "items more than asked for"),
        ] {
            if count > 0 {
                let separator = if text.is_empty() { "" } else { ", " };
                write!(text, "{separator}{count} {what}").expect("a string takes what is written");
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bad_part_is_dropped_and_named() {
        const NAN: f32 = f32::NAN;
        const INF: f32 = f32::INFINITY;
        for (ids, scores, limit, kept, flaws) in [
            (&[3, 1, 2][..], &[3.0, 2.0, 1.0][..], 3, &[3, 1, 2][..], None),
            (&[], &[], 3, &[], None),
            (&[3, 3, 2], &[3.0, 2.0, 1.0], 3, &[3, 2], Some("1 repeated items")),
            (&[3, 0, 2], &[3.0, 2.0, 1.0], 3, &[3, 2], Some("1 zero ids")),
            (&[3, 1, 2], &[NAN, INF, 1.0], 3, &[2], Some("2 scores that are not finite")),
            (&[3, 1, 2], &[3.0, 2.0, 1.0], 2, &[3, 1], Some("1 items more than asked for")),
            (&[3, 1, 2], &[3.0, 2.0], 3, &[], Some("3 items with 2 scores")),
            (
                &[0, 1, 1, 2],
                &[1.0, 1.0, 1.0, 1.0],
                3,
                &[1],
                Some("1 zero ids, 1 repeated items, 1 items more than asked for"),
            ),
            // An item with a bad score may come again with a good one.
            (&[5, 5], &[NAN, 1.0], 3, &[5], Some("1 scores that are not finite")),
        ] {
            let checked = check(ids, scores, limit);
            let items: Vec<u64> = checked.items.iter().map(|scored| scored.item.0).collect();
            assert_eq!(items, kept, "{ids:?} {scores:?}");
            assert_eq!(checked.flaws.as_deref(), flaws, "{ids:?} {scores:?}");
        }
    }

    #[test]
    fn cold_items_follow_the_same_rules() {
        for (ids, counts, limit, kept, flaws) in [
            (&[3, 1][..], &[0, 5][..], 9, &[3, 1][..], None),
            (&[], &[], 0, &[], None),
            (&[3, 0, 3, 2], &[0, 0, 1, 1], 9, &[3, 2], Some("2 cold items of no use")),
            (&[3, 2], &[0, 0], 1, &[3], Some("1 cold items of no use")),
            (&[3, 2], &[0], 9, &[], Some("2 cold items with 1 counts")),
        ] {
            let checked = check_cold(ids, counts, limit);
            let items: Vec<u64> = checked.items.iter().map(|cold| cold.item.0).collect();
            assert_eq!((&*items, checked.flaws.as_deref()), (kept, flaws), "{ids:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_what_is_kept_is_sound(
            rows in prop::collection::vec((0_u64..30, any::<f32>()), 0..60),
            limit in 0_usize..40,
        ) {
            let (ids, scores): (Vec<u64>, Vec<f32>) = rows.into_iter().unzip();
            let Checked { items, flaws } = check(&ids, &scores, limit);
            let distinct: HashSet<_> = items.iter().map(|scored| scored.item).collect();
            prop_assert_eq!(distinct.len(), items.len());
            prop_assert!(items.iter().all(|one| one.item.0 != 0 && one.score.is_finite()));
            prop_assert!(items.len() <= limit);
            prop_assert_eq!(flaws.is_none(), items.len() == ids.len());
        }
    }
}
