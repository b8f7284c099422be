//! The followers against a feature service in memory that loses connections, is replaced, and
//! forgets the beginning of its log.

#![allow(clippy::unwrap_used, reason = "a test may panic; clippy.toml covers only test functions")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    codegen::{Service, http},
    server::NamedService,
};
use tributary_domain::{
    Action, Behaviour, Event, Gender, Item, ItemChange, ItemId, Timestamp, UserId,
};
use tributary_feed::{
    Catalog, EventSink, Follower, ItemSink, SegmentedEvent, follow_events, follow_items,
};
use tributary_mesh::{Client, ClientConfig};
use tributary_proto::{STORE_METADATA, feature::v1::feature_service_server::FeatureServiceServer};
use tributary_testkit::{FakeFeature, FakeServer, Mode, Proxy, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a sink was told, in order: an item or event number, or 0 for a restart.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u64>>>);

impl Told {
    fn push(&self, number: u64) {
        self.0.lock().unwrap().push(number);
    }

    fn now(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }

    #[track_caller]
    fn becomes(&self, expected: &[u64]) -> impl Future<Output = ()> + use<> {
        let (told, expected) = (self.clone(), expected.to_vec());
        wait_until(move || std::future::ready(told.now() == expected), PATIENCE)
    }
}

impl ItemSink for Told {
    fn apply(&mut self, changes: &[ItemChange]) {
        changes.iter().for_each(|change| self.push(change.item().0));
    }

    fn restart(&mut self) {
        self.push(0);
    }
}

impl EventSink for Told {
    fn apply(&mut self, events: &[SegmentedEvent]) {
        events.iter().for_each(|event| self.push(event.event.behaviour.item.0));
    }

    fn restart(&mut self) {
        self.push(0);
    }
}

fn client(address: SocketAddr) -> Client {
    Client::new("feature", &ClientConfig::at(format!("http://{address}"))).unwrap()
}

fn items(ids: impl IntoIterator<Item = u64>) -> Vec<Item> {
    ids.into_iter().map(|id| Item::bare(ItemId(id))).collect()
}

fn event(item: u64) -> Event {
    let (item, time) = (ItemId(item), Timestamp(1_000));
    let behaviour = Behaviour { item, action: Action::Click, time, dwell_ms: 0 };
    Event { user: UserId(1), behaviour }
}

async fn caught_up(follower: &Follower) {
    tokio::time::timeout(PATIENCE, follower.caught_up()).await.expect("caught up");
}

#[tokio::test]
async fn an_empty_log_is_caught_up_with() {
    let server = FakeFeature::new().start();
    let (client, shutdown) = (client(server.address()), CancellationToken::new());
    caught_up(&follow_items(client.clone(), Told::default(), shutdown.clone())).await;
    caught_up(&follow_events(client, Told::default(), shutdown)).await;
}

#[tokio::test]
async fn a_catalog_holds_what_the_log_says() {
    let feature = FakeFeature::new();
    feature.upsert(items(1..=3));
    let server = feature.start();
    let catalog = Catalog::new();
    let follower = follow_items(client(server.address()), catalog.sink(), CancellationToken::new());
    caught_up(&follower).await;
    assert_eq!(catalog.snapshot().len(), 3);
    feature.delete(ItemId(2));
    feature.upsert(items([4]));
    let state = follower.reached(|state| state.applied == 5);
    let state = tokio::time::timeout(PATIENCE, state).await.unwrap();
    assert_eq!((state.head, state.lag(), state.connected), (5, 0, true));
    let snapshot = catalog.snapshot();
    let mut held: Vec<u64> = snapshot.iter().map(|item| item.id.0).collect();
    held.sort_unstable();
    assert_eq!(held, [1, 3, 4]);
}

#[tokio::test]
async fn a_lost_connection_loses_and_repeats_nothing() {
    let feature = FakeFeature::new();
    feature.upsert(items([1, 2]));
    let server = feature.start();
    let proxy = Proxy::start(server.address()).await;
    let told = Told::default();
    let follower = follow_items(client(proxy.address()), told.clone(), CancellationToken::new());
    told.becomes(&[1, 2]).await;
    proxy.set(Mode::Close);
    wait_until(async || !follower.state().connected, PATIENCE).await;
    feature.upsert(items([3]));
    proxy.set(Mode::Pass);
    told.becomes(&[1, 2, 3]).await;
    feature.upsert(items([4]));
    told.becomes(&[1, 2, 3, 4]).await;
}

#[tokio::test]
async fn a_service_that_starts_later_is_followed() {
    let feature = FakeFeature::new();
    feature.upsert(items([1]));
    let address = feature.start().address();
    let told = Told::default();
    let follower = follow_items(client(address), told.clone(), CancellationToken::new());
    assert!(!follower.state().caught_up);
    let _server = FakeServer::start_at(address, feature.service());
    told.becomes(&[1]).await;
}

#[tokio::test]
async fn a_log_that_goes_back_is_read_again() {
    let feature = FakeFeature::new();
    feature.upsert(items([1, 2, 3]));
    let server = feature.start();
    let told = Told::default();
    let _follower = follow_items(client(server.address()), told.clone(), CancellationToken::new());
    told.becomes(&[1, 2, 3]).await;
    feature.reset();
    told.becomes(&[1, 2, 3, 0]).await;
    feature.upsert(items([7]));
    told.becomes(&[1, 2, 3, 0, 7]).await;
}

#[tokio::test]
async fn events_come_with_their_segment_and_a_cut_log_starts_anew() {
    let feature = FakeFeature::new();
    feature.log_event(event(1), Some(30), Some(Gender::Female));
    let server = feature.start();
    let proxy = Proxy::start(server.address()).await;
    let told = Told::default();
    let follower = follow_events(client(proxy.address()), told.clone(), CancellationToken::new());
    told.becomes(&[1]).await;
    proxy.set(Mode::Close);
    wait_until(async || !follower.state().connected, PATIENCE).await;
    feature.set_truncated(true);
    feature.log_event(event(2), None, None);
    proxy.set(Mode::Pass);
    told.becomes(&[1, 0, 2]).await;
    feature.log_event(event(3), None, None);
    told.becomes(&[1, 0, 2, 3]).await;
}

#[tokio::test]
async fn segments_are_decoded() {
    struct Segments(Arc<Mutex<Vec<SegmentedEvent>>>);
    impl EventSink for Segments {
        fn apply(&mut self, events: &[SegmentedEvent]) {
            self.0.lock().unwrap().extend_from_slice(events);
        }
        fn restart(&mut self) {}
    }
    let feature = FakeFeature::new();
    feature.log_event(event(1), Some(30), Some(Gender::Female));
    feature.log_event(event(2), None, None);
    let server = feature.start();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Segments(Arc::clone(&seen));
    let follower = follow_events(client(server.address()), sink, CancellationToken::new());
    caught_up(&follower).await;
    let expected = [
        SegmentedEvent { event: event(1), age: Some(30), gender: Some(Gender::Female) },
        SegmentedEvent { event: event(2), age: None, gender: None },
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_store_of_another_name_is_read_from_its_start() {
    let (old, new) = (FakeFeature::new(), FakeFeature::new());
    old.upsert(items([1, 2]));
    new.upsert(items([5, 6, 7]));
    let first = FakeServer::start(Named { inner: old.service(), name: "old" });
    let address = first.address();
    let told = Told::default();
    let _follower = follow_items(client(address), told.clone(), CancellationToken::new());
    told.becomes(&[1, 2]).await;
    first.kill();
    let _second = FakeServer::start_at(address, Named { inner: new.service(), name: "new" });
    told.becomes(&[1, 2, 0, 5, 6, 7]).await;
}

/// How often a sink was told to forget users.
#[derive(Clone, Default)]
struct Forgetful(Arc<Mutex<usize>>);

impl ItemSink for Forgetful {
    fn apply(&mut self, _: &[ItemChange]) {}

    fn users_deleted(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[tokio::test]
async fn users_are_forgotten_at_every_deletion_also_one_that_was_missed() {
    let (feature, user) = (FakeFeature::new(), UserId(1));
    let server = feature.start();
    let proxy = Proxy::start(server.address()).await;
    let forgetful = Forgetful::default();
    let follower =
        follow_items(client(proxy.address()), forgetful.clone(), CancellationToken::new());
    let told = |times: usize| {
        let told = forgetful.0.clone();
        wait_until(move || std::future::ready(*told.lock().unwrap() == times), PATIENCE)
    };
    caught_up(&follower).await;
    told(1).await;
    feature.delete_user(user);
    told(2).await;
    // A change of an item tells nothing of users.
    feature.upsert(items([1]));
    follower.reached(|state| state.applied == 1).await;
    assert_eq!(*forgetful.0.lock().unwrap(), 2);
    proxy.set(Mode::Close);
    wait_until(async || !follower.state().connected, PATIENCE).await;
    feature.delete_user(user);
    proxy.set(Mode::Pass);
    told(3).await;
    // The same number of another store says nothing.
    feature.reset();
    told(4).await;
}

#[tokio::test]
async fn a_follower_beyond_the_log_begins_with_the_whole_catalogue() {
    let feature = FakeFeature::new();
    feature.upsert(items([1, 2, 3, 4]));
    let server = feature.start();
    let proxy = Proxy::start(server.address()).await;
    let catalog = Catalog::new();
    let follower = follow_items(client(proxy.address()), catalog.sink(), CancellationToken::new());
    caught_up(&follower).await;
    proxy.set(Mode::Close);
    wait_until(async || !follower.state().connected, PATIENCE).await;
    // A store restored from a backup: fewer changes, others than the follower applied.
    feature.reset();
    feature.upsert(items([2, 9]));
    proxy.set(Mode::Pass);
    let held = || {
        let mut held: Vec<u64> = catalog.snapshot().iter().map(|item| item.id.0).collect();
        held.sort_unstable();
        held
    };
    wait_until(async || held() == [2, 9], PATIENCE).await;
    let state = follower.reached(|state| state.connected && state.lag() == 0).await;
    assert_eq!(state.applied, 2);
}

#[tokio::test]
async fn the_end_of_a_follower_ends_its_stream() {
    let feature = FakeFeature::new();
    let server = feature.start();
    for end in [end_by_shutdown, end_by_drop] {
        let (told, shutdown) = (Told::default(), CancellationToken::new());
        let follower = follow_items(client(server.address()), told.clone(), shutdown.clone());
        caught_up(&follower).await;
        // The task owns the sink: when the task is gone, so is the sink.
        end(follower, &shutdown);
        wait_until(async || Arc::strong_count(&told.0) == 1, PATIENCE).await;
    }
}

#[tokio::test]
async fn a_sink_that_panics_ends_its_follower_visibly() {
    struct Fragile;
    impl ItemSink for Fragile {
        fn apply(&mut self, changes: &[ItemChange]) {
            assert!(changes.iter().all(|change| change.item() != ItemId(2)), "of the test");
        }
        fn restart(&mut self) {}
    }
    let feature = FakeFeature::new();
    feature.upsert(items([1]));
    let server = feature.start();
    let follower = follow_items(client(server.address()), Fragile, CancellationToken::new());
    caught_up(&follower).await;
    assert!(tokio::time::timeout(Duration::ZERO, follower.ended()).await.is_err());
    feature.upsert(items([2]));
    tokio::time::timeout(PATIENCE, follower.ended()).await.expect("ended");
    let state = follower.state();
    assert_eq!((state.connected, state.applied), (false, 1));
}

fn end_by_shutdown(follower: Follower, shutdown: &CancellationToken) {
    shutdown.cancel();
    // Kept until the test ends, so that its drop is not what ends the task.
    std::mem::forget(follower);
}

fn end_by_drop(follower: Follower, _shutdown: &CancellationToken) {
    drop(follower);
}

/// The service with the name of its store in the metadata of every response.
#[derive(Clone)]
struct Named {
    inner: FeatureServiceServer<FakeFeature>,
    name: &'static str,
}

impl NamedService for Named {
    const NAME: &'static str = <FeatureServiceServer<FakeFeature> as NamedService>::NAME;
}

impl Service<http::Request<Body>> for Named {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = tonic::codegen::BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (answer, name) = (self.inner.call(request), self.name);
        Box::pin(async move {
            let mut response = answer.await?;
            let name = http::HeaderValue::from_static(name);
            response.headers_mut().insert(STORE_METADATA, name);
            Ok(response)
        })
    }
}
