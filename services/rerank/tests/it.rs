//! The service on a free port, with a fake feature service and a bundle store of its own.

#![expect(clippy::unwrap_used, reason = "a test's failure is its message")]

use std::{fs, time::Duration};

use ndarray::Array2;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Code, transport::Channel};
use tributary_bundle::{Draft, ManifestParts, Store, StoreConfig};
use tributary_domain::{BundleId, Item, ItemId};
use tributary_mesh::ClientConfig;
use tributary_proto::rerank::v1::{
    Algorithm, Cap, Reason, RerankRequest, RerankResponse, cap::Attribute,
    rerank_service_client::RerankServiceClient,
};
use tributary_rerank::{CapConfig, Config, StartError, start};
use tributary_retrieval::vector::ItemVectors;
use tributary_runtime::Listeners;
use tributary_testkit::{
    FakeFeature, FakeServer, TestFolder, TinyBundle, channel, is_serving, of_genre, six_vectors,
    wait_until,
};

const WAIT: Duration = Duration::from_secs(20);

struct Rerank {
    client: RerankServiceClient<Channel>,
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), StartError>>,
}

impl Rerank {
    async fn start(config: Config) -> Self {
        let listeners = Listeners::ephemeral().await;
        let address = listeners.grpc_address();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(start(config, listeners, shutdown.clone()));
        let client = RerankServiceClient::new(channel(address));
        Self { client, address, shutdown, task }
    }

    async fn ask(&self, request: &RerankRequest) -> Result<RerankResponse, tonic::Status> {
        let answer = self.client.clone().rerank(request.clone()).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn order(&self, request: &RerankRequest) -> Vec<u64> {
        self.ask(request).await.unwrap().item_ids
    }

    /// Waits until the order is as expected: attributes and bundles arrive when they do.
    async fn wait_for(&self, request: &RerankRequest, expected: &[u64]) {
        wait_until(async || self.order(request).await == expected, WAIT).await;
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn config(feature: &FakeServer) -> Config {
    Config { feature: ClientConfig::at(feature.url()), cap: Vec::new(), ..Config::default() }
}

fn request(items: &[u64], theta: f32) -> RerankRequest {
    let scores = (0_u8..).take(items.len()).map(|place| 1.0 - f32::from(place) / 10.0);
    RerankRequest {
        item_ids: items.to_vec(),
        scores: scores.collect(),
        size: 500,
        theta: Some(theta),
        ..RerankRequest::default()
    }
}

fn item(id: u64, creator: u64, genre: &str) -> Item {
    Item { creator: Some(creator), genres: vec![genre.to_owned()], ..Item::bare(ItemId(id)) }
}

fn catalogue() -> [Item; 4] {
    [item(1, 7, "Drama"), item(2, 7, "Drama"), item(3, 8, "Western"), item(4, 7, "Drama")]
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_with_nothing_around_it() {
    let config = Config {
        feature: ClientConfig::at("http://127.0.0.1:1"),
        bundle: None,
        ..Config::default()
    };
    let rerank = Rerank::start(config).await;
    wait_until(
        async || is_serving(rerank.address, "tributary.rerank.v1.RerankService").await,
        WAIT,
    )
    .await;
    let answer = rerank.ask(&request(&[5, 6, 7], 0.9)).await.unwrap();
    assert_eq!(answer.item_ids, [5, 6, 7]);
    assert_eq!(answer.score_positions, [1, 2, 3]);
    assert_eq!(answer.algorithm(), Algorithm::Dpp);
    assert_eq!(answer.bundle_id, "");
    rerank.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_items_apart_by_their_labels() {
    let fake = FakeFeature::new();
    fake.upsert(catalogue());
    let feature = fake.start();
    let rerank = Rerank::start(config(&feature)).await;
    let diverse = request(&[1, 2, 3, 4], 0.8);
    rerank.wait_for(&diverse, &[1, 3, 2, 4]).await;
    let answer = rerank.ask(&diverse).await.unwrap();
    assert_eq!(answer.score_positions, [1, 3, 2, 4]);
    let reasons: Vec<Reason> = answer.reasons().collect();
    assert_eq!(reasons[..2], [Reason::Score, Reason::Diversity]);
    for algorithm in [Algorithm::DppWindow, Algorithm::Mmr] {
        let other = RerankRequest { algorithm: algorithm.into(), ..diverse.clone() };
        let answer = rerank.ask(&other).await.unwrap();
        assert_eq!((answer.item_ids[1], answer.algorithm()), (3, algorithm));
    }
    assert_eq!(rerank.order(&request(&[1, 2, 3, 4], 0.0)).await, [1, 2, 3, 4]);
    let by_score = RerankRequest { algorithm: Algorithm::Score.into(), ..diverse.clone() };
    assert_eq!(rerank.order(&by_score).await, [1, 2, 3, 4]);
    let short = RerankRequest { size: 2, ..diverse };
    assert_eq!(rerank.order(&short).await, [1, 3]);
    rerank.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caps_follow_the_catalogue() {
    let fake = FakeFeature::new();
    fake.upsert(catalogue());
    let feature = fake.start();
    let attribute = tributary_rerank::Attribute::Creator;
    let cap = vec![CapConfig { attribute, maximum: 1, window: 2 }];
    let rerank = Rerank::start(Config { cap, ..config(&feature) }).await;
    let plain = request(&[1, 2, 3, 4], 0.0);
    rerank.wait_for(&plain, &[1, 3, 2, 4]).await;
    let answer = rerank.ask(&plain).await.unwrap();
    let reasons: Vec<Reason> = answer.reasons().collect();
    assert_eq!(reasons, [Reason::Score, Reason::Cap, Reason::Score, Reason::Fill]);

    let none = RerankRequest { override_caps: true, ..plain.clone() };
    assert_eq!(rerank.order(&none).await, [1, 2, 3, 4]);
    let genre = Cap { attribute: Attribute::Genre.into(), maximum: 2, window: 3 };
    let other = RerankRequest { caps: vec![genre], override_caps: true, ..plain.clone() };
    assert_eq!(rerank.order(&other).await, [1, 2, 3, 4]);
    let ignored = RerankRequest { caps: other.caps.clone(), ..plain.clone() };
    assert_eq!(rerank.order(&ignored).await, [1, 3, 2, 4]);

    fake.upsert([item(2, 9, "Drama")]);
    rerank.wait_for(&plain, &[1, 2, 3, 4]).await;
    rerank.stop().await;
}

/// Publishes a bundle in which items 1 and `like` point the same way.
fn publish(store: &Store, like: u64) -> BundleId {
    let vectors = Array2::from_shape_fn((3, 3), |(row, column)| {
        let id = u64::try_from(row).unwrap() + 1;
        let row = if id == like { 0 } else { row };
        f32::from(u8::from(row == column))
    });
    let table = ItemVectors { ids: [1, 2, 3].map(ItemId).to_vec(), vectors };
    publish_bytes(store, &table.to_bytes())
}

fn publish_bytes(store: &Store, bytes: &[u8]) -> BundleId {
    let mut draft = Draft::new(store).unwrap();
    draft.write("tables/item_vectors.safetensors", bytes).unwrap();
    let id = draft.finish(ManifestParts::default()).unwrap();
    store.publish(&id).unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_up_bundles_and_refuses_broken_ones() {
    let folder = TestFolder::new("rerank");
    let feature = FakeFeature::new().start();
    let store = Store::at(folder.path());
    let poll = Duration::from_millis(10);
    let bundle = Some(StoreConfig { store: folder.path().to_owned(), poll });
    let rerank = Rerank::start(Config { bundle, ..config(&feature) }).await;
    // Item 4 is in no bundle.
    let asked = request(&[1, 2, 3, 4], 0.9);
    assert_eq!(rerank.order(&asked).await, [1, 2, 3, 4]);

    let first = publish(&store, 2);
    rerank.wait_for(&asked, &[1, 3, 4, 2]).await;
    assert_eq!(rerank.ask(&asked).await.unwrap().bundle_id, first.as_str());
    let second = publish(&store, 3);
    rerank.wait_for(&asked, &[1, 2, 4, 3]).await;

    let refused = publish_bytes(&store, b"not a table");
    let third = publish(&store, 2);
    let answers = async || rerank.ask(&asked).await.unwrap();
    wait_until(async || answers().await.bundle_id == third.as_str(), WAIT).await;
    assert!(![&first, &second].contains(&&refused));
    fs::remove_dir_all(folder.join("bundles")).unwrap();
    assert_eq!(answers().await.item_ids, [1, 3, 4, 2]);
    rerank.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_newer_than_the_bundle_has_a_place_among_the_others() {
    const FILE: &str = "tables/item_vectors.safetensors";
    let folder = TestFolder::new("rerank");
    let (fake, store) = (FakeFeature::new(), Store::at(folder.path()));
    let feature = fake.start();
    let bundle = TinyBundle::two_tower()
        .with_vectors(FILE, [1, 2, 3, 4, 5, 6], six_vectors())
        .with_item_tower("item_tower");
    store.publish(&bundle.write(&store)).unwrap();
    let poll = Duration::from_millis(10);
    let bundle = Some(StoreConfig { store: folder.path().to_owned(), poll });
    // By their vectors alone, so that the labels say nothing.
    let config = Config { bundle, label_share: 0.0, ..config(&feature) };
    let rerank = Rerank::start(config).await;
    // Item 1 lies one way, 4 the other; nothing is known of 7, which differs from all.
    let asked = request(&[1, 7, 4], 0.9);
    wait_until(async || !rerank.ask(&asked).await.unwrap().bundle_id.is_empty(), WAIT).await;
    assert_eq!(rerank.order(&asked).await, [1, 7, 4]);
    fake.upsert([of_genre(7, "a")]);
    rerank.wait_for(&asked, &[1, 4, 7]).await;
    fake.upsert([of_genre(7, "f")]);
    rerank.wait_for(&asked, &[1, 7, 4]).await;
    rerank.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_the_field_that_is_wrong() {
    let feature = FakeFeature::new().start();
    let rerank = Rerank::start(config(&feature)).await;
    let good = request(&[1, 2], 0.5);
    let cap = |attribute: Attribute, maximum, window| {
        vec![Cap { attribute: attribute.into(), maximum, window }]
    };
    let with = |change: &dyn Fn(&mut RerankRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    for (bad, field) in [
        (with(&|request| request.item_ids.clear()), "item_ids"),
        (with(&|request| request.item_ids = (1..=2_001).collect()), "item_ids"),
        (with(&|request| request.item_ids = vec![1, 0]), "item_ids[1]"),
        (with(&|request| request.item_ids = vec![3, 3]), "item_ids"),
        (with(&|request| request.scores = vec![1.0]), "scores"),
        (with(&|request| request.scores[1] = f32::NAN), "scores[1]"),
        (with(&|request| request.size = 0), "size"),
        (with(&|request| request.size = 501), "size"),
        (with(&|request| request.theta = Some(1.0)), "theta"),
        (with(&|request| request.theta = Some(f32::NAN)), "theta"),
        (with(&|request| request.algorithm = 99), "algorithm"),
        (with(&|request| request.caps = cap(Attribute::Unspecified, 1, 2)), "caps[0].attribute"),
        (with(&|request| request.caps = cap(Attribute::Tag, 0, 2)), "caps[0].maximum"),
        (with(&|request| request.caps = cap(Attribute::Tag, 2, 2)), "caps[0].window"),
        (with(&|request| request.caps = cap(Attribute::Tag, 2, 501)), "caps[0].window"),
    ] {
        let status = rerank.ask(&bad).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert!(status.message().starts_with(&format!("{field}: ")), "{status:?}");
    }
    assert_eq!(rerank.order(&good).await, [1, 2]);
    rerank.stop().await;
}
