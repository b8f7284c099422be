//! The service from outside: it follows a feature service that changes, dies and comes back.

#![allow(clippy::unwrap_used, reason = "a test panics where something is wrong")]

use std::{net::SocketAddr, path::Path, time::Duration};

use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Status, transport::Channel};
use tributary_domain::{Action, Behaviour, Item, ItemId, Timestamp, UserContext, UserId};
use tributary_mesh::ClientConfig;
use tributary_proto::recall::v1::{
    RecallRequest, SearchRequest, SearchResponse, recall_service_client::RecallServiceClient,
    search_service_client::SearchServiceClient,
};
use tributary_recall_search::{Config, SearchError, start};
use tributary_runtime::{Configuration, Listeners};
use tributary_testkit::{
    FakeFeature, FakeServer, channel, free_port, is_serving, wait_until, wait_until_serving,
};

const RECALL: &str = "tributary.recall.v1.RecallService";
const SEARCH: &str = "tributary.recall.v1.SearchService";
const PATIENCE: Duration = Duration::from_secs(20);

struct Service {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: AbortOnDropHandle<Result<(), SearchError>>,
}

impl Service {
    async fn start(feature: &str) -> Self {
        let config = Config { feature: ClientConfig::at(feature), ..Config::default() };
        let listeners = Listeners::ephemeral().await;
        let address = listeners.grpc_address();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(start(config, listeners, shutdown.clone()));
        Self { address, shutdown, task: AbortOnDropHandle::new(task) }
    }

    fn channel(&self) -> Channel {
        channel(self.address)
    }

    async fn search(&self, query: &str) -> Result<SearchResponse, Status> {
        let request = SearchRequest { query: query.to_owned(), limit: 10 };
        Ok(SearchServiceClient::new(self.channel()).search(request).await?.into_inner())
    }

    async fn found(&self, query: &str) -> Vec<u64> {
        let answer = self.search(query).await;
        answer.unwrap().hits.iter().map(|hit| hit.item_id).collect()
    }

    async fn finds(&self, query: &str, items: &[u64]) {
        wait_until(|| async { self.found(query).await == items }, PATIENCE).await;
    }

    async fn recalled(&self, context: &UserContext) -> Vec<u64> {
        let context = Some(context.clone().into());
        let request = RecallRequest { context, limit: 10, ..<_>::default() };
        let answer = RecallServiceClient::new(self.channel()).recall(request).await;
        answer.unwrap().into_inner().item_ids
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn item(id: u64, title: &str, genre: &str) -> Item {
    let genres = vec![genre.to_owned()];
    Item { title: title.to_owned(), genres, ..Item::bare(ItemId(id)) }
}

fn fan_of(item: u64) -> UserContext {
    let item = ItemId(item);
    let bookmark = Behaviour { item, action: Action::Bookmark, time: Timestamp(1), dwell_ms: 0 };
    UserContext {
        behaviours: vec![bookmark],
        seen: vec![item],
        version: 1,
        ..UserContext::cold(UserId(7))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_the_catalogue() {
    let feature = FakeFeature::new();
    feature.upsert([
        item(1, "Space Patrol", "scifi"),
        item(2, "Space Harbour", "scifi"),
        item(3, "Garden Party", "comedy"),
        item(4, "宇宙戦艦ヤマト", "anime"),
    ]);
    let server = feature.start();
    let service = Service::start(&server.url()).await;
    wait_until_serving(service.address, RECALL, PATIENCE).await;
    assert!(is_serving(service.address, SEARCH).await);

    assert_eq!(service.found("garden").await, [3]);
    assert_eq!(service.found("宇宙").await, [4]);
    let hit = service.search("harbour").await.unwrap().hits.remove(0);
    assert_eq!(hit.title, "Space Harbour");
    assert!(hit.score > 0.0);
    assert!(service.found("zebra").await.is_empty());
    assert_eq!(service.recalled(&fan_of(1)).await, [2]);
    assert!(service.recalled(&UserContext::cold(UserId(8))).await.is_empty());

    feature.upsert([item(5, "Zebra Crossing", "scifi")]);
    service.finds("zebra", &[5]).await;
    feature.delete(ItemId(2));
    service.finds("harbour", &[]).await;
    // The list cached above held the item that is gone.
    let without = || async { !service.recalled(&fan_of(1)).await.contains(&2) };
    wait_until(without, PATIENCE).await;
    feature.upsert([Item { hidden: true, ..item(3, "Garden Party", "comedy") }]);
    service.finds("garden", &[]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_the_feature_service_and_outlives_it() {
    let feature = FakeFeature::new();
    feature.upsert([item(1, "Space Patrol", "scifi")]);
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let service = Service::start(&format!("http://{address}")).await;
    let refused = || async {
        let error = service.search("space").await.err();
        error.is_some_and(|error| error.code() == Code::FailedPrecondition)
    };
    wait_until(refused, PATIENCE).await;
    assert!(!is_serving(service.address, RECALL).await);

    let server = FakeServer::start_at(address, feature.service());
    wait_until_serving(service.address, RECALL, PATIENCE).await;
    assert_eq!(service.found("space").await, [1]);
    server.kill();
    assert_eq!(service.found("space").await, [1]);

    feature.upsert([item(2, "Space Harbour", "scifi")]);
    let _server = FakeServer::start_at(address, feature.service());
    service.finds("harbour", &[2]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_query_is_named() {
    let feature = FakeFeature::new();
    let server = feature.start();
    let service = Service::start(&server.url()).await;
    wait_until_serving(service.address, SEARCH, PATIENCE).await;
    let error = service.search("").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(error.metadata().get("field").unwrap(), "query");
    service.stop().await;
}

#[test]
fn the_default_file_is_the_default() {
    let file = "../../../deploy/config/recall-search.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let config: Config = tributary_runtime::load(Some(&path)).unwrap();
    assert_eq!(config.server(), Config::default().server());
    assert_eq!(config.feature, Config::default().feature);
}
