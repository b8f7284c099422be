//! The service from outside: it follows a feature service that changes, dies and comes back.

#![allow(clippy::unwrap_used, reason = "a test panics where something is wrong")]

use std::{net::SocketAddr, path::Path, time::Duration};

use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Status};
use tributary_domain::{
    Action, Behaviour, Event, Gender, Item, ItemId, Timestamp, UserContext, UserId, UserProfile,
};
use tributary_mesh::ClientConfig;
use tributary_proto::recall::v1::{RecallRequest, recall_service_client::RecallServiceClient};
use tributary_recall::LiveConfig;
use tributary_recall_trending::{Config, TrendingError, start};
use tributary_runtime::{Configuration, Listeners};
use tributary_testkit::{
    FakeFeature, FakeServer, channel, free_port, is_serving, wait_until, wait_until_serving,
};

const SERVICE: &str = "tributary.recall.v1.RecallService";
const PATIENCE: Duration = Duration::from_secs(20);

struct Service {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: AbortOnDropHandle<Result<(), TrendingError>>,
}

impl Service {
    /// `renew` says how soon cached lists are renewed.
    async fn start(feature: &str, renew: Duration) -> Self {
        let live = LiveConfig { renew, ..LiveConfig::default() };
        let config = Config { feature: ClientConfig::at(feature), live, ..Config::default() };
        let listeners = Listeners::ephemeral().await;
        let address = listeners.grpc_address();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(start(config, listeners, shutdown.clone()));
        Self { address, shutdown, task: AbortOnDropHandle::new(task) }
    }

    async fn recall(&self, context: UserContext) -> Result<Vec<u64>, Status> {
        let request = RecallRequest { context: Some(context.into()), limit: 10, ..<_>::default() };
        let mut client = RecallServiceClient::new(channel(self.address));
        Ok(client.recall(request).await?.into_inner().item_ids)
    }

    async fn stranger_gets(&self, items: &[u64]) {
        let got = || async { self.recall(UserContext::cold(UserId(99))).await.unwrap() };
        wait_until(|| async { got().await == items }, PATIENCE).await;
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn items() -> impl Iterator<Item = Item> {
    (1..=4).map(|id| Item::bare(ItemId(id)))
}

fn bookmark(user: u64, item: u64) -> Event {
    let (item, time) = (ItemId(item), Timestamp(1_000));
    let behaviour = Behaviour { item, action: Action::Bookmark, time, dwell_ms: 0 };
    Event { user: UserId(user), behaviour }
}

fn woman_of_20() -> UserContext {
    let profile = UserProfile {
        id: UserId(50),
        age: Some(20),
        gender: Some(Gender::Female),
        occupation: String::new(),
        blocked_creators: Vec::new(),
        blocked_tags: Vec::new(),
    };
    UserContext { profile: Some(profile), version: 1, ..UserContext::cold(UserId(50)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_events_and_items() {
    let feature = FakeFeature::new();
    feature.upsert(items());
    for (user, item) in [(1, 2), (2, 2), (3, 3)] {
        feature.log_event(bookmark(user, item), None, None);
    }
    let server = feature.start();
    let service = Service::start(&server.url(), Duration::ZERO).await;
    wait_until_serving(service.address, SERVICE, PATIENCE).await;
    service.stranger_gets(&[2, 3, 1, 4]).await;

    for user in 4..7 {
        feature.log_event(bookmark(user, 3), None, None);
    }
    service.stranger_gets(&[3, 2, 1, 4]).await;
    let mut seen_3 = UserContext::cold(UserId(98));
    seen_3.seen = vec![ItemId(3)];
    assert_eq!(service.recall(seen_3).await.unwrap(), [2, 1, 4]);

    // Item 1 has fewer friends than 2 and 3, and all of them are like her.
    feature.log_event(bookmark(7, 1), Some(22), Some(Gender::Female));
    let place = |list: Vec<u64>| list.iter().position(|item| *item == 1);
    let hers = || async { place(service.recall(woman_of_20()).await.unwrap()) };
    wait_until(|| async { hers().await == Some(0) }, PATIENCE).await;
    let theirs = service.recall(UserContext::cold(UserId(97))).await.unwrap();
    assert_eq!(place(theirs), Some(2));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_item_leaves_the_cached_lists_at_once() {
    let feature = FakeFeature::new();
    feature.upsert(items());
    feature.log_event(bookmark(1, 2), None, None);
    feature.log_event(bookmark(2, 3), None, None);
    let server = feature.start();
    // Nothing but the deletion may renew the lists.
    let service = Service::start(&server.url(), Duration::from_hours(1)).await;
    wait_until_serving(service.address, SERVICE, PATIENCE).await;
    service.stranger_gets(&[2, 3, 1, 4]).await;
    feature.delete(ItemId(2));
    service.stranger_gets(&[3, 1, 4]).await;
    feature.upsert([Item { hidden: true, ..Item::bare(ItemId(3)) }]);
    service.stranger_gets(&[1, 4]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_the_feature_service_and_outlives_it() {
    let feature = FakeFeature::new();
    feature.upsert(items());
    feature.log_event(bookmark(1, 2), None, None);
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let service = Service::start(&format!("http://{address}"), Duration::ZERO).await;
    let stranger = || UserContext::cold(UserId(99));
    let refused = || async {
        let error = service.recall(stranger()).await.err();
        error.is_some_and(|error| error.code() == Code::FailedPrecondition)
    };
    wait_until(refused, PATIENCE).await;
    assert!(!is_serving(service.address, SERVICE).await);

    let server = FakeServer::start_at(address, feature.service());
    wait_until_serving(service.address, SERVICE, PATIENCE).await;
    server.kill();
    service.stranger_gets(&[2, 1, 3, 4]).await;

    feature.log_event(bookmark(2, 1), None, None);
    feature.log_event(bookmark(3, 1), None, None);
    let _server = FakeServer::start_at(address, feature.service());
    service.stranger_gets(&[1, 2, 3, 4]).await;
    service.stop().await;
}

#[test]
fn the_default_file_is_the_default() {
    let file = "../../../deploy/config/recall-trending.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let config: Config = tributary_runtime::load(Some(&path)).unwrap();
    assert_eq!(config.server(), Config::default().server());
    assert_eq!(config.feature, Config::default().feature);
    assert_eq!(config.trending, Config::default().trending);
}
