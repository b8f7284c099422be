//! The service from outside: a bundle is published, swapped, refused.

#![allow(clippy::unwrap_used, reason = "a test panics where something is wrong")]

use std::{path::Path, time::Duration};

use ndarray::Array2;
use tonic::Code;
use tributary_bundle::{Store, StoreConfig};
use tributary_domain::{Action, Item, ItemId, UserContext, UserId};
use tributary_mesh::ClientConfig;
use tributary_recall::LiveConfig;
use tributary_recall_graph::{Config, start};
use tributary_retrieval::vector::ItemVectors;
use tributary_runtime::{Configuration, Listeners};
use tributary_testkit::{
    FakeFeature, RecallChannel, TestFolder, TinyBundle, bookmarks, is_serving, of_genre,
    six_vectors, wait_until, wait_until_serving,
};

const SERVICE: &str = "tributary.recall.v1.RecallService";
const PATIENCE: Duration = Duration::from_secs(20);
const VECTORS: &str = "tables/graph_vectors.safetensors";
const ITEMS: [u64; 6] = [1, 2, 3, 4, 5, 6];

/// A bundle whose vectors are of those items.
fn bundle(ids: [u64; 6]) -> TinyBundle {
    TinyBundle::default().with_vectors(VECTORS, ids, six_vectors())
}

/// Vectors with a number that is none.
fn not_finite() -> Vec<u8> {
    let vectors = Array2::from_elem((6, 2), f32::NAN);
    ItemVectors { ids: ITEMS.map(ItemId).into(), vectors }.to_bytes()
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
    let folder = TestFolder::new("graph");
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

    let one_taste = service.recall(bookmarks(&[1, 2], 1)).await.unwrap();
    assert_eq!(one_taste.item_ids, [3, 6, 5]);
    assert_eq!(one_taste.bundle_id, published.as_str());
    // Item 1 stands for the 2 of 3 that came last (0.6713 of the weight), item 4 for itself.
    let two_tastes = service.recall(bookmarks(&[4, 2, 1], 2)).await.unwrap();
    assert_eq!(two_tastes.item_ids, [3, 6, 5]);
    for (found, expected) in two_tastes.scores.iter().zip([0.6028, 0.3972, 0.3630]) {
        assert!((found - expected).abs() < 1e-4, "{two_tastes:?}");
    }
    let other_taste = service.recall(bookmarks(&[6, 5, 1], 3)).await.unwrap();
    assert_eq!(other_taste.item_ids[0], 4);
    let nearly_all_seen = service.recall(bookmarks(&[1, 2, 4, 5, 6], 4)).await.unwrap();
    assert_eq!(nearly_all_seen.item_ids, [3]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_items_gets_an_empty_list() {
    let folder = TestFolder::new("graph");
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
    let folder = TestFolder::new("graph");
    let store = Store::at(folder.path());
    let first = bundle(ITEMS).write(&store);
    store.publish(&first).unwrap();
    let service = alone(&store).await;
    service.answers_from(&first).await;

    let wrong = bundle(ITEMS).with(VECTORS, "rubbish").write(&store);
    let second = bundle([11, 12, 13, 14, 15, 16]).write(&store);
    store.publish(&wrong).unwrap();
    assert_eq!(service.recall(bookmarks(&[1], 1)).await.unwrap().bundle_id, first.as_str());
    store.publish(&second).unwrap();
    service.answers_from(&second).await;
    let answer = service.recall(bookmarks(&[11], 2)).await.unwrap();
    assert_eq!(answer.item_ids, [12, 13, 16]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_items_lie_with_their_labels_and_deleted_ones_are_gone() {
    let folder = TestFolder::new("graph");
    let store = Store::at(folder.path());
    let catalogue: Vec<Item> =
        (1..=6).map(|id| of_genre(id, if id <= 3 { "one" } else { "other" })).collect();
    store.publish(&bundle(ITEMS).with_items(&catalogue).write(&store)).unwrap();
    let feature = FakeFeature::new();
    feature.upsert(catalogue);
    // The mean of the first three is (0.9, 0.1); of the others (0.1, 0.9).
    feature.upsert([of_genre(7, "one"), of_genre(8, "other"), of_genre(9, "neither")]);
    let server = feature.start();
    let service = following(&store, &server.url()).await;
    wait_until_serving(service.address(), SERVICE, PATIENCE).await;
    let user = bookmarks(&[1, 2], 1);
    service.gives(&user, &[7, 3, 6]).await;
    feature.delete(ItemId(3));
    feature.upsert([Item { hidden: true, ..of_genre(8, "other") }]);
    service.gives(&user, &[7, 6, 5]).await;
    // What a user dealt with still says where its neighbours are.
    service.gives(&bookmarks(&[2, 3], 2), &[1, 7, 6]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_bundle_of_no_use_is_named_with_the_reason() {
    for (name, useless, reason) in [
        (
            "not finite",
            bundle(ITEMS).with(VECTORS, not_finite()),
            "holds a number that is not finite",
        ),
        (
            "without its vectors",
            TinyBundle::default(),
            "file tables/graph_vectors.safetensors of bundle",
        ),
    ] {
        let folder = TestFolder::new("graph");
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
    let file = "../../../deploy/config/recall-graph.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let config: Config = tributary_runtime::load(Some(&path)).unwrap();
    assert_eq!(config.server(), Config::default().server());
    assert_eq!(config.medoids, Config::default().medoids);
}
