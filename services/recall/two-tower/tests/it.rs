//! The service from outside: a bundle is published, swapped, refused.

#![allow(clippy::unwrap_used, reason = "a test panics where something is wrong")]

use std::{net::SocketAddr, path::Path, time::Duration};

use ndarray::{Array2, array};
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Status, transport::Channel};
use tributary_bundle::{Store, StoreConfig};
use tributary_domain::{Action, BundleId, UserContext, UserId};
use tributary_proto::recall::v1::{
    RecallRequest, RecallResponse, recall_service_client::RecallServiceClient,
};
use tributary_recall_two_tower::{Config, start};
use tributary_runtime::{Configuration, Listeners};
use tributary_testkit::{
    TestFolder, TinyBundle, bookmarks, channel, golden, is_serving, six_vectors, wait_until,
    wait_until_serving,
};

const SERVICE: &str = "tributary.recall.v1.RecallService";
const PATIENCE: Duration = Duration::from_secs(20);
const VECTORS: &str = "tables/item_vectors.safetensors";
const ITEMS: [u64; 6] = [1, 2, 3, 4, 5, 6];

/// A bundle whose vectors are of those items.
fn bundle(ids: [u64; 6]) -> TinyBundle {
    TinyBundle::two_tower().with_vectors(VECTORS, ids, six_vectors())
}

struct Service {
    address: SocketAddr,
    client: RecallServiceClient<Channel>,
    shutdown: CancellationToken,
    task: AbortOnDropHandle<anyhow::Result<()>>,
}

impl Service {
    async fn start(store: &Store) -> Self {
        let poll = Duration::from_millis(5);
        let bundle = StoreConfig { store: store.folder().to_owned(), poll };
        let config = Config { bundle, ..Config::default() };
        let listeners = Listeners::ephemeral().await;
        let address = listeners.grpc_address();
        let shutdown = CancellationToken::new();
        let serving = start(config, listeners, shutdown.clone());
        let task: JoinHandle<anyhow::Result<()>> = tokio::spawn(async { Ok(serving.await?) });
        let client = RecallServiceClient::new(channel(address));
        Self { address, client, shutdown, task: AbortOnDropHandle::new(task) }
    }

    async fn recall(&self, context: UserContext) -> Result<RecallResponse, Status> {
        let request = RecallRequest { context: Some(context.into()), limit: 3, ..<_>::default() };
        Ok(self.client.clone().recall(request).await?.into_inner())
    }

    async fn answers_from(&self, bundle: &BundleId) {
        let answer = || async {
            let answer = self.recall(bookmarks(&[1], 1)).await;
            answer.is_ok_and(|answer| answer.bundle_id == bundle.as_str())
        };
        wait_until(answer, PATIENCE).await;
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_once_a_bundle_is_published_and_follows_the_behaviour() {
    let folder = TestFolder::new("two-tower");
    let store = Store::at(folder.path());
    let service = Service::start(&store).await;

    wait_until(|| async { service.recall(bookmarks(&[1], 1)).await.is_err() }, PATIENCE).await;
    let refused = service.recall(bookmarks(&[1], 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("no bundle published yet"), "{refused}");
    assert!(!is_serving(service.address, SERVICE).await);

    let published = bundle(ITEMS).write(&store);
    store.publish(&published).unwrap();
    wait_until_serving(service.address, SERVICE, PATIENCE).await;

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
    let service = Service::start(&store).await;
    wait_until_serving(service.address, SERVICE, PATIENCE).await;

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
    let service = Service::start(&store).await;
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
        let service = Service::start(&store).await;
        let refused = async || service.recall(bookmarks(&[1], 1)).await.err();
        let told = || async {
            refused().await.is_some_and(|status| status.message().contains(useless.as_str()))
        };
        wait_until(told, PATIENCE).await;
        let refused = refused().await.unwrap();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{name}");
        assert!(refused.message().contains(reason), "{name}: {refused}");
        assert!(!is_serving(service.address, SERVICE).await, "{name}");
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
