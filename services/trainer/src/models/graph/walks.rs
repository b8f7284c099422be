//! Which items matter to an item: how often random walks from it come by (Ying et al., Graph
//! Convolutional Neural Networks for Web-Scale Recommender Systems, 2018).

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::windows::Sparse;
use crate::{interactions::position, number::narrow};

/// How the walks go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walks {
    /// Steps from item to item, over all walks from an item.
    pub(super) steps: usize,
    /// Chance that a walk begins anew after a step.
    pub(super) restart: f64,
    /// Most visited items that are kept.
    pub(super) neighbours: usize,
    pub(super) seed: u64,
}

/// For each item its most visited others with their share of the kept visits, most visited first.
/// Every item walks with random numbers of its own, so that threads do not matter.
pub(super) fn neighbours(graph: &Sparse, walks: Walks) -> Vec<Vec<(u32, f32)>> {
    let items = graph.transposed();
    (0..graph.columns())
        .into_par_iter()
        .map(|item| {
            let mut random = ChaCha8Rng::seed_from_u64(walks.seed);
            random.set_stream(u64::try_from(item).expect("memory has fewer than 2^64 bytes"));
            most_visited(visits(graph, &items, item, walks, &mut random), walks.neighbours)
        })
        .collect()
}

fn visits(
    graph: &Sparse,
    items: &Sparse,
    start: usize,
    walks: Walks,
    random: &mut ChaCha8Rng,
) -> BTreeMap<u32, u32> {
    let mut visits = BTreeMap::new();
    let mut at = start;
    for _ in 0..walks.steps {
        let window = pick(items.row(at), random);
        let next = pick(graph.row(position(window)), random);
        at = position(next);
        if at != start {
            *visits.entry(next).or_default() += 1;
        }
        if random.random_bool(walks.restart) {
            at = start;
        }
    }
    visits
}

fn pick(row: &[(u32, f32)], random: &mut ChaCha8Rng) -> u32 {
    row[random.random_range(0..row.len())].0
}

fn most_visited(visits: BTreeMap<u32, u32>, size: usize) -> Vec<(u32, f32)> {
    let mut list: Vec<(u32, u32)> = visits.into_iter().collect();
    list.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    list.truncate(size);
    let total: f64 = list.iter().map(|(_, visits)| f64::from(*visits)).sum();
    let share = |visits: u32| narrow(f64::from(visits) / total);
    list.into_iter().map(|(item, visits)| (item, share(visits))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_follow_the_windows() {
        // Items 0 and 1 share three windows, 0 and 2 one, 3 stands with 4 alone.
        let windows = [&[0, 1][..], &[0, 1], &[1, 0], &[0, 2], &[3, 4]];
        let rows = windows.iter().map(|window| window.iter().map(|item| (*item, 1.0)).collect());
        let graph = Sparse::from_rows(rows.collect(), 5);
        let walks = Walks { steps: 4_000, restart: 1.0, neighbours: 10, seed: 3 };
        let found = neighbours(&graph, walks);
        let items = |row: usize| found[row].iter().map(|(item, _)| *item).collect::<Vec<u32>>();
        assert_eq!([items(0), items(2), items(3)], [vec![1, 2], vec![0], vec![4]]);
        assert!((found[0][0].1 - 0.75).abs() < 0.05, "{:?}", found[0]);
        assert_eq!(found, neighbours(&graph, walks));
        let one = neighbours(&graph, Walks { neighbours: 1, ..walks });
        assert_eq!(one[0], [(1, 1.0)]);
    }
}
