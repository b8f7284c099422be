//! Which rows make a step.

use std::collections::HashMap;

use rand::{Rng, seq::SliceRandom};

/// Rows of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) rows: Vec<usize>,
    /// Sizes of the groups that the rows are, one after another; `None` where groups do not
    /// matter.
    pub(super) groups: Option<Vec<usize>>,
}

/// What is kept together in one batch: single rows, or the rows of a group.
#[derive(Debug)]
pub(super) enum Units {
    Rows(usize),
    Groups(Vec<Vec<usize>>),
}

impl Units {
    /// Groups where they are given, in the order of their first rows.
    pub(super) fn new(rows: usize, groups: Option<&[u32]>) -> Self {
        let Some(groups) = groups else { return Self::Rows(rows) };
        let mut places = HashMap::new();
        let mut units: Vec<Vec<usize>> = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            let place = *places.entry(group).or_insert(units.len());
            match units.get_mut(place) {
                Some(unit) => unit.push(row),
                None => units.push(vec![row]),
            }
        }
        Self::Groups(units)
    }

    /// Batches in the order of the rows, each ended by the unit that makes it `size` rows or more.
    pub(super) fn batches(&self, size: usize) -> Vec<Batch> {
        self.cut(&self.places(), size)
    }

    /// The same in random order.
    pub(super) fn shuffled(&self, size: usize, random: &mut impl Rng) -> Vec<Batch> {
        let mut order = self.places();
        order.shuffle(random);
        self.cut(&order, size)
    }

    fn places(&self) -> Vec<usize> {
        match self {
            Self::Rows(rows) => (0..*rows).collect(),
            Self::Groups(units) => (0..units.len()).collect(),
        }
    }

    fn cut(&self, order: &[usize], size: usize) -> Vec<Batch> {
        let units = match self {
            Self::Rows(_) => {
                let batch = |rows: &[usize]| Batch { rows: rows.to_vec(), groups: None };
                return order.chunks(size).map(batch).collect();
            }
            Self::Groups(units) => units,
        };
        let mut batches: Vec<Batch> = Vec::new();
        for unit in order.iter().map(|&place| &units[place]) {
            match batches.last_mut().filter(|batch| batch.rows.len() < size) {
                Some(Batch { rows, groups: Some(sizes) }) => {
                    rows.extend(unit);
                    sizes.push(unit.len());
                }
                _ => batches.push(Batch { rows: unit.clone(), groups: Some(vec![unit.len()]) }),
            }
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn groups_stay_whole() {
        let groups = [7, 3, 7, 3, 3, 9, 1, 1];
        let units = Units::new(groups.len(), Some(&groups));
        let batches = units.batches(3);
        let rows: Vec<&[usize]> = batches.iter().map(|batch| &batch.rows[..]).collect();
        assert_eq!(rows, [&[0, 2, 1, 3, 4][..], &[5, 6, 7]]);
        let sizes: Vec<_> = batches.iter().map(|batch| batch.groups.as_deref()).collect();
        assert_eq!(sizes, [Some(&[2, 3][..]), Some(&[1, 2])]);
    }

    #[test]
    fn every_row_is_in_one_batch() {
        let groups: Vec<u32> = (0..500).map(|row| row * row % 37).collect();
        for groups in [None, Some(&groups[..])] {
            let units = Units::new(500, groups);
            let batches = units.shuffled(64, &mut ChaCha8Rng::seed_from_u64(2));
            assert!(batches.iter().rev().skip(1).all(|batch| batch.rows.len() >= 64));
            let mut rows: Vec<usize> = batches.into_iter().flat_map(|batch| batch.rows).collect();
            assert!(!rows.is_sorted());
            rows.sort_unstable();
            assert!(rows.into_iter().eq(0..500));
        }
    }
}
