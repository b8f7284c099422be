//! Searches against a sorted list, and the table against its bytes.

use std::{collections::BTreeSet, sync::Arc, thread};

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::TableError;

fn vectors(seed: u64, count: usize, dimensions: usize) -> ItemVectors {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let vectors = Array2::from_shape_fn((count, dimensions), |_| random.random_range(-1.0..1.0));
    ItemVectors { ids: (1_u64..).take(count).map(|id| ItemId(id * 3)).collect(), vectors }
}

fn index(table: &ItemVectors, config: &VectorConfig) -> VectorIndex {
    VectorIndex::build(table.ids.clone(), table.vectors.clone(), config).unwrap()
}

fn graph() -> VectorConfig {
    VectorConfig { exact_below: 0, ..VectorConfig::default() }
}

fn query(seed: u64, dimensions: usize) -> Vec<f32> {
    vectors(seed + 1_000, 1, dimensions).vectors.into_raw_vec_and_offset().0
}

/// All allowed items by a plain product in double precision.
fn oracle(table: &ItemVectors, query: &[f32], skip: &dyn Fn(ItemId) -> bool) -> Vec<(ItemId, f64)> {
    let product = |row: ArrayView1<'_, f32>| -> f64 {
        row.iter().zip(query).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
    };
    let mut all: Vec<(ItemId, f64)> = table
        .ids
        .iter()
        .zip(table.vectors.rows())
        .filter(|(id, _)| !skip(**id))
        .map(|(id, row)| (*id, product(row)))
        .collect();
    all.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    all
}

#[test]
fn exact_search_is_the_sorted_list() {
    for (count, dimensions, size) in
        [(0, 4, 5), (1, 1, 5), (300, 7, 20), (300, 64, 300), (300, 50, 500), (300, 16, 0)]
    {
        let table = vectors(7, count, dimensions);
        let index = index(&table, &VectorConfig::default());
        let query = query(7, dimensions);
        let skip = |item: ItemId| item.0.is_multiple_of(2);
        let found = index.search(&query, size, &skip).unwrap();
        let expected = oracle(&table, &query, &skip);
        assert_eq!(found.len(), size.min(expected.len()));
        for (found, (item, score)) in found.iter().zip(expected) {
            assert_eq!(found.item, item);
            assert!((f64::from(found.score) - score).abs() < 1e-4);
        }
    }
}

#[test]
fn ties_go_by_id() {
    let vectors = Array2::ones((4, 3));
    let ids = [9, 2, 7, 4].map(ItemId).to_vec();
    let index = VectorIndex::build(ids, vectors, &VectorConfig::default()).unwrap();
    let found = index.search(&[1.0, 1.0, 1.0], 3, &|_| false).unwrap();
    assert_eq!(found.iter().map(|scored| scored.item.0).collect::<Vec<_>>(), [2, 4, 7]);
}

#[test]
fn the_graph_finds_nearly_all() {
    let table = vectors(1, 3_000, 16);
    let index = index(&table, &graph());
    assert!(!index.is_exact());
    let mut hits = 0;
    for seed in 0..50 {
        let query = query(seed, 16);
        let skip = |item: ItemId| item.0.is_multiple_of(5);
        let found = index.search(&query, 20, &skip).unwrap();
        assert!(found.is_sorted_by(|one, next| one.best_first(next).is_lt()));
        assert!(found.iter().all(|scored| !skip(scored.item)));
        let best = &oracle(&table, &query, &skip)[..20];
        let best: BTreeSet<ItemId> = best.iter().map(|(item, _)| *item).collect();
        hits += found.iter().filter(|scored| best.contains(&scored.item)).count();
    }
    assert!(hits >= 950, "{hits} of 1000 found");
}

#[test]
fn the_graph_is_never_short() {
    let table = vectors(2, 500, 8);
    let index = index(&table, &graph());
    // One in a hundred passes: the graph alone would run dry.
    let skip = |item: ItemId| !item.0.is_multiple_of(300);
    let query = query(2, 8);
    let found = index.search(&query, 5, &skip).unwrap();
    let expected = oracle(&table, &query, &skip);
    let expected: Vec<ItemId> = expected.iter().map(|(item, _)| *item).collect();
    assert_eq!(found.iter().map(|scored| scored.item).collect::<Vec<_>>(), expected);
}

#[test]
fn equal_graphs_give_equal_lists() {
    let table = vectors(3, 800, 8);
    let (one, other) = (index(&table, &graph()), index(&table, &graph()));
    for seed in 0..20 {
        let query = query(seed, 8);
        let search = |index: &VectorIndex| index.search(&query, 30, &|_| false).unwrap();
        assert_eq!(search(&one), search(&other));
    }
}

#[test]
fn more_threads_than_permits_wait() {
    let config = VectorConfig { concurrency: 2, ..graph() };
    let index = Arc::new(index(&vectors(4, 2_000, 8), &config));
    let threads: Vec<_> = (0..16)
        .map(|seed| {
            let index = Arc::clone(&index);
            thread::spawn(move || {
                for round in 0..50 {
                    let query = query(seed * 100 + round, 8);
                    assert_eq!(index.search(&query, 10, &|_| false).unwrap().len(), 10);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn refuses_what_it_cannot_answer() {
    let table = vectors(5, 10, 4);
    for config in [VectorConfig::default(), graph()] {
        let index = index(&table, &config);
        let search = |query: &[f32]| index.search(query, 3, &|_| false).unwrap_err();
        assert!(matches!(search(&[1.0; 3]), VectorError::Dimensions { expected: 4, found: 3 }));
        assert!(matches!(search(&[f32::NAN; 4]), VectorError::QueryNotFinite));
        assert!(matches!(search(&[f32::INFINITY; 4]), VectorError::QueryNotFinite));
    }
    let build = |ids: Vec<u64>, vectors: Array2<f32>| {
        let ids = ids.into_iter().map(ItemId).collect();
        VectorIndex::build(ids, vectors, &VectorConfig::default()).err().unwrap()
    };
    assert!(matches!(
        build(vec![1, 2], Array2::zeros((3, 2))),
        VectorError::Lengths { ids: 2, vectors: 3 }
    ));
    assert!(matches!(
        build(vec![1, 1], Array2::zeros((2, 2))),
        VectorError::Repeated { item: ItemId(1) }
    ));
    let mut bad = Array2::zeros((2, 2));
    bad[[1, 0]] = f32::NAN;
    assert!(matches!(build(vec![1, 2], bad), VectorError::NotFinite { item: ItemId(2) }));
}

#[test]
fn looks_up_vectors() {
    let table = vectors(6, 10, 4);
    let index = index(&table, &VectorConfig::default());
    assert_eq!(index.get(ItemId(6)).unwrap(), table.vectors.row(1));
    assert!(index.get(ItemId(5)).is_none());
}

#[test]
fn tables_round_trip() {
    for (count, dimensions) in [(0, 0), (0, 8), (5, 3)] {
        let table = vectors(8, count, dimensions);
        assert_eq!(ItemVectors::from_bytes(&table.to_bytes()).unwrap(), table);
    }
}

#[test]
fn says_what_is_wrong_with_a_table() {
    let good = vectors(9, 3, 2);
    let with = |change: &dyn Fn(&mut ItemVectors)| {
        let mut table = good.clone();
        change(&mut table);
        ItemVectors::from_bytes(&table.to_bytes()).unwrap_err().to_string()
    };
    assert_eq!(with(&|table| table.ids[1] = ItemId(0)), "array item_ids: holds the id 0");
    assert_eq!(with(&|table| table.ids[1] = ItemId(3)), "array item_ids: holds 3 twice");
    assert_eq!(
        with(&|table| table.vectors[[1, 1]] = f32::NAN),
        "array vectors: holds a number that is not finite"
    );
    let foreign = crate::archive::ArchiveWriter::default().to_bytes();
    let error = ItemVectors::from_bytes(&foreign).unwrap_err();
    assert!(matches!(error, TableError::Missing { name } if name == "item_ids"));
}

proptest! {
    #[test]
    fn damaged_bytes_are_an_error_or_harmless(cut in 0_usize..200, at: usize, flip in 1_u8..) {
        let good = vectors(10, 4, 3).to_bytes();
        let short = &good[..good.len().saturating_sub(cut + 1)];
        prop_assert!(ItemVectors::from_bytes(short).is_err());
        let mut flipped = good;
        let place = at % flipped.len();
        flipped[place] ^= flip;
        // Flipped numbers may still be numbers; nothing may panic.
        if let Ok(table) = ItemVectors::from_bytes(&flipped) {
            prop_assert_eq!(table.ids.len(), table.vectors.nrows());
        }
    }
}
