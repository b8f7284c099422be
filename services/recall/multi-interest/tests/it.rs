//! The service from outside: a bundle is published, swapped, refused.

#![allow(clippy::unwrap_used, reason = "a test panics where something is wrong")]

use std::{path::Path, time::Duration};

use ndarray::{Array2, array};
use tonic::Code;
use tributary_bundle::{Store, StoreConfig};
use tributary_domain::{Action, Item, ItemId, UserContext, UserId};
use tributary_mesh::ClientConfig;
use tributary_recall::LiveConfig;
use tributary_recall_multi_interest::{Config, start};
use tributary_runtime::{Configuration, Listeners};
use tributary_testkit::{
    FakeFeature, RecallChannel, TestFolder, TinyBundle, bookmarks, golden, is_serving, of_genre,
    six_vectors, wait_until, wait_until_serving,
};

const SERVICE: &str = "tributary.recall.v1.RecallService";
const PATIENCE: Duration = Duration::from_secs(20);
const VECTORS: &str = "tables/multi_interest_vectors.safetensors";
const ITEMS: [u64; 6] = [1, 2, 3, 4, 5, 6];

/// A bundle whose vectors are of those items.
fn bundle(ids: [u64; 6]) -> TinyBundle {
    TinyBundle::multi_interest().with_vectors(VECTORS, ids, six_vectors())
}

/// Without a feature service: what the bundle holds is all there is.
async fn alone(store: &Store) -> RecallChannel {
    start_with(store, Config { startup_wait: Duration::ZERO, ..Config::default() }).await
}

/// Follows the items of a feature service; nothing but what the test does renews the lists.
async fn following(store: &Store, feature: &str) -> RecallChannel {
    let live = LiveConfig { renew: Duration::from_hours(1), ..LiveConfig::default() };
    let feature = ClientConfig::at(feature);
    start_with(store, Config { feature, live, ..Config::default() }).await
}

async fn start_with(store: &Store, config: Config) -> RecallChannel {
    let poll = Duration::from_millis(5);
    let bundle = StoreConfig { store: store.folder().to_owned(), poll };
    let config = Config { bundle, ..config };
    let listeners = Listeners::ephemeral().await;
    let address = listeners.grpc_address();
    RecallChannel::spawn(address, |shutdown| start(config, listeners, shutdown))
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_once_a_bundle_is_published_and_follows_the_behaviour() {
    let folder = TestFolder::new("multi-interest");
    let store = Store::at(folder.path());
    let service = alone(&store).await;

    wait_until(|| async { service.recall(bookmarks(&[1], 1)).await.is_err() }, PATIENCE).await;
    let refused = service.recall(bookmarks(&[1], 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("no bundle published yet"), "{refused}");
    assert!(!is_serving(service.address(), SERVICE).await);

    let published = bundle(ITEMS).write(&store);
    store.publish(&published).unwrap();
    wait_until_serving(service.address(), SERVICE, PATIENCE).await;

    let one_way = service.recall(bookmarks(&[1, 2], 1)).await.unwrap();
    assert_eq!(one_way.item_ids, [3, 6, 5]);
    assert_eq!(one_way.bundle_id, published.as_str());
    // The best of each way come first; to the mean of both ways all items would be equally near.
    let both_ways = service.recall(bookmarks(&[1, 4], 2)).await.unwrap();
    assert_eq!(both_ways.item_ids, [2, 5, 3]);
    assert_eq!(both_ways.scores, [0.9, 0.9, 0.8]);
    let nearly_all_seen = service.recall(bookmarks(&[1, 2, 4, 5, 6], 3)).await.unwrap();
    assert_eq!(nearly_all_seen.item_ids, [3]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_items_gets_an_empty_list() {
    let folder = TestFolder::new("multi-interest");
    let store = Store::at(folder.path());
    store.publish(&bundle(ITEMS).write(&store)).unwrap();
    let service = alone(&store).await;
    wait_until_serving(service.address(), SERVICE, PATIENCE).await;

    let mut hid_one = bookmarks(&[1], 1);
    hid_one.behaviours[0].action = Action::Hide;
    for context in [UserContext::cold(UserId(9)), hid_one, bookmarks(&[77], 2)] {
        assert!(service.recall(context).await.unwrap().item_ids.is_empty());
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_bundle_is_swapped_in_whole_and_a_bad_one_is_refused() {
    let folder = TestFolder::new("multi-interest");
    let store = Store::at(folder.path());
    let first = bundle(ITEMS).write(&store);
    store.publish(&first).unwrap();
    let service = alone(&store).await;
    service.answers_from(&first).await;

    let wrong = golden("interests", array![[[0.9, 0.0], [0.0, 1.0]]].into_dyn());
    let wrong = bundle(ITEMS).with("golden/multi_interest_user.safetensors", wrong).write(&store);
    let second = bundle([11, 12, 13, 14, 15, 16]).write(&store);
    store.publish(&wrong).unwrap();
    assert_eq!(service.recall(bookmarks(&[1], 1)).await.unwrap().bundle_id, first.as_str());
    store.publish(&second).unwrap();
    service.answers_from(&second).await;
    let answer = service.recall(bookmarks(&[1], 1)).await.unwrap();
    assert_eq!(answer.item_ids, [11, 12, 13]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_items_are_placed_and_deleted_ones_are_gone() {
    let folder = TestFolder::new("multi-interest");
    let store = Store::at(folder.path());
    let bundle = bundle(ITEMS).with_item_tower("multi_interest_item");
    store.publish(&bundle.write(&store)).unwrap();
    let feature = FakeFeature::new();
    feature.upsert([of_genre(7, "a"), of_genre(8, "d")]);
    let server = feature.start();
    let service = following(&store, &server.url()).await;
    wait_until_serving(service.address(), SERVICE, PATIENCE).await;
    let one = bookmarks(&[1, 2], 1);
    service.gives(&one, &[7, 3, 6]).await;
    service.gives(&bookmarks(&[4, 5], 2), &[8, 6, 3]).await;
    feature.delete(ItemId(7));
    feature.upsert([Item { hidden: true, ..of_genre(3, "c") }]);
    service.gives(&one, &[6, 5, 4]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_bundle_of_no_use_is_named_with_the_reason() {
    for (name, useless, reason) in [
        (
            "of another space",
            TinyBundle::multi_interest().with_vectors(VECTORS, ITEMS, Array2::ones((6, 3))),
            "with vectors of 3 numbers",
        ),
        (
            "without its vectors",
            TinyBundle::multi_interest(),
            "file tables/multi_interest_vectors.safetensors of bundle",
        ),
    ] {
        let folder = TestFolder::new("multi-interest");
        let store = Store::at(folder.path());
        let useless = useless.write(&store);
        store.publish(&useless).unwrap();
        let service = alone(&store).await;
        let refused = async || service.recall(bookmarks(&[1], 1)).await.err();
        let told = || async {
            refused().await.is_some_and(|status| status.message().contains(useless.as_str()))
        };
        wait_until(told, PATIENCE).await;
        let refused = refused().await.unwrap();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{name}");
        assert!(refused.message().contains(reason), "{name}: {refused}");
        assert!(!is_serving(service.address(), SERVICE).await, "{name}");
        service.stop().await;
    }
}

#[test]
fn the_default_file_is_the_default() {
    let file = "../../../deploy/config/recall-multi-interest.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let config: Config = tributary_runtime::load(Some(&path)).unwrap();
    assert_eq!(config.server(), Config::default().server());
}
