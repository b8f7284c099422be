//! The built binary under kill -9: what it acknowledged is there afterwards, and only once.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;
use tonic::transport::Channel;
use tributary_domain::{Action, Event};
use tributary_proto::{
    entity::v1 as entity,
    feature::v1::{
        ApplyChangesRequest, GetItemsRequest, GetPositionRequest, RecordEventsRequest,
        SourceChange, UpsertItemsRequest, WatchEventsRequest,
        feature_service_client::FeatureServiceClient, source_change::Change,
    },
};
use tributary_testkit::{
    Process, RedisServer, TestFolder, channel, free_port, wait_until, wait_until_serving,
};

use crate::harness::{PATIENCE, event};

const WRITERS: usize = 4;
const ROUNDS: usize = 3;
const EVENTS_A_CALL: i64 = 5;
const ITEM: u64 = 1;

struct Feature {
    folder: TestFolder,
    address: SocketAddr,
    redis: Option<RedisServer>,
}

impl Feature {
    fn new() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        Self { folder: TestFolder::new("feature-kill"), address, redis: None }
    }

    async fn on_redis() -> Self {
        Self { redis: Some(RedisServer::start().await), ..Self::new() }
    }

    fn spawn(&self) -> Process {
        let binary = env!("CARGO_BIN_EXE_feature");
        let mut environment = vec![
            ("TRIBUTARY__SERVER__LISTEN", self.address.to_string()),
            ("TRIBUTARY__SERVER__METRICS", "false".to_owned()),
            ("TRIBUTARY__STORE__DATA", self.folder.path().display().to_string()),
        ];
        if let Some(redis) = &self.redis {
            environment.push(("TRIBUTARY__STORE__KIND", "redis".to_owned()));
            environment.push(("TRIBUTARY__REDIS__URLS", format!("[{:?}]", redis.url())));
        }
        let log = self.folder.join("feature.log");
        Process::spawn(binary, [] as [&str; 0], environment, log).unwrap()
    }

    async fn running(&self) -> Process {
        let process = self.spawn();
        wait_until_serving(self.address, "tributary.feature.v1.FeatureService", PATIENCE).await;
        process
    }

    /// Waits until what a killed process left half-done is finished.
    async fn settled(&self) {
        if let Some(redis) = &self.redis {
            let left = async || redis.command(&["--scan", "--pattern", "t1:{u*}:o"]).await;
            wait_until(async || left().await.is_empty(), PATIENCE).await;
        }
    }

    fn client(&self) -> FeatureServiceClient<Channel> {
        FeatureServiceClient::new(channel(self.address))
    }
}

/// What the writers sent, and what of it was acknowledged, by the events' times.
#[derive(Default)]
struct Written {
    next: AtomicI64,
    sent: Mutex<BTreeSet<i64>>,
    acknowledged: Mutex<BTreeSet<i64>>,
}

impl Written {
    fn acknowledged(&self) -> BTreeSet<i64> {
        self.acknowledged.lock().unwrap().clone()
    }
}

fn event_at(time: i64) -> Event {
    event(1 + u64::try_from(time % 3).unwrap(), ITEM, Action::Click, time)
}

async fn send(
    client: &mut FeatureServiceClient<Channel>,
    times: impl IntoIterator<Item = i64>,
) -> Result<(u32, u32), tonic::Status> {
    let events = times.into_iter().map(|time| event_at(time).into()).collect();
    let answer =
        client.record_events(RecordEventsRequest { events, served: vec![] }).await?.into_inner();
    Ok((answer.recorded, answer.duplicates))
}

/// Writes until a call fails.
async fn write(mut client: FeatureServiceClient<Channel>, written: Arc<Written>) {
    loop {
        let first = written.next.fetch_add(EVENTS_A_CALL, Ordering::Relaxed) + 1;
        let times = first..first + EVENTS_A_CALL;
        written.sent.lock().unwrap().extend(times.clone());
        if send(&mut client, times.clone()).await.is_err() {
            return;
        }
        written.acknowledged.lock().unwrap().extend(times);
    }
}

/// The times of all events of the log, in its order.
async fn logged(client: &mut FeatureServiceClient<Channel>) -> Vec<i64> {
    let watch = client.watch_events(WatchEventsRequest { after: 0 });
    let mut stream = watch.await.unwrap().into_inner();
    let mut times = Vec::new();
    loop {
        let message = stream.message().await.unwrap().unwrap();
        let last = message.events.last().map_or(0, |event| event.sequence);
        times.extend(message.events.into_iter().map(|event| event.event.unwrap().time_ms));
        if last == message.head {
            return times;
        }
    }
}

async fn kill_while_writing(feature: &Feature, written: &Arc<Written>) {
    let mut process = feature.running().await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(feature.client(), Arc::clone(written)));
    }
    let enough = written.acknowledged().len() + 200;
    wait_until(async || written.acknowledged().len() >= enough, PATIENCE).await;
    process.kill_9().await.unwrap();
    writers.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_and_nothing_is_there_twice() {
    nothing_is_lost_or_there_twice(Feature::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_killed_half_way_is_finished_by_another() {
    nothing_is_lost_or_there_twice(Feature::on_redis().await).await;
}

async fn nothing_is_lost_or_there_twice(feature: Feature) {
    let written = Arc::new(Written::default());
    for _ in 0..ROUNDS {
        kill_while_writing(&feature, &written).await;
    }
    let _process = feature.running().await;
    feature.settled().await;
    let mut client = feature.client();
    let times = logged(&mut client).await;
    let held: BTreeSet<i64> = times.iter().copied().collect();
    assert_eq!(times.len(), held.len(), "an event is in the log twice");
    let lost: Vec<i64> = written.acknowledged().difference(&held).copied().collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    // On Redis a call is whole for each user only.
    for time in held.iter().filter(|_| feature.redis.is_none()) {
        let first = (time - 1) / EVENTS_A_CALL * EVENTS_A_CALL + 1;
        let call = first..first + EVENTS_A_CALL;
        assert!(call.clone().all(|time| held.contains(&time)), "half a call is there: {call:?}");
    }

    // All sent again: each is counted exactly once in the end.
    let sent: Vec<i64> = written.sent.lock().unwrap().iter().copied().collect();
    let mut counts = (0, 0);
    for call in sent.chunks(1_000) {
        let (recorded, duplicates) = send(&mut client, call.iter().copied()).await.unwrap();
        counts = (counts.0 + recorded, counts.1 + duplicates);
    }
    assert_eq!(usize::try_from(counts.1).unwrap(), held.len());
    assert_eq!(usize::try_from(counts.0).unwrap(), sent.len() - held.len());
    let item = entity::Item { item_id: ITEM, ..entity::Item::default() };
    client.upsert_items(UpsertItemsRequest { items: vec![item] }).await.unwrap();
    let get = GetItemsRequest { item_ids: vec![ITEM] };
    let items = client.get_items(get).await.unwrap().into_inner().items;
    assert_eq!(usize::try_from(items[0].counters.unwrap().clicks).unwrap(), sent.len());
}

const SOURCE: &str = "source";
const CHANGES_A_CALL: u64 = 7;

async fn position(client: &mut FeatureServiceClient<Channel>) -> u64 {
    let ask = GetPositionRequest { source: SOURCE.to_owned() };
    let position = client.get_position(ask).await.unwrap().into_inner().position;
    position.try_into().map_or(0, u64::from_be_bytes)
}

/// Reads a source whose n-th change is a click at time n, as `ingest` would: from the stored
/// position on, until a call fails.
async fn ingest(mut client: FeatureServiceClient<Channel>, acknowledged: Arc<AtomicI64>) {
    let mut at = position(&mut client).await;
    loop {
        let next = at + CHANGES_A_CALL;
        let change = |number: u64| {
            let event = event_at(i64::try_from(number).unwrap());
            SourceChange { change: Some(Change::RecordedEvent(event.into())) }
        };
        let bytes = |at: u64| if at == 0 { vec![] } else { at.to_be_bytes().to_vec() };
        let request = ApplyChangesRequest {
            source: SOURCE.to_owned(),
            position: bytes(next),
            expected_position: bytes(at),
            changes: (at + 1..=next).map(change).collect(),
        };
        if client.apply_changes(request).await.is_err() {
            return;
        }
        at = next;
        acknowledged.store(i64::try_from(at).unwrap(), Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_survives_kill_9_with_just_the_changes_before_it() {
    changes_go_with_their_position(Feature::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis_repetition_finishes_what_kill_9_interrupted() {
    changes_go_with_their_position(Feature::on_redis().await).await;
}

async fn changes_go_with_their_position(feature: Feature) {
    let acknowledged = Arc::new(AtomicI64::new(0));
    for _ in 0..ROUNDS {
        let mut process = feature.running().await;
        let enough = acknowledged.load(Ordering::Relaxed) + 200;
        let reader = tokio::spawn(ingest(feature.client(), Arc::clone(&acknowledged)));
        wait_until(async || acknowledged.load(Ordering::Relaxed) >= enough, PATIENCE).await;
        process.kill_9().await.unwrap();
        reader.await.unwrap();
    }
    let _process = feature.running().await;
    let mut client = feature.client();
    let stored = i64::try_from(position(&mut client).await).unwrap();
    assert!(stored >= acknowledged.load(Ordering::Relaxed), "an acknowledged position is lost");
    feature.settled().await;
    let mut times = logged(&mut client).await;
    if feature.redis.is_some() {
        // The changes after the position come from a call that was interrupted, each once.
        let (once, all) = (times.iter().collect::<BTreeSet<_>>().len(), times.len());
        assert_eq!(once, all, "an event is in the log twice");
        times.sort_unstable();
        times.retain(|time| *time <= stored);
    }
    assert_eq!(times, (1..=stored).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_second_process_on_the_same_data_says_what_to_do() {
    let feature = Feature::new();
    let mut first = feature.running().await;
    let other = Feature { address: ([127, 0, 0, 1], free_port()).into(), ..feature };
    let mut second = other.spawn();
    let status = second.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(second.log().contains("is open in another process: stop that process"));
    let status = first.stop(Duration::from_secs(30)).await.unwrap();
    assert_eq!(status.code(), Some(0));
}
