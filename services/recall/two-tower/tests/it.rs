//! The service from outside: a bundle is published, swapped, refused.

#![allow(clippy::unwrap_used, reason = "a test panics where something is wrong")]

use std::{path::Path, time::Duration};

use ndarray::{Array2, array};
use tonic::Code;
use tributary_bundle::{Store, StoreConfig};
use tributary_domain::{Action, Item, ItemId, UserContext, UserId};
use tributary_mesh::ClientConfig;
use tributary_recall::LiveConfig;
use tributary_recall_two_tower::{Config, start};
use tributary_runtime::{Configuration, Listeners};
use tributary_testkit::{
    FakeFeature, FakeServer, Mode, Proxy, RecallChannel, TestFolder, TinyBundle, bookmarks, golden,
    is_serving, of_genre, six_vectors, wait_until, wait_until_serving,
};

const SERVICE: &str = "tributary.recall.v1.RecallService";
const PATIENCE: Duration = Duration::from_secs(20);
const VECTORS: &str = "tables/item_vectors.safetensors";
const ITEMS: [u64; 6] = [1, 2, 3, 4, 5, 6];

/// A bundle whose vectors are of those items.
fn bundle(ids: [u64; 6]) -> TinyBundle {
    TinyBundle::two_tower().with_vectors(VECTORS, ids, six_vectors())
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
    let folder = TestFolder::new("two-tower");
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

    let answer = service.recall(bookmarks(&[1, 2], 1)).await.unwrap();
    assert_eq!(answer.item_ids, [3, 6, 5]);
    assert_eq!(answer.bundle_id, published.as_str());
    let changed = service.recall(bookmarks(&[1, 2, 4, 5, 6], 2)).await.unwrap();
    assert_eq!(changed.item_ids, [3]);
    let turned = service.recall(bookmarks(&[6], 3)).await.unwrap();
    assert_eq!(turned.item_ids, [4, 5, 3]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_items_gets_an_empty_list() {
    let folder = TestFolder::new("two-tower");
    let store = Store::at(folder.path());
    store.publish(&bundle(ITEMS).write(&store)).unwrap();
    let service = alone(&store).await;
    wait_until_serving(service.address(), SERVICE, PATIENCE).await;

    let mut hid_one = bookmarks(&[1], 1);
    hid_one.behaviours[0].action = Action::Hide;
    for context in [UserContext::cold(UserId(9)), hid_one] {
        assert!(service.recall(context).await.unwrap().item_ids.is_empty());
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_bundle_is_swapped_in_whole_and_a_bad_one_is_refused() {
    let folder = TestFolder::new("two-tower");
    let store = Store::at(folder.path());
    let first = bundle(ITEMS).write(&store);
    store.publish(&first).unwrap();
    let service = alone(&store).await;
    service.answers_from(&first).await;

    let wrong = golden("vector", array![[0.9, 0.9]].into_dyn());
    let wrong = bundle(ITEMS).with("golden/user_tower.safetensors", wrong).write(&store);
    let second = bundle([11, 12, 13, 14, 15, 16]).write(&store);
    store.publish(&wrong).unwrap();
    assert_eq!(service.recall(bookmarks(&[1], 1)).await.unwrap().bundle_id, first.as_str());
    store.publish(&second).unwrap();
    service.answers_from(&second).await;
    let answer = service.recall(bookmarks(&[1], 1)).await.unwrap();
    assert_eq!(answer.item_ids, [11, 12, 13]);
    service.stop().await;
}

/// Items 1 to 6 as the bundle's trainer knew them.
fn catalogue() -> Vec<Item> {
    (1..=6).zip(["a", "b", "c", "d", "e", "f"]).map(|(id, genre)| of_genre(id, genre)).collect()
}

/// Published, with an item tower and the catalogue that it was trained with.
fn publish_with_tower(store: &Store) {
    let bundle = bundle(ITEMS).with_item_tower("item_tower").with_items(&catalogue());
    store.publish(&bundle.write(store)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_items_are_placed_changed_ones_move_and_deleted_ones_are_gone() {
    let folder = TestFolder::new("two-tower");
    let store = Store::at(folder.path());
    publish_with_tower(&store);
    let feature = FakeFeature::new();
    feature.upsert(catalogue());
    let server = feature.start();
    let service = following(&store, &server.url()).await;
    wait_until_serving(service.address(), SERVICE, PATIENCE).await;

    // Those of the bundle keep their vectors, which the tower of this test would not give them.
    let first = bookmarks(&[1], 1);
    service.gives(&first, &[2, 3, 6]).await;
    // A list that is cached may stay for a while; another version of the user is computed anew.
    feature.upsert([of_genre(7, "a"), of_genre(8, "f")]);
    let later = wait_for_version(&service, 7).await;
    service.gives(&later, &[7, 2, 3]).await;
    feature.upsert([of_genre(7, "e"), of_genre(4, "b")]);
    let moved = wait_for_version(&service, 4).await;
    service.gives(&moved, &[4, 2, 3]).await;

    feature.delete(ItemId(2));
    feature.upsert([Item { hidden: true, ..of_genre(4, "b") }]);
    service.gives(&moved, &[3, 6, 5]).await;
    service.gives(&first, &[3, 6, 5]).await;
    service.stop().await;
}

/// A version of the user whose list was computed when the item was first in it.
async fn wait_for_version(service: &RecallChannel, item: u64) -> UserContext {
    for version in 100.. {
        let context = bookmarks(&[1], version * 10 + item);
        if service.recall(context.clone()).await.unwrap().item_ids[0] == item {
            return context;
        }
        tokio::task::yield_now().await;
    }
    unreachable!("versions do not end")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_made_for_a_user_outlives_a_deletion() {
    let folder = TestFolder::new("two-tower");
    let store = Store::at(folder.path());
    publish_with_tower(&store);
    let feature = FakeFeature::new();
    feature.upsert(catalogue());
    let server = feature.start();
    let service = following(&store, &server.url()).await;
    wait_until_serving(service.address(), SERVICE, PATIENCE).await;

    let user = bookmarks(&[1], 1);
    let cached = || async { service.recall(user.clone()).await.unwrap().cached };
    wait_until(cached, PATIENCE).await;
    feature.delete_user(user.user);
    // Asking makes a new list, so that it is asked only once the old one must be gone.
    wait_until(|| async { !cached().await }, PATIENCE).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_on_where_it_was_and_begins_again_with_another_store() {
    let folder = TestFolder::new("two-tower");
    let store = Store::at(folder.path());
    publish_with_tower(&store);
    let feature = FakeFeature::new();
    feature.upsert(catalogue());
    let server = feature.start();
    let proxy = Proxy::start(server.address()).await;
    let service = following(&store, &proxy.url()).await;
    wait_until_serving(service.address(), SERVICE, PATIENCE).await;
    let user = bookmarks(&[1], 1);
    service.gives(&user, &[2, 3, 6]).await;

    // Deleted while the connection is away: the channel goes on serving, and learns of it later.
    proxy.set(Mode::Close);
    feature.delete(ItemId(2));
    assert_eq!(service.recall(user.clone()).await.unwrap().item_ids, [2, 3, 6]);
    proxy.set(Mode::Pass);
    let gone = || async { service.recall(user.clone()).await.unwrap().item_ids == [3, 6, 5] };
    wait_until(gone, PATIENCE).await;

    // Another store in its place: shorter, with item 2 and without item 3.
    feature.reset();
    let others = catalogue().into_iter().filter(|item| item.id != ItemId(3));
    feature.upsert(others.chain([Item { hidden: true, ..of_genre(3, "c") }]));
    let back = || async { service.recall(user.clone()).await.unwrap().item_ids == [2, 6, 5] };
    wait_until(back, PATIENCE).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_feature_service_is_not_held_up_for_ever() {
    let folder = TestFolder::new("two-tower");
    let store = Store::at(folder.path());
    publish_with_tower(&store);
    let feature = FakeFeature::new();
    feature.upsert(catalogue());
    let address = feature.start().address();
    let config = Config {
        feature: ClientConfig::at(format!("http://{address}")),
        startup_wait: Duration::from_millis(300),
        ..Config::default()
    };
    let service = start_with(&store, config).await;
    let early = service.recall(bookmarks(&[1], 1)).await;
    assert!(early.is_err_and(|status| status.code() == Code::FailedPrecondition));
    wait_until_serving(service.address(), SERVICE, PATIENCE).await;
    assert_eq!(service.recall(bookmarks(&[1], 1)).await.unwrap().item_ids, [2, 3, 6]);
    feature.delete(ItemId(2));
    let _server = FakeServer::start_at(address, feature.service());
    let gone = || async { service.recall(bookmarks(&[1], 1)).await.unwrap().item_ids == [3, 6, 5] };
    wait_until(gone, PATIENCE).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_bundle_of_no_use_is_named_with_the_reason() {
    for (name, useless, reason) in [
        (
            "of another space",
            TinyBundle::two_tower().with_vectors(VECTORS, ITEMS, Array2::ones((6, 3))),
            "with vectors of 3 numbers",
        ),
        (
            "without its vectors",
            TinyBundle::two_tower(),
            "file tables/item_vectors.safetensors of bundle",
        ),
    ] {
        let folder = TestFolder::new("two-tower");
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
    let file = "../../../deploy/config/recall-two-tower.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let config: Config = tributary_runtime::load(Some(&path)).unwrap();
    assert_eq!(config.server(), Config::default().server());
}
