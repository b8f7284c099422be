//! An index that follows a log told by hand.

use std::sync::Mutex;

use ndarray::array;
use tributary_domain::Item;
use tributary_feed::ItemSink;
use tributary_retrieval::vector::{VectorConfig, VectorIndex};
use tributary_testkit::of_genre;

use super::*;
use crate::{Placing, PlacingError};

/// Places items of genre "x" one way and all others the other way; the bundle's vectors stand for
/// items of genre "known". Tells which items it placed.
#[derive(Clone, Default)]
struct ByGenre(Arc<Mutex<Vec<u64>>>);

impl Placing for ByGenre {
    fn stands(&self, item: &Item) -> bool {
        item.genres == ["known"]
    }

    fn place(&self, items: &[&Item]) -> Result<Vec<Option<Vec<f32>>>, PlacingError> {
        self.0.lock().unwrap().extend(items.iter().map(|item| item.id.0));
        let place = |item: &&Item| match item.genres[..] == ["nowhere"] {
            true => None,
            false => Some(if item.genres == ["x"] { vec![1.0, 0.0] } else { vec![0.0, 1.0] }),
        };
        Ok(items.iter().map(place).collect())
    }
}

/// Items 1 and 2 of a bundle, both half-way.
fn index(placing: ByGenre) -> Arc<FreshIndex> {
    let ids = [1, 2].map(ItemId).to_vec();
    let vectors = array![[0.5, 0.5], [0.4, 0.4]];
    let index = VectorIndex::build(ids, vectors, &VectorConfig::default()).unwrap();
    Arc::new(FreshIndex::new(index, Some(Box::new(placing))))
}

fn upsert(id: u64, genre: &str) -> ItemChange {
    ItemChange::Upserted(of_genre(id, genre))
}

fn hide(id: u64) -> ItemChange {
    ItemChange::Upserted(Item { hidden: true, ..of_genre(id, "x") })
}

/// What is found in the way of "x", best first.
fn found(index: &FreshIndex) -> Vec<u64> {
    let found = index.snapshot().search(&[1.0, 0.1], 10, &|_| false).unwrap();
    found.iter().map(|scored| scored.item.0).collect()
}

#[test]
fn new_and_changed_items_are_placed_and_gone_ones_are_not_found() {
    let placing = ByGenre::default();
    let (items, index) = (Items::new(), index(placing.clone()));
    items.join(&index);
    let mut sink = items.sink();
    for (changes, expected, placed) in [
        (vec![upsert(1, "known"), upsert(2, "known")], &[1, 2][..], &[][..]),
        (vec![upsert(3, "x"), upsert(4, "y")], &[3, 1, 2, 4], &[3, 4]),
        // An item of the bundle that changed leaves its place in it, and goes back.
        (vec![upsert(2, "x")], &[2, 3, 1, 4], &[2]),
        (vec![upsert(2, "known")], &[3, 1, 2, 4], &[]),
        (vec![ItemChange::Deleted(ItemId(3)), hide(1)], &[2, 4], &[]),
        // Of several changes of an item the last one counts.
        (vec![upsert(3, "x"), ItemChange::Deleted(ItemId(3)), upsert(3, "y")], &[2, 3, 4], &[3]),
        (vec![upsert(4, "x"), hide(4), upsert(1, "known")], &[1, 2, 3], &[]),
        (vec![upsert(5, "nowhere")], &[1, 2, 3], &[5]),
    ] {
        placing.0.lock().unwrap().clear();
        sink.apply(&changes);
        assert_eq!(found(&index), expected, "{changes:?}");
        assert_eq!(*placing.0.lock().unwrap(), placed, "{changes:?}");
    }
    let gone: Vec<u64> = items.gone().iter().map(|item| item.0).collect();
    assert_eq!(gone, [4]);
}

#[test]
fn a_bundle_that_is_loaded_later_knows_what_the_log_said_before() {
    let items = Items::new();
    let mut sink = items.sink();
    sink.apply(&[upsert(1, "known"), upsert(3, "x"), hide(2), ItemChange::Deleted(ItemId(9))]);
    let (one, other) = (index(ByGenre::default()), index(ByGenre::default()));
    items.join(&one);
    items.join(&other);
    sink.apply(&[upsert(4, "x")]);
    assert_eq!((found(&one), found(&other)), (vec![3, 4, 1], vec![3, 4, 1]));
    drop(one);
    sink.apply(&[ItemChange::Deleted(ItemId(3))]);
    assert_eq!(found(&other), [4, 1]);
}

#[test]
fn another_store_begins_with_the_bundle() {
    let (items, index) = (Items::new(), index(ByGenre::default()));
    items.join(&index);
    let mut sink = items.sink();
    sink.apply(&[upsert(3, "x"), ItemChange::Deleted(ItemId(1))]);
    sink.restart();
    assert_eq!(found(&index), [1, 2]);
    assert!(items.gone().is_empty() && items.catalog().snapshot().is_empty());
    sink.apply(&[upsert(4, "x")]);
    assert_eq!(found(&index), [4, 1, 2]);
}

#[test]
fn what_cannot_be_placed_keeps_no_deleted_item_in_the_lists() {
    /// Gives vectors of another space.
    struct Broken;
    impl Placing for Broken {
        fn stands(&self, _: &Item) -> bool {
            false
        }

        fn place(&self, items: &[&Item]) -> Result<Vec<Option<Vec<f32>>>, PlacingError> {
            Ok(vec![Some(vec![1.0; 3]); items.len()])
        }
    }
    let vectors = array![[0.5, 0.5], [0.4, 0.4]];
    let ids = [1, 2].map(ItemId).to_vec();
    let index = VectorIndex::build(ids, vectors, &VectorConfig::default()).unwrap();
    let (items, index) = (Items::new(), Arc::new(FreshIndex::new(index, Some(Box::new(Broken)))));
    items.join(&index);
    items.sink().apply(&[upsert(3, "x"), ItemChange::Deleted(ItemId(1))]);
    assert_eq!(found(&index), [2]);
}
