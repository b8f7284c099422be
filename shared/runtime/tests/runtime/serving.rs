//! A server in this process: health, reflection, metrics, draining.

use std::{net::SocketAddr, time::Duration};

use futures::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};
use tributary_domain::{Item, ItemId};
use tributary_proto::feature::v1::{
    GetUserContextRequest, WatchItemsRequest, WatchItemsResponse,
    feature_service_client::FeatureServiceClient,
};
use tributary_runtime::{Health, Listeners, ServeError, Server, ServerConfig};
use tributary_testkit::{FakeFeature, channel, is_serving, wait_until};

const FEATURE: &str = "tributary.feature.v1.FeatureService";
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    metrics: SocketAddr,
    feature: FakeFeature,
    health: Health,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    async fn start(drain: Duration) -> Self {
        let config = ServerConfig { drain, ..ServerConfig::on(0) };
        let mut listeners = Listeners::ephemeral().await;
        let metrics = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listeners.grpc_address();
        let metrics_address = metrics.local_addr().unwrap();
        listeners.metrics = Some(metrics);
        let (feature, shutdown) = (FakeFeature::new(), CancellationToken::new());
        let server = Server::new(&config, listeners, shutdown.clone()).add(feature.service());
        let health = server.health();
        let serving = tokio::spawn(server.run());
        Self { address, metrics: metrics_address, feature, health, shutdown, serving }
    }

    fn health_client(&self) -> HealthClient<tonic::transport::Channel> {
        HealthClient::new(channel(self.address))
    }

    async fn watch(&self) -> tonic::Streaming<WatchItemsResponse> {
        let mut client = FeatureServiceClient::new(channel(self.address));
        client.watch_items(WatchItemsRequest { after: 0 }).await.unwrap().into_inner()
    }
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn health_is_by_service_name_and_follows_readiness() {
    let running = Running::start(PATIENCE).await;
    for name in ["", FEATURE] {
        assert!(!is_serving(running.address, name).await, "{name:?} before it is ready");
    }
    running.health.ready();
    for name in ["", FEATURE] {
        assert!(is_serving(running.address, name).await, "{name:?}");
    }
    let unknown = running.health_client().check(of("nonsense")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    running.health.not_ready();
    assert!(!is_serving(running.address, FEATURE).await);
}

#[tokio::test]
async fn health_tells_the_facts_of_the_process() {
    let running = Running::start(PATIENCE).await;
    running.health.describe("provider", "cuda");
    running.health.describe("provider", "cpu");
    running.health.describe("bundle", "b-1");
    let answer = running.health_client().check(of("")).await.unwrap();
    assert_eq!(answer.metadata().get("x-tributary-provider").unwrap(), "cpu");
    assert_eq!(answer.metadata().get("x-tributary-bundle").unwrap(), "b-1");
}

#[tokio::test]
async fn health_watches_see_every_state_and_end_with_the_drain() {
    let running = Running::start(PATIENCE).await;
    let watch = running.health_client().watch(of(FEATURE)).await.unwrap();
    let mut states = watch.into_inner().map(|state| HealthCheckResponse::status(&state.unwrap()));
    assert_eq!(states.next().await, Some(ServingStatus::NotServing));
    running.health.ready();
    assert_eq!(states.next().await, Some(ServingStatus::Serving));
    running.shutdown.cancel();
    assert_eq!(states.next().await, Some(ServingStatus::NotServing));
    assert_eq!(states.next().await, None);
    running.health.ready();
    assert!(!running.health.is_ready(), "a draining process is never ready again");
    running.serving.await.unwrap().unwrap();
}

/// The names that a version of reflection lists; both have the same messages, in two packages.
macro_rules! listed {
    ($version:ident, $address:expr) => {{
        use $version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let request =
            |ask| ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
        let asks = stream::iter([
            request(MessageRequest::ListServices(String::new())),
            request(MessageRequest::FileContainingSymbol(FEATURE.to_owned())),
            request(MessageRequest::FileContainingSymbol("grpc.health.v1.Health".to_owned())),
        ]);
        let mut client = ServerReflectionClient::new(channel($address));
        let answers = client.server_reflection_info(asks).await.unwrap().into_inner();
        let answers: Vec<_> = answers.map(|a| a.unwrap().message_response.unwrap()).collect().await;
        for answer in &answers[1..] {
            assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{answer:?}");
        }
        let MessageResponse::ListServicesResponse(list) = &answers[0] else {
            panic!("no list: {:?}", answers[0])
        };
        list.service.iter().map(|service| service.name.clone()).collect::<Vec<_>>()
    }};
}

#[tokio::test]
async fn reflection_answers_in_both_versions() {
    let running = Running::start(PATIENCE).await;
    for names in [listed!(v1, running.address), listed!(v1alpha, running.address)] {
        assert!(names.iter().any(|name| name == FEATURE), "{names:?}");
        assert!(names.iter().any(|name| name == "grpc.health.v1.Health"), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("gateway")), "not served: {names:?}");
    }
}

#[tokio::test]
async fn a_running_call_is_let_to_its_end() {
    let running = Running::start(PATIENCE).await;
    running.feature.upsert([Item::bare(ItemId(1))]);
    let mut watch = running.watch().await;
    assert_eq!(watch.next().await.unwrap().unwrap().head, 1);
    running.shutdown.cancel();
    let address = running.address;
    wait_until(async || TcpStream::connect(address).await.is_err(), PATIENCE).await;
    // The call still runs, and still answers.
    running.feature.upsert([Item::bare(ItemId(2))]);
    assert_eq!(watch.next().await.unwrap().unwrap().head, 2);
    assert!(!running.serving.is_finished());
    drop(watch);
    running.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_off() {
    let running = Running::start(Duration::from_millis(50)).await;
    let mut watch = running.watch().await;
    watch.next().await.unwrap().unwrap();
    running.shutdown.cancel();
    running.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn metrics_count_calls_by_method_and_code() {
    let running = Running::start(PATIENCE).await;
    let mut client = FeatureServiceClient::new(channel(running.address));
    client.get_user_context(GetUserContextRequest { user_id: 1 }).await.unwrap();
    client.get_user_context(GetUserContextRequest { user_id: 0 }).await.unwrap_err();
    running.health.describe("bundle", "b-2");
    let method = format!("method=\"{FEATURE}/GetUserContext\"");
    for expected in [
        vec!["tributary_server_calls_total", &method, "code=\"ok\""],
        vec!["tributary_server_calls_total", &method, "code=\"invalid_argument\""],
        vec!["tributary_server_call_seconds_bucket", &method, "le=\"0.5\""],
        vec!["tributary_info", "key=\"bundle\"", "value=\"b-2\""],
    ] {
        // A call is counted when its last byte has been written, which the caller may overtake.
        wait_until(async || has_line(&scrape(running.metrics).await, &expected), PATIENCE).await;
    }
}

fn has_line(text: &str, parts: &[&str]) -> bool {
    text.lines().any(|line| parts.iter().all(|part| line.contains(part)))
}

async fn scrape(address: SocketAddr) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    connection.write_all(request).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}
