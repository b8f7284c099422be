//! The service from outside: a bundle is published, and lists follow the behaviour.

#![allow(clippy::unwrap_used, reason = "a test panics where something is wrong")]

use std::{collections::BTreeMap, path::Path, time::Duration};

use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Status, transport::Channel};
use tributary_bundle::{Draft, ManifestParts, Store, StoreConfig};
use tributary_domain::{Action, Behaviour, BundleId, Item, ItemId, Timestamp, UserContext, UserId};
use tributary_mesh::ClientConfig;
use tributary_proto::recall::v1::{
    RecallRequest, RecallResponse, recall_service_client::RecallServiceClient,
};
use tributary_recall_collaborative::{Config, start};
use tributary_retrieval::collaborative::{Interactions, Tables, item_to_item_cosine};
use tributary_runtime::{Configuration, Listeners};
use tributary_testkit::{
    FakeFeature, TestFolder, channel, is_serving, wait_until, wait_until_serving,
};

const SERVICE: &str = "tributary.recall.v1.RecallService";
const PATIENCE: Duration = Duration::from_secs(20);

/// Users 1 and 2 like the items 1 to 4, users 3 and 4 the items 11 to 14.
fn pairs() -> impl Iterator<Item = (UserId, ItemId)> {
    let groups = [(1, 1), (2, 1), (3, 11), (4, 11)];
    groups
        .into_iter()
        .flat_map(|(user, first)| (first..first + 4).map(move |item| (UserId(user), ItemId(item))))
}

fn write(store: &Store, table: &str) -> BundleId {
    let favourites = Interactions::from_pairs(pairs());
    let similar = item_to_item_cosine(&favourites, 10, 0.0);
    let tables = Tables { favourites, neighbours: BTreeMap::from([(table.to_owned(), similar)]) };
    let mut draft = Draft::new(store).unwrap();
    draft.write("tables/collaborative.safetensors", &tables.to_bytes()).unwrap();
    draft.finish(ManifestParts::default()).unwrap()
}

/// User 9, who bookmarked that item.
fn fan_of(item: u64) -> UserContext {
    let item = ItemId(item);
    let bookmark = Behaviour { item, action: Action::Bookmark, time: Timestamp(1), dwell_ms: 0 };
    UserContext {
        behaviours: vec![bookmark],
        seen: vec![item],
        version: item.0,
        ..UserContext::cold(UserId(9))
    }
}

async fn recall(
    client: &RecallServiceClient<Channel>,
    context: UserContext,
) -> Result<RecallResponse, Status> {
    let request = RecallRequest { context: Some(context.into()), limit: 10, ..<_>::default() };
    Ok(client.clone().recall(request).await?.into_inner())
}

async fn items(client: &RecallServiceClient<Channel>, context: UserContext) -> Vec<u64> {
    let mut items = recall(client, context).await.unwrap().item_ids;
    items.sort_unstable();
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_from_the_published_bundle_and_keeps_it_over_a_bad_one() {
    let folder = TestFolder::new("collaborative");
    let store = Store::at(folder.path());
    let poll = Duration::from_millis(5);
    let bundle = StoreConfig { store: store.folder().to_owned(), poll };
    let config = Config { bundle, startup_wait: Duration::ZERO, ..Config::default() };
    let listeners = Listeners::ephemeral().await;
    let address = listeners.grpc_address();
    let shutdown = CancellationToken::new();
    let serving = AbortOnDropHandle::new(tokio::spawn(start(config, listeners, shutdown.clone())));
    let client = RecallServiceClient::new(channel(address));

    let refused = || async {
        let error = recall(&client, fan_of(1)).await.err();
        error.is_some_and(|error| error.code() == Code::FailedPrecondition)
    };
    wait_until(refused, PATIENCE).await;
    assert!(!is_serving(address, SERVICE).await);

    let first = write(&store, "ease");
    store.publish(&first).unwrap();
    wait_until_serving(address, SERVICE, PATIENCE).await;
    assert_eq!(items(&client, fan_of(1)).await, [2, 3, 4]);
    assert_eq!(items(&client, fan_of(14)).await, [11, 12, 13]);
    assert!(items(&client, UserContext::cold(UserId(9))).await.is_empty());

    // This one lacks the table that the configuration wants.
    store.publish(&write(&store, "other")).unwrap();
    assert_eq!(recall(&client, fan_of(1)).await.unwrap().bundle_id, first.as_str());
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_and_hidden_items_leave_the_lists() {
    let folder = TestFolder::new("collaborative");
    let store = Store::at(folder.path());
    store.publish(&write(&store, "ease")).unwrap();
    let feature = FakeFeature::new();
    feature.upsert((1..=4).map(|id| Item::bare(ItemId(id))));
    let server = feature.start();
    let poll = Duration::from_millis(5);
    let bundle = StoreConfig { store: store.folder().to_owned(), poll };
    let feature_at = ClientConfig::at(server.url());
    let config = Config { bundle, feature: feature_at, ..Config::default() };
    let listeners = Listeners::ephemeral().await;
    let address = listeners.grpc_address();
    let shutdown = CancellationToken::new();
    let serving = AbortOnDropHandle::new(tokio::spawn(start(config, listeners, shutdown.clone())));
    let client = RecallServiceClient::new(channel(address));
    wait_until_serving(address, SERVICE, PATIENCE).await;

    assert_eq!(items(&client, fan_of(1)).await, [2, 3, 4]);
    feature.delete(ItemId(3));
    wait_until(|| async { items(&client, fan_of(1)).await == [2, 4] }, PATIENCE).await;
    feature.upsert([Item { hidden: true, ..Item::bare(ItemId(2)) }]);
    wait_until(|| async { items(&client, fan_of(1)).await == [4] }, PATIENCE).await;
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}

#[test]
fn the_default_file_is_the_default() {
    let file = "../../../deploy/config/recall-collaborative.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let config: Config = tributary_runtime::load(Some(&path)).unwrap();
    assert_eq!(config.server(), Config::default().server());
    assert_eq!(config.collaborative, Config::default().collaborative);
}
