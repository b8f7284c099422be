//! What changes while an index is served: items that get a vector, another one, or go.
//!
//! The graph has a fixed size and is dear to build, so the changes lie beside it: the vectors of new
//! and changed items in a table that is searched exactly, and a bit for each row of the base that is
//! not to be found any more. The next bundle takes the table in.

use std::sync::Arc;

use tributary_domain::{ItemId, Scored};

use super::{VectorError, VectorIndex, exact::dot};
use crate::top::top;

/// One item's change.
#[derive(Debug, Clone, PartialEq)]
pub enum VectorChange {
    /// It has this vector now, whatever it had, and is found.
    Placed(ItemId, Vec<f32>),
    /// It is as it was when the index was built, and is found where it was in it.
    Restored(ItemId),
    /// It is not found any more.
    Withdrawn(ItemId),
}

/// The changes since an index was built. Clones share what they have in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Overlay {
    vectors: imbl::HashMap<ItemId, Arc<[f32]>>,
    withdrawn: imbl::HashSet<ItemId>,
    /// A bit for each row of the base that is replaced or withdrawn; empty where none is.
    covered: Arc<[u64]>,
}

impl VectorIndex {
    /// This index after changes, of which the last of an item counts. Takes a copy of one bit an
    /// indexed item.
    pub fn changed(
        &self,
        changes: impl IntoIterator<Item = VectorChange>,
    ) -> Result<Self, VectorError> {
        let mut overlay = self.overlay.clone();
        let mut covered = match overlay.covered.is_empty() {
            true => vec![0; self.len().div_ceil(64)],
            false => overlay.covered.to_vec(),
        };
        let mut cover = |item: ItemId, is_covered: bool| {
            if let Some(row) = self.base.rows.get(&item) {
                let bit = 1 << (row % 64);
                match is_covered {
                    true => covered[row / 64] |= bit,
                    false => covered[row / 64] &= !bit,
                }
            }
        };
        for change in changes {
            match change {
                VectorChange::Placed(item, vector) => {
                    self.check_vector(item, &vector)?;
                    overlay.vectors.insert(item, vector.into());
                    overlay.withdrawn.remove(&item);
                    cover(item, true);
                }
                VectorChange::Restored(item) => {
                    overlay.vectors.remove(&item);
                    overlay.withdrawn.remove(&item);
                    cover(item, false);
                }
                VectorChange::Withdrawn(item) => {
                    overlay.withdrawn.insert(item);
                    cover(item, true);
                }
            }
        }
        overlay.covered = covered.into();
        Ok(Self { base: Arc::clone(&self.base), overlay })
    }

    /// The index as it was built.
    #[must_use]
    pub fn without_changes(&self) -> Self {
        Self { base: Arc::clone(&self.base), overlay: Overlay::default() }
    }

    fn check_vector(&self, item: ItemId, vector: &[f32]) -> Result<(), VectorError> {
        let expected = self.dimensions();
        if vector.len() != expected {
            return Err(VectorError::Dimensions { expected, found: vector.len() });
        }
        match vector.iter().all(|value| value.is_finite()) {
            true => Ok(()),
            false => Err(VectorError::NotFinite { item }),
        }
    }
}

impl Overlay {
    /// True where the row of the base is not to be found.
    pub(super) fn covers(&self, row: usize) -> bool {
        self.covered.get(row / 64).is_some_and(|bits| bits & (1 << (row % 64)) != 0)
    }

    pub(super) fn get(&self, item: ItemId) -> Option<&[f32]> {
        self.vectors.get(&item).map(|vector| &**vector)
    }

    pub(super) fn placed(&self) -> usize {
        self.vectors.len()
    }

    /// The best of the placed ones, by all of their products.
    pub(super) fn search(
        &self,
        query: &[f32],
        size: usize,
        skip: &dyn Fn(ItemId) -> bool,
    ) -> Vec<Scored> {
        let shown = |item: &ItemId| !self.withdrawn.contains(item) && !skip(*item);
        let vectors = self.vectors.iter().filter(|(item, _)| shown(item));
        let scored =
            vectors.map(|(item, vector)| Scored { item: *item, score: dot(query, vector) });
        top(scored.collect(), size)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::Array2;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{
        super::{VectorConfig, VectorError, VectorIndex},
        *,
    };

    const WIDTH: usize = 3;

    fn vector(seed: u64) -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..WIDTH).map(|_| random.random_range(-1.0..1.0)).collect()
    }

    /// Items 1 to `count`, the vector of each drawn from its id.
    fn index(count: u64, exact_below: usize) -> VectorIndex {
        let ids: Vec<ItemId> = (1..=count).map(ItemId).collect();
        let values = ids.iter().flat_map(|item| vector(item.0)).collect();
        let vectors = Array2::from_shape_vec((ids.len(), WIDTH), values).unwrap();
        let config = VectorConfig { exact_below, ..VectorConfig::default() };
        VectorIndex::build(ids, vectors, &config).unwrap()
    }

    /// Placed with the vector of a seed, restored, or withdrawn.
    fn change() -> impl Strategy<Value = VectorChange> {
        let item = || (1_u64..25).prop_map(ItemId);
        prop_oneof![
            (item(), 100_u64..999)
                .prop_map(|(item, seed)| VectorChange::Placed(item, vector(seed))),
            item().prop_map(VectorChange::Restored),
            item().prop_map(VectorChange::Withdrawn),
        ]
    }

    proptest! {
        #[test]
        fn a_changed_index_finds_what_one_built_anew_would(
            changes in prop::collection::vec(change(), 0..60),
            cuts in prop::collection::vec(0_usize..60, 0..4),
            seen in prop::collection::btree_set(1_u64..25, 0..4),
            graph: bool,
        ) {
            const COUNT: u64 = 15;
            let built = index(COUNT, if graph { 0 } else { usize::MAX });
            let mut changed = built.clone();
            let mut rest = changes.clone();
            for cut in cuts {
                let later = rest.split_off(cut.min(rest.len()));
                changed = changed.changed(std::mem::replace(&mut rest, later)).unwrap();
            }
            changed = changed.changed(rest).unwrap();

            let mut expected: BTreeMap<ItemId, Vec<f32>> =
                (1..=COUNT).map(|id| (ItemId(id), vector(id))).collect();
            for change in changes {
                match change {
                    VectorChange::Placed(item, vector) => expected.insert(item, vector),
                    VectorChange::Restored(item) if item.0 <= COUNT => {
                        expected.insert(item, vector(item.0))
                    }
                    VectorChange::Restored(item) | VectorChange::Withdrawn(item) => {
                        expected.remove(&item)
                    }
                };
            }
            let query = vector(5_000);
            let mut expected: Vec<Scored> = expected
                .iter()
                .filter(|(item, _)| !seen.contains(&item.0))
                .map(|(item, vector)| Scored { item: *item, score: dot(&query, vector) })
                .collect();
            expected.sort_by(Scored::best_first);
            let found = changed.search(&query, 10, &|item| seen.contains(&item.0)).unwrap();
            prop_assert_eq!(found, expected[..expected.len().min(10)].to_vec());
            let as_built = changed.without_changes().search(&query, 99, &|_| false).unwrap();
            prop_assert_eq!(as_built, built.search(&query, 99, &|_| false).unwrap());
        }
    }

    #[test]
    fn a_withdrawn_item_keeps_its_vector_for_those_who_dealt_with_it() {
        let (old, new) = (ItemId(2), ItemId(70));
        let gone = [VectorChange::Withdrawn(old), VectorChange::Withdrawn(new)];
        let changed = index(5, 99).changed([VectorChange::Placed(new, vector(7))]).unwrap();
        let changed = changed.changed(gone).unwrap();
        assert_eq!(changed.get(old).unwrap().to_vec(), vector(2));
        assert_eq!(changed.get(new).unwrap().to_vec(), vector(7));
    }

    #[test]
    fn refuses_vectors_of_another_space() {
        let place = |vector: Vec<f32>| {
            index(5, 99).changed([VectorChange::Placed(ItemId(9), vector)]).err().unwrap()
        };
        assert!(matches!(place(vec![1.0]), VectorError::Dimensions { expected: 3, found: 1 }));
        assert!(matches!(place(vec![f32::NAN; 3]), VectorError::NotFinite { item: ItemId(9) }));
    }
}
