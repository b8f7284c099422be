//! A gateway among fakes, each behind a proxy that can make it slow, silent or dead.

use std::{collections::BTreeMap, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};
use tributary_domain::{Item, ItemId};
use tributary_gateway::Config;
use tributary_proto::{
    gateway::v1::{
        self as wire, degradation::Reason, gateway_service_client::GatewayServiceClient,
    },
    ranking::v1::ranking_service_server::RankingServiceServer,
    recall::v1::recall_service_server::RecallServiceServer,
    rerank::v1::rerank_service_server::RerankServiceServer,
};
use tributary_runtime::Listeners;
use tributary_testkit::{
    FakeFeature, FakeServer, Proxy, channel, free_port, wait_until, wait_until_serving,
};

use crate::fakes::{FakeRanking, FakeRecall, FakeRerank};

pub(crate) const USER: u64 = 7;
pub(crate) const TITLED: &str = "Item";
const SERVICE: &str = "tributary.gateway.v1.GatewayService";
const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Mesh {
    pub(crate) feature: FakeFeature,
    pub(crate) proxies: BTreeMap<&'static str, Proxy>,
    pub(crate) client: GatewayServiceClient<Channel>,
    _servers: Vec<FakeServer>,
    shutdown: CancellationToken,
    gateway: JoinHandle<anyhow::Result<()>>,
}

impl Mesh {
    /// All upstreams answer; the catalogue has items 1 to 100, and the gateway knows it.
    pub(crate) async fn start() -> Self {
        let feature = FakeFeature::new();
        let title = |id| Item { title: format!("{TITLED} {id}"), ..Item::bare(ItemId(id)) };
        feature.upsert((1..=100).map(title));
        let recall = |ids| FakeServer::start(RecallServiceServer::new(FakeRecall(ids)));
        let servers = [
            ("feature", feature.start()),
            ("personal", recall((1..=40).collect())),
            ("trending", recall((31..=70).collect())),
            ("ranking", FakeServer::start(RankingServiceServer::new(FakeRanking))),
            ("rerank", FakeServer::start(RerankServiceServer::new(FakeRerank))),
        ];
        let mut proxies = BTreeMap::new();
        for (name, server) in &servers {
            proxies.insert(*name, Proxy::start(server.address()).await);
        }
        let urls = proxies.iter().map(|(name, proxy)| (*name, proxy.url())).collect();
        let servers = servers.into_iter().map(|(_, server)| server).collect();
        let mut mesh = Self::launch(feature, proxies, servers, config(&urls)).await;
        mesh.healed().await;
        mesh
    }

    /// Nobody listens where the upstreams should be.
    pub(crate) async fn start_with_dead_upstreams() -> Self {
        let names = ["feature", "personal", "trending", "ranking", "rerank"];
        let url = |name| (name, format!("http://127.0.0.1:{}", free_port()));
        let mut config = config(&names.map(url).into());
        config.startup_wait = Duration::from_millis(50);
        Self::launch(FakeFeature::new(), BTreeMap::new(), Vec::new(), config).await
    }

    async fn launch(
        feature: FakeFeature,
        proxies: BTreeMap<&'static str, Proxy>,
        servers: Vec<FakeServer>,
        config: Config,
    ) -> Self {
        let listeners = Listeners::ephemeral().await;
        let address = listeners.grpc_address();
        let shutdown = CancellationToken::new();
        let gateway = tokio::spawn(tributary_gateway::start(config, listeners, shutdown.clone()));
        wait_until_serving(address, SERVICE, LONG).await;
        let client = GatewayServiceClient::new(channel(address));
        Self { feature, proxies, client, _servers: servers, shutdown, gateway }
    }

    pub(crate) async fn recommend(
        &mut self,
        request: wire::RecommendRequest,
    ) -> Result<wire::RecommendResponse, Status> {
        self.client.recommend(request).await.map(tonic::Response::into_inner)
    }

    /// Waits until an answer names nothing as degraded. Records nothing.
    pub(crate) async fn healed(&mut self) {
        let overrides = wire::Overrides { skip_impressions: true, ..Default::default() };
        let request = wire::RecommendRequest { overrides: Some(overrides), ..request(10) };
        let client = self.client.clone();
        wait_until(
            || {
                let (mut client, request) = (client.clone(), request.clone());
                async move {
                    let answer = client.recommend(request).await.expect("a list");
                    answer.get_ref().degraded.is_empty()
                }
            },
            LONG,
        )
        .await;
    }

    /// Ends the gateway as a signal would, and expects a good end.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(LONG, self.gateway).await;
        ended.expect("an end in time").expect("no panic").expect("no error");
    }
}

fn config(urls: &BTreeMap<&str, String>) -> Config {
    let text = format!(
        r#"
        feature.address = "{}"
        ranking.address = "{}"
        rerank.address = "{}"
        [server]
        drain = "1s"
        [[channel]]
        name = "personal"
        address = "{}"
        [[channel]]
        name = "trending"
        address = "{}"
        [deadline]
        default = "5s"
        context = "100ms"
        ranking = "100ms"
        rerank = "100ms"
        "#,
        urls["feature"], urls["ranking"], urls["rerank"], urls["personal"], urls["trending"],
    );
    tributary_runtime::parse(&text).expect("a good configuration")
}

/// A first page for the user.
pub(crate) fn request(size: u32) -> wire::RecommendRequest {
    wire::RecommendRequest { user_id: USER, size, ..Default::default() }
}

pub(crate) fn ids(answer: &wire::RecommendResponse) -> Vec<u64> {
    answer.items.iter().map(|item| item.item_id).collect()
}

pub(crate) fn named(answer: &wire::RecommendResponse) -> Vec<(&str, Reason)> {
    answer.degraded.iter().map(|one| (&*one.component, one.reason())).collect()
}
