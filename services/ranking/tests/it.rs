//! The service from outside: a feature service in memory, a bundle store in a folder.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{net::SocketAddr, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tributary_bundle::{Store, StoreConfig};
use tributary_domain::{BundleId, ItemId, UserContext, UserId};
use tributary_mesh::ClientConfig;
use tributary_proto::ranking::v1 as wire;
use tributary_ranking::{Config, start};
use tributary_runtime::Listeners;
use tributary_testkit::{FakeFeature, FakeServer, TestFolder, channel, is_serving, wait_until};
use wire::ranking_service_client::RankingServiceClient;

#[path = "../src/fixtures.rs"]
mod fixtures;

use fixtures::{BROKEN, FIRST, Recipe, SECOND, event, item, liked, watched};

const SERVICE: &str = "tributary.ranking.v1.RankingService";
const PATIENCE: Duration = Duration::from_secs(30);

struct Mesh {
    feature: FakeFeature,
    store: Store,
    address: SocketAddr,
    client: RankingServiceClient<Channel>,
    service: JoinHandle<anyhow::Result<()>>,
    _stop: DropGuard,
    _server: FakeServer,
    _folder: TestFolder,
}

async fn mesh() -> Mesh {
    let folder = TestFolder::new("ranking");
    let feature = FakeFeature::new();
    let server = feature.start();
    let config = Config {
        feature: ClientConfig::at(server.url()),
        bundle: StoreConfig { store: folder.join("store"), poll: Duration::from_millis(2) },
        ..Config::default()
    };
    let listeners = Listeners::ephemeral().await;
    let address = listeners.grpc_address();
    let stop = CancellationToken::new();
    let service = tokio::spawn(start(config, listeners, stop.clone()));
    Mesh {
        feature,
        store: Store::at(folder.join("store")),
        address,
        client: RankingServiceClient::new(channel(address)),
        service,
        _stop: stop.drop_guard(),
        _server: server,
        _folder: folder,
    }
}

impl Mesh {
    fn publish(&self, recipe: Recipe) -> BundleId {
        let id = recipe.write(&self.store);
        self.store.publish(&id).unwrap();
        id
    }

    async fn rank(&self, request: wire::RankRequest) -> Result<wire::RankResponse, Status> {
        self.client.clone().rank(request).await.map(tonic::Response::into_inner)
    }

    /// Asks until the answer is as the test wants it.
    async fn rank_until(
        &self,
        request: &wire::RankRequest,
        condition: impl Fn(&wire::RankResponse) -> bool,
    ) -> wire::RankResponse {
        let asked = async || self.rank(request.clone()).await.ok().filter(&condition);
        wait_until(async || asked().await.is_some(), PATIENCE).await;
        asked().await.expect("what was applied stays applied")
    }
}

/// Ranks items of which the channel two-tower found the ones with a position.
fn request(items: &[(u64, u32)]) -> wire::RankRequest {
    let positions: Vec<u32> = items.iter().map(|(_, position)| *position).collect();
    wire::RankRequest {
        context: Some(UserContext::cold(UserId(1)).into()),
        item_ids: items.iter().map(|(item, _)| *item).collect(),
        evidence: vec![
            wire::ChannelEvidence {
                channel: "two-tower".into(),
                scores: positions.iter().map(|_| 0.5).collect(),
                positions,
            },
            wire::ChannelEvidence {
                channel: "unheard-of".into(),
                positions: vec![1; items.len()],
                scores: vec![1.0; items.len()],
            },
        ],
        with_tasks: true,
    }
}

fn assert_scores(answer: &wire::RankResponse, expected: &[(f32, f32)]) {
    let [first, second] = &answer.tasks[..] else { panic!("two tasks in {answer:?}") };
    assert_eq!((first.task.as_str(), second.task.as_str()), ("liked", "watched"));
    assert_eq!(answer.scores.len(), expected.len());
    for (row, (liked, watched)) in expected.iter().enumerate() {
        let fused = liked * watched.sqrt();
        for (found, expected) in [
            (first.scores[row], *liked),
            (second.scores[row], *watched),
            (answer.scores[row], fused),
        ] {
            assert!((found - expected).abs() < 1e-5, "row {row}: {found} is not {expected}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranks_and_follows_items_events_and_bundles() {
    let mesh = mesh().await;
    let asked = request(&[(1, 1), (2, 0), (99, 7)]);
    wait_until(
        async || {
            mesh.rank(asked.clone())
                .await
                .is_err_and(|status| status.code() == Code::FailedPrecondition)
        },
        PATIENCE,
    )
    .await;
    assert!(!is_serving(mesh.address, SERVICE).await);

    let first = mesh.publish(Recipe::of(FIRST, 0.0));
    wait_until(|| is_serving(mesh.address, SERVICE), PATIENCE).await;
    let answer = mesh.rank(asked.clone()).await.unwrap();
    assert_scores(
        &answer,
        &[
            (liked(0.0, true, -0.5, 0.0), watched(0.0)),
            (liked(2.0, false, 0.3, 0.0), watched(2.0)),
            (liked(0.0, true, 0.0, 0.0), watched(0.0)),
        ],
    );
    assert_eq!(answer.unknown_item_ids, [99]);
    assert_eq!(answer.bundle_id, first.to_string());

    mesh.feature.upsert([item(2, 1995), item(99, 2005)]);
    let answer = mesh.rank_until(&asked, |answer| answer.unknown_item_ids.is_empty()).await;
    assert!((answer.tasks[0].scores[2] - liked(0.0, true, 0.7, 0.0)).abs() < 1e-5);
    mesh.feature.delete(ItemId(2));
    mesh.rank_until(&asked, |answer| answer.unknown_item_ids == [2]).await;

    // Fewer events than the training had: its counts hold. Then the followed ones do.
    mesh.feature.log_event(event(1, 10), None, None);
    mesh.feature.log_event(event(1, 11), None, None);
    mesh.feature.log_event(event(1, 12), None, None);
    let expected = liked(3.0, true, -0.5, 0.0);
    let answer =
        mesh.rank_until(&asked, |answer| (answer.tasks[0].scores[0] - expected).abs() < 1e-5).await;
    assert!((answer.tasks[0].scores[1] - liked(0.0, false, 0.0, 0.0)).abs() < 1e-5);

    // A swapped model knows what was followed before it came.
    let second = mesh.publish(Recipe::of(SECOND, 1.0));
    let answer = mesh.rank_until(&asked, |answer| answer.bundle_id == second.to_string()).await;
    assert_scores(
        &answer,
        &[
            (liked(3.0, true, -0.5, 1.0), watched(3.0)),
            (liked(0.0, false, 0.3, 1.0), watched(0.0)),
            (liked(0.0, true, 0.7, 1.0), watched(0.0)),
        ],
    );
    mesh.store.rollback().unwrap();
    mesh.rank_until(&asked, |answer| answer.bundle_id == first.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_names_the_bundle_and_the_provider() {
    let mesh = mesh().await;
    let bundle = mesh.publish(Recipe::of(FIRST, 0.0));
    wait_until(|| is_serving(mesh.address, SERVICE), PATIENCE).await;
    let request = HealthCheckRequest { service: SERVICE.to_owned() };
    let answer = HealthClient::new(channel(mesh.address)).check(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-tributary-provider").unwrap(), "cpu");
    assert_eq!(answer.metadata().get("x-tributary-bundle").unwrap(), bundle.as_str());
    let Mesh { service, _stop: stop, .. } = mesh;
    drop(stop);
    service.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_are_finite_whatever_the_model_says() {
    let mesh = mesh().await;
    mesh.publish(Recipe { golden: None, ..Recipe::of(BROKEN, 0.0) });
    wait_until(|| is_serving(mesh.address, SERVICE), PATIENCE).await;
    let answer = mesh.rank(request(&[(1, 1), (2, 0)])).await.unwrap();
    assert!(answer.scores.iter().all(|score| score.is_finite()), "{answer:?}");
    assert_eq!(answer.tasks[0].scores[0], 0.0);
    let brief = wire::RankRequest { with_tasks: false, ..request(&[(1, 1)]) };
    assert!(mesh.rank(brief).await.unwrap().tasks.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_name_the_field() {
    let mesh = mesh().await;
    mesh.publish(Recipe::of(FIRST, 0.0));
    wait_until(|| is_serving(mesh.address, SERVICE), PATIENCE).await;
    let good = || request(&[(1, 1), (2, 0)]);
    let column = |channel: &str, positions: &[u32], scores: &[f32]| wire::ChannelEvidence {
        channel: channel.into(),
        positions: positions.to_vec(),
        scores: scores.to_vec(),
    };
    let evidence = |evidence| wire::RankRequest { evidence, ..good() };
    let items = |item_ids| wire::RankRequest { item_ids, ..good() };
    let some = |name: &str| column(name, &[1, 2], &[1.0, 0.5]);
    for (bad, field) in [
        (wire::RankRequest { context: None, ..good() }, "context"),
        (wire::RankRequest { context: Some(Default::default()), ..good() }, "context.user_id"),
        (items(vec![]), "item_ids"),
        (items((1..=2_001).collect()), "item_ids"),
        (items(vec![1, 0]), "item_ids[1]"),
        (items(vec![5, 5]), "item_ids"),
        (evidence(vec![some("a"), some("a")]), "evidence[1].channel"),
        (evidence((0..17).map(|index| some(&format!("c{index}"))).collect()), "evidence"),
        (evidence(vec![some("")]), "evidence[0].channel"),
        (evidence(vec![column("a", &[1], &[1.0, 1.0])]), "evidence[0].positions"),
        (evidence(vec![column("a", &[1, 1], &[1.0])]), "evidence[0].scores"),
        (evidence(vec![column("a", &[1, 1], &[1.0, f32::NAN])]), "evidence[0].scores"),
    ] {
        let status = mesh.rank(bad).await.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert!(status.message().starts_with(&format!("{field}: ")), "{field}: {status:?}");
    }
    mesh.rank(good()).await.unwrap();
}

#[test]
fn the_deployed_configuration_is_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/config/ranking.toml");
    let config: Config = tributary_runtime::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(config.server.listen.port(), 7021);
    for (bad, key) in [
        ("golden_tolerance = 0.0", "golden_tolerance"),
        ("[inference]\nthreads = 0", "inference.threads"),
        ("[inference]\nproviders = []", "inference.providers"),
        ("[fusion]\nliked = nan", "fusion.liked"),
    ] {
        let error = tributary_runtime::parse::<Config>(bad).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}
