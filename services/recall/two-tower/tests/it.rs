//! The service from outside: a bundle is published, swapped, refused.

#![allow(clippy::unwrap_used, reason = "a test panics where something is wrong")]

use std::{net::SocketAddr, path::Path, time::Duration};

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
use tributary_testkit::{TestFolder, channel, is_serving, wait_until, wait_until_serving};

#[path = "fixtures/bundle.rs"]
mod bundle;

use bundle::{golden, good, user, vectors, write};

const SERVICE: &str = "tributary.recall.v1.RecallService";
const PATIENCE: Duration = Duration::from_secs(20);

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
            let answer = self.recall(user(&[1], 1)).await;
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

    wait_until(|| async { service.recall(user(&[1], 1)).await.is_err() }, PATIENCE).await;
    let refused = service.recall(user(&[1], 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("no bundle published yet"), "{refused}");
    assert!(!is_serving(service.address, SERVICE).await);

    let bundle = good(&store, [1, 2, 3, 4, 5, 6]);
    store.publish(&bundle).unwrap();
    wait_until_serving(service.address, SERVICE, PATIENCE).await;

    let answer = service.recall(user(&[1, 2], 1)).await.unwrap();
    assert_eq!(answer.item_ids, [3, 6, 5]);
    assert_eq!(answer.bundle_id, bundle.as_str());
    let changed = service.recall(user(&[1, 2, 4, 5, 6], 2)).await.unwrap();
    assert_eq!(changed.item_ids, [3]);
    let turned = service.recall(user(&[6], 3)).await.unwrap();
    assert_eq!(turned.item_ids, [4, 5, 3]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_items_gets_an_empty_list() {
    let folder = TestFolder::new("two-tower");
    let store = Store::at(folder.path());
    store.publish(&good(&store, [1, 2, 3, 4, 5, 6])).unwrap();
    let service = Service::start(&store).await;
    wait_until_serving(service.address, SERVICE, PATIENCE).await;

    let mut hid_one = user(&[1], 1);
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
    let first = good(&store, [1, 2, 3, 4, 5, 6]);
    store.publish(&first).unwrap();
    let service = Service::start(&store).await;
    service.answers_from(&first).await;

    let wrong = write(&store, [1, 2, 3, 4, 5, 6], vectors(), golden(0.9));
    let second = good(&store, [11, 12, 13, 14, 15, 16]);
    store.publish(&wrong).unwrap();
    assert_eq!(service.recall(user(&[1], 1)).await.unwrap().bundle_id, first.as_str());
    store.publish(&second).unwrap();
    service.answers_from(&second).await;
    let answer = service.recall(user(&[1], 1)).await.unwrap();
    assert_eq!(answer.item_ids, [11, 12, 13]);
    service.stop().await;
}

#[test]
fn the_default_file_is_the_default() {
    let file = "../../../deploy/config/recall-two-tower.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let config: Config = tributary_runtime::load(Some(&path)).unwrap();
    assert_eq!(config.server(), Config::default().server());
}
