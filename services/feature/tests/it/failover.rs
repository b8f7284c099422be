//! Redis killed in the middle of writes: what was acknowledged is there, and only once; calls fail
//! in time, and work again by themselves.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tributary_domain::{Action, Item, ItemId};
use tributary_feature::{RedisConfig, RedisMode, Retention, Store, StoreError};
use tributary_testkit::{RedisCluster, RedisSentinel, RedisServer, wait_until};

use crate::harness::{PATIENCE, bare, event};

const WRITERS: usize = 4;
const EVENTS_A_CALL: i64 = 5;
const USERS: i64 = 40;
const ITEM: u64 = 1;
/// A call ends within this time, whatever Redis does: twice the time-out, and the machine's load.
const BOUND: Duration = Duration::from_secs(5);

/// What the writers did. Each event has its own time.
#[derive(Default)]
struct Written {
    next: AtomicI64,
    stop: AtomicBool,
    acknowledged: Mutex<BTreeSet<i64>>,
    failed: AtomicI64,
}

impl Written {
    fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }
}

async fn record(store: &Store, times: std::ops::Range<i64>) -> Result<(), StoreError> {
    let events =
        times.map(|time| event(1 + (time % USERS).unsigned_abs(), ITEM, Action::Click, time));
    let started = Instant::now();
    let outcome = store.record(bare(events)).await;
    assert!(started.elapsed() < BOUND, "a call took {:?}", started.elapsed());
    outcome.map(drop)
}

/// Writes until it is told to stop; what failed is sent again until it is acknowledged.
async fn write(store: Store, written: Arc<Written>) {
    while !written.stop.load(Ordering::Relaxed) {
        let first = written.next.fetch_add(EVENTS_A_CALL, Ordering::Relaxed) + 1;
        let times = first..first + EVENTS_A_CALL;
        while let Err(error) = record(&store, times.clone()).await {
            assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
            written.failed.fetch_add(1, Ordering::Relaxed);
        }
        written.acknowledged.lock().unwrap().extend(times);
    }
}

/// Writes from two replicas while `disturb` runs, and gives what was acknowledged.
async fn written_during(
    config: &RedisConfig,
    disturb: impl AsyncFnOnce(&Written),
) -> (Store, BTreeSet<i64>, i64) {
    let written = Arc::new(Written::default());
    let mut stores = Vec::new();
    for _ in 0..2 {
        stores.push(Store::redis(config, Retention::default()).await.unwrap());
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(stores[writer % 2].clone(), Arc::clone(&written)));
    }
    disturb(&written).await;
    written.stop.store(true, Ordering::Relaxed);
    writers.join_all().await;
    let acknowledged = written.acknowledged.lock().unwrap().clone();
    (stores.remove(0), acknowledged, written.failed.load(Ordering::Relaxed))
}

async fn some_more(written: &Written) {
    let enough = written.acknowledged() + 100;
    wait_until(async || written.acknowledged() >= enough, PATIENCE).await;
}

/// The times of all events of the log.
async fn logged(store: &Store) -> Vec<i64> {
    let (mut times, mut after) = (Vec::new(), 0);
    loop {
        let page = store.events(after).await.unwrap();
        after = page.entries.last().map_or(after, |(sequence, _)| *sequence);
        times.extend(page.entries.iter().map(|(_, logged)| logged.event.behaviour.time.0));
        if page.complete {
            return times;
        }
    }
}

async fn check(store: &Store, acknowledged: &BTreeSet<i64>) {
    let times = logged(store).await;
    let held: BTreeSet<i64> = times.iter().copied().collect();
    assert_eq!(times.len(), held.len(), "an event is in the log twice");
    assert_eq!(held, *acknowledged);
    store.upsert_items(vec![Item::bare(ItemId(ITEM))]).await.unwrap();
    let stored = store.items(vec![ItemId(ITEM)]).await.unwrap().remove(0).unwrap();
    assert_eq!(usize::try_from(stored.counters.clicks).unwrap(), acknowledged.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_of_redis() {
    let mut server = RedisServer::durable().await;
    let config = RedisConfig { urls: vec![server.url()], ..RedisConfig::default() };
    let (store, acknowledged, failed) = written_during(&config, async |written| {
        for _ in 0..3 {
            some_more(written).await;
            server.kill_9().await;
            server.restart().await;
        }
        some_more(written).await;
    })
    .await;
    assert!(failed > 0, "nothing was disturbed");
    check(&store, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_puts_another_master_in_place() {
    let mut sentinel = RedisSentinel::start().await;
    let config =
        RedisConfig { mode: RedisMode::Sentinel, urls: sentinel.urls(), ..RedisConfig::default() };
    let store = Store::redis(&config, Retention::default()).await.unwrap();
    record(&store, 1..6).await.unwrap();
    // What the replica does not have yet would be lost: docs/redis.md says how not to.
    assert_eq!(sentinel.master().command(&["WAIT", "1", "10000"]).await, "1");
    sentinel.master().kill_9().await;
    let refused = record(&store, 6..11).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreachable { .. }), "{refused:?}");
    wait_until(async || record(&store, 6..11).await.is_ok(), PATIENCE).await;
    check(&store, &(1..11).collect()).await;
}

/// A store of 100 events that every replica of Redis has, and which master has the logs.
async fn on_a_cluster() -> (RedisCluster, RedisConfig, Store, usize) {
    let mut cluster = RedisCluster::start().await;
    let config = RedisConfig {
        mode: RedisMode::Cluster,
        urls: cluster.urls(),
        partitions: 64,
        ..RedisConfig::default()
    };
    let store = Store::redis(&config, Retention::default()).await.unwrap();
    record(&store, 1..101).await.unwrap();
    let master = cluster.master_of("t1:{log}:n").await;
    for index in 0..3 {
        cluster.master(index).command(&["WAIT", "1", "1000"]).await;
    }
    (cluster, config, store, master)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_heals_when_masters_die_and_the_sweeper_finishes() {
    let (mut cluster, config, store, master) = on_a_cluster().await;
    // Users of other masters reach their outboxes, but not the log.
    cluster.master(master).kill_9().await;
    let refused = record(&store, 101..201).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreachable { .. }), "{refused:?}");
    // Another replica of the service finds them, after the Cluster has healed.
    store.close().await;
    cluster.wait_until_whole().await;
    // On a busy machine the Cluster may have refused all writes before the first was sent.
    let stranded = cluster.dump().await.contains("}:o\n");
    let store = Store::redis(&config, Retention::default()).await.unwrap();
    let grown = async || !stranded || logged(&store).await.len() > 100;
    wait_until(grown, PATIENCE).await;
    wait_until(async || record(&store, 101..201).await.is_ok(), PATIENCE).await;
    check(&store, &(1..201).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_falls_silent_is_given_up_once_another_has_its_place() {
    let (mut cluster, _config, store, master) = on_a_cluster().await;
    // Its connections stay open: nothing but time tells that it is gone.
    cluster.master(master).freeze().await;
    let refused = record(&store, 101..201).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreachable { .. }), "{refused:?}");
    wait_until(async || record(&store, 101..201).await.is_ok(), PATIENCE).await;
    check(&store, &(1..201).collect()).await;
}
