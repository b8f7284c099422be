//! Several stores on one Redis, as several replicas of the service have them.

use std::time::{Duration, Instant};

use tributary_domain::{Action, Item, ItemId, ServedEvent, UserId, UserProfile};
use tributary_feature::{OpenError, RedisConfig, Retention, Store, StoreError, StoreKind};
use tributary_proto::{
    STORE_METADATA,
    entity::v1 as entity,
    feature::v1::{
        GetUserContextRequest, UpsertItemsRequest, WatchItemsRequest, WatchItemsResponse,
    },
};
use tributary_testkit::RedisServer;

use crate::harness::{self, PATIENCE, Served, bare, event};

/// Other replicas have to tell of a change within this time.
const SOON: Duration = Duration::from_millis(200);

fn config(server: &RedisServer) -> RedisConfig {
    RedisConfig { urls: vec![server.url()], ..RedisConfig::default() }
}

async fn open(server: &RedisServer) -> Store {
    Store::redis(&config(server), Retention::default()).await.unwrap()
}

async fn serve(server: &RedisServer) -> Served {
    let redis = config(server);
    Served::start(move |config| {
        config.store.kind = StoreKind::Redis;
        config.redis = redis;
    })
    .await
}

#[tokio::test]
async fn replicas_are_one_store() {
    let server = RedisServer::start().await;
    let (one, other) = (open(&server).await, open(&server).await);
    assert_eq!(one.name(), other.name());
    one.record(bare([event(1, 1, Action::Click, 1)])).await.unwrap();
    let again = other.record(bare([event(1, 1, Action::Click, 1)])).await.unwrap();
    assert_eq!((again.recorded, again.duplicates), (0, 1));
    other.record(bare([event(1, 2, Action::Click, 2)])).await.unwrap();
    let user = UserId(1);
    assert_eq!(one.context(user).await.unwrap(), other.context(user).await.unwrap());
    assert_eq!(one.events(0).await.unwrap(), other.events(0).await.unwrap());
    let mut heads = one.heads();
    let moved = heads.wait_for(|heads| heads.events == 2);
    tokio::time::timeout(PATIENCE, moved).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_by_every_replica_soon_and_streams_resume_anywhere() {
    let server = RedisServer::start().await;
    let (mut one, mut other) = (serve(&server).await, serve(&server).await);
    let response = other.client.watch_items(WatchItemsRequest { after: 0 }).await.unwrap();
    let name = response.metadata().get(STORE_METADATA).unwrap().clone();
    let mut stream = response.into_inner();
    stream.message().await.unwrap();
    let mut slowest = Duration::ZERO;
    for item_id in 1..=20 {
        let items = vec![entity::Item { item_id, ..entity::Item::default() }];
        let started = Instant::now();
        one.client.upsert_items(UpsertItemsRequest { items }).await.unwrap();
        let message = next_change(&mut stream).await;
        slowest = slowest.max(started.elapsed());
        assert_eq!(message.changes[0].sequence, item_id);
    }
    assert!(slowest < SOON, "{slowest:?}");
    let resumed = one.client.watch_items(WatchItemsRequest { after: 18 }).await.unwrap();
    assert_eq!(resumed.metadata().get(STORE_METADATA).unwrap(), name);
    let message = next_change(&mut resumed.into_inner()).await;
    let sequences: Vec<u64> = message.changes.iter().map(|change| change.sequence).collect();
    assert_eq!(sequences, [19, 20]);
}

async fn next_change(stream: &mut tonic::Streaming<WatchItemsResponse>) -> WatchItemsResponse {
    loop {
        let message = stream.message().await.unwrap().unwrap();
        if !message.changes.is_empty() {
            return message;
        }
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_deleted_user() {
    let server = RedisServer::start().await;
    let store = open(&server).await;
    // Where the id stands as bytes it reads as this text, and in keys as its hexadecimal digits.
    let (name, digits) = ("PRIVATE!", "5052495641544521");
    let user = UserId(u64::from_be_bytes(*b"PRIVATE!"));
    let profile = UserProfile {
        id: user,
        age: Some(77),
        gender: None,
        occupation: "secret occupation".to_owned(),
        blocked_creators: vec![1],
        blocked_tags: vec!["secret tag".to_owned()],
    };
    let all = |user: u64, scene: &str| {
        let events = (1_i64..=300).map(|time| {
            let mut served = harness::served(1);
            scene.clone_into(&mut served.scene);
            let event = event(user, time.unsigned_abs(), Action::Impression, time);
            ServedEvent { event, served: Some(served) }
        });
        events.collect::<Vec<_>>()
    };
    store.upsert_users(vec![profile]).await.unwrap();
    store.record(all(user.0, "secret scene")).await.unwrap();
    store.record(all(8, "public scene")).await.unwrap();
    let secrets = [name, digits, "secret occupation", "secret tag", "secret scene"];
    let before = server.dump().await;
    for secret in secrets {
        assert!(before.contains(secret), "the test looks for what is not there: {secret}");
    }
    assert!(store.delete_user(user).await.unwrap());
    let after = server.dump().await;
    for secret in secrets {
        assert!(!after.contains(secret), "{secret} is left in {after}");
    }
    assert!(after.contains("public scene"));
}

#[tokio::test]
async fn a_store_of_another_version_is_refused() {
    let server = RedisServer::start().await;
    open(&server).await.close().await;
    assert_eq!(server.command(&["HSET", "t1:{log}:n", "format", "9"]).await, "0");
    let refused = Store::redis(&config(&server), Retention::default()).await.unwrap_err();
    assert!(matches!(refused, OpenError::RedisFormat { found: 9, .. }), "{refused:?}");
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_named() {
    let mut server = RedisServer::start().await;
    server.kill_9().await;
    let config = RedisConfig { patience: Duration::from_millis(300), ..config(&server) };
    let refused = Store::redis(&config, Retention::default()).await.unwrap_err();
    assert!(refused.to_string().contains("redis.urls"), "{refused}");
}

#[tokio::test]
async fn a_store_that_takes_the_place_of_another_ends_the_streams() {
    let server = RedisServer::start().await;
    let store = open(&server).await;
    store.upsert_items(vec![Item::bare(ItemId(1))]).await.unwrap();
    let name = store.name();
    let mut served = serve(&server).await;
    let watch = served.client.watch_items(WatchItemsRequest { after: 0 }).await.unwrap();
    let mut stream = watch.into_inner();
    next_change(&mut stream).await;
    server.clear().await;
    tributary_testkit::wait_until(async || store.name() != name, PATIENCE).await;
    let ended = async {
        loop {
            match stream.message().await {
                Ok(_message) => {}
                Err(status) => return status,
            }
        }
    };
    // Well before a heartbeat.
    let ended = tokio::time::timeout(Duration::from_secs(2), ended).await.unwrap();
    assert_eq!(ended.code(), tonic::Code::Unavailable, "{ended}");
}

#[tokio::test]
async fn a_silent_redis_is_unavailable_in_time_and_heals() {
    let server = RedisServer::start().await;
    let mut served = serve(&server).await;
    let ask = GetUserContextRequest { user_id: 1 };
    served.client.get_user_context(ask).await.unwrap();
    server.freeze().await;
    let started = Instant::now();
    let status = served.client.get_user_context(ask).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status}");
    assert!(status.message().contains("redis"), "{status}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    server.proceed().await;
    let healed = async || served.client.clone().get_user_context(ask).await.is_ok();
    tributary_testkit::wait_until(healed, PATIENCE).await;
}

fn someone(id: u64) -> UserProfile {
    UserProfile {
        id: UserId(id),
        age: Some(30),
        gender: None,
        occupation: String::new(),
        blocked_creators: vec![],
        blocked_tags: vec![],
    }
}

#[tokio::test]
async fn replicas_of_redis_that_are_missing_are_told() {
    let server = RedisServer::start().await;
    let config = RedisConfig { wait_replicas: 1, ..config(&server) };
    let store = Store::redis(&config, Retention::default()).await.unwrap();
    let refused = store.record(bare([event(1, 1, Action::Click, 1)])).await.unwrap_err();
    assert!(matches!(refused, StoreError::Replicas { reached: 0, wanted: 1 }), "{refused}");
    // The sweeper, which waits for a replica too, may be before it.
    let expected = |refused: StoreError| {
        let is_it = matches!(refused, StoreError::Replicas { .. } | StoreError::Unreachable { .. });
        assert!(is_it, "{refused}");
    };
    // Again too: what the first try has written is still on one server only.
    for _ in 0..2 {
        expected(store.record(bare([event(1, 1, Action::Click, 1)])).await.unwrap_err());
        expected(store.upsert_users(vec![someone(2)]).await.unwrap_err());
        expected(store.upsert_items(vec![Item::bare(ItemId(3))]).await.unwrap_err());
        // Readers do not wait with the writers.
        let writing = tokio::spawn({
            let store = store.clone();
            async move { store.delete_user(UserId(4)).await }
        });
        for user in 0..20 {
            store.context(UserId(user)).await.unwrap();
        }
        assert!(!writing.is_finished());
        expected(writing.await.unwrap().unwrap_err());
    }
    // A reader without that wish finds each of them once.
    let reader = open(&server).await;
    let logged = async || reader.events(0).await.unwrap().entries.len();
    tributary_testkit::wait_until(async || logged().await == 1, PATIENCE).await;
    assert_eq!(reader.item_changes(0).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn numbers_that_redis_lost_are_noticed_though_others_have_passed_them() {
    let mut server = RedisServer::start().await;
    let slow = RedisConfig { poll: Duration::from_secs(1), ..config(&server) };
    let slow = Store::redis(&slow, Retention::default()).await.unwrap();
    let items = |ids: std::ops::Range<u64>| ids.map(|id| Item::bare(ItemId(id))).collect();
    slow.upsert_items(items(1..11)).await.unwrap();
    assert_eq!(server.command(&["SAVE"]).await, "OK");
    slow.upsert_items(items(11..21)).await.unwrap();
    let name = slow.name();
    server.kill_9().await;
    server.restart().await;
    let other = open(&server).await;
    other.upsert_items(items(101..141)).await.unwrap();
    tributary_testkit::wait_until(async || slow.name() != name, PATIENCE).await;
    assert_eq!(slow.item_changes(0).await.unwrap().entries.len(), 50);
}

#[tokio::test]
async fn impressions_do_not_move_the_floor_of_versions() {
    let server = RedisServer::start().await;
    let store = open(&server).await;
    store.record(bare([event(1, 1, Action::Bookmark, 1)])).await.unwrap();
    let before = store.context(UserId(1)).await.unwrap().version;
    store.record(bare((2..30).map(|item| event(1, item, Action::Impression, 2)))).await.unwrap();
    assert_eq!(store.context(UserId(1)).await.unwrap().version, before);
    let dump = server.dump().await;
    assert!(dump.contains("}:l\n") && !dump.contains("}:f\n"), "{dump}");
}

#[tokio::test]
async fn a_log_that_is_to_be_shorter_becomes_so_in_steps() {
    let server = RedisServer::start().await;
    let store = open(&server).await;
    for call in 0..8 {
        let events = (0..1_000_u64).map(|number| event(number, 1, Action::View, call + 1));
        store.record(bare(events.filter(|event| event.user != UserId(0)))).await.unwrap();
    }
    store.close().await;
    let shorter = Retention { events: 100, ..Retention::default() };
    let store = Store::redis(&config(&server), shorter).await.unwrap();
    let held = async || server.command(&["HGET", "t1:{log}:n", "held"]).await;
    let mut seen = Vec::new();
    for time in 100..103 {
        store.record(bare([event(1, 1, Action::View, time)])).await.unwrap();
        seen.push(held().await);
    }
    assert_eq!(seen, ["2993", "100", "100"]);
    assert_eq!(store.events(0).await.unwrap().entries.len(), 100);
}

#[tokio::test]
async fn numbers_that_redis_lost_are_not_given_out_again_under_the_same_name() {
    let server = RedisServer::start().await;
    // Nobody looks at the heads meanwhile: the next write has to notice.
    let config = RedisConfig { poll: Duration::from_secs(1), ..config(&server) };
    let store = Store::redis(&config, Retention::default()).await.unwrap();
    let (name, items) = (store.name(), |ids: std::ops::Range<u64>| {
        ids.map(|id| Item::bare(ItemId(id))).collect::<Vec<_>>()
    });
    store.upsert_items(items(1..4)).await.unwrap();
    assert_eq!(server.command(&["HSET", "t1:{log}:n", "items", "1"]).await, "0");
    store.upsert_items(items(4..10)).await.unwrap();
    tributary_testkit::wait_until(async || store.name() != name, PATIENCE).await;
}
