//! One list out of several searches.

use std::collections::HashMap;

use tributary_domain::{ItemId, Scored};

use crate::top::top;

/// The `size` best items of all lists, each once with its best score, best first, ties by id.
/// The order of the lists does not matter.
pub fn merge_by_score(lists: Vec<Vec<Scored>>, size: usize) -> Vec<Scored> {
    let mut best: HashMap<ItemId, Scored> = HashMap::new();
    for scored in lists.into_iter().flatten() {
        let entry = best.entry(scored.item).or_insert(scored);
        if scored.best_first(entry).is_lt() {
            *entry = scored;
        }
    }
    top(best.into_values().collect(), size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list() -> impl Strategy<Value = Vec<Scored>> {
        let entry = (1_u64..20, -3_i8..3)
            .prop_map(|(item, score)| Scored { item: ItemId(item), score: f32::from(score) });
        prop::collection::vec(entry, 0..15)
    }

    proptest! {
        #[test]
        fn is_the_sorted_union_without_repeats(
            lists in prop::collection::vec(list(), 0..5), size in 0_usize..25,
        ) {
            let mut expected: Vec<Scored> = lists.concat();
            expected.sort_by(Scored::best_first);
            let mut met = std::collections::HashSet::new();
            expected.retain(|scored| met.insert(scored.item));
            expected.truncate(size);
            prop_assert_eq!(merge_by_score(lists.clone(), size), expected.clone());
            let reversed = lists.into_iter().rev().collect();
            prop_assert_eq!(merge_by_score(reversed, size), expected);
        }
    }
}
