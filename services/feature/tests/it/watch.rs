//! The streams of the logs.

use std::time::Duration;

use tonic::{Code, Streaming};
use tributary_domain::Action;
use tributary_proto::{
    STORE_METADATA,
    entity::v1 as entity,
    feature::v1::{
        DeleteItemsRequest, DeleteUserRequest, RecordEventsRequest, UpsertItemsRequest,
        UpsertUsersRequest, WatchEventsRequest, WatchEventsResponse, WatchItemsRequest,
        WatchItemsResponse, item_change::Change,
    },
};

use crate::harness::{self, PATIENCE, Served, event};

fn titled(item_id: u64, title: &str) -> entity::Item {
    entity::Item { item_id, title: title.to_owned(), ..entity::Item::default() }
}

impl Served {
    async fn upsert(&mut self, items: Vec<entity::Item>) {
        self.client.upsert_items(UpsertItemsRequest { items }).await.unwrap();
    }

    async fn click(&mut self, user: u64, times: std::ops::Range<i64>) {
        let events = times.map(|time| event(user, 1, Action::Click, time).into()).collect();
        self.client.record_events(RecordEventsRequest { events, served: vec![] }).await.unwrap();
    }

    async fn items_after(&mut self, after: u64) -> Streaming<WatchItemsResponse> {
        self.client.watch_items(WatchItemsRequest { after }).await.unwrap().into_inner()
    }

    async fn events_after(&mut self, after: u64) -> Streaming<WatchEventsResponse> {
        self.client.watch_events(WatchEventsRequest { after }).await.unwrap().into_inner()
    }
}

async fn next<T>(stream: &mut Streaming<T>) -> T {
    let message = tokio::time::timeout(PATIENCE, stream.message()).await.expect("in time");
    message.unwrap().expect("the stream goes on")
}

/// Sequence, item and title (`None`: deleted) of the changes of one message.
fn changes(message: WatchItemsResponse) -> Vec<(u64, u64, Option<String>)> {
    let change = |change: tributary_proto::feature::v1::ItemChange| match change.change.unwrap() {
        Change::Upserted(item) => (change.sequence, item.item_id, Some(item.title)),
        Change::DeletedItemId(id) => (change.sequence, id, None),
    };
    message.changes.into_iter().map(change).collect()
}

fn sequences(message: &WatchEventsResponse) -> Vec<u64> {
    message.events.iter().map(|event| event.sequence).collect()
}

#[tokio::test]
async fn the_item_log_is_compact_resumable_and_live() {
    let mut served = Served::start(|_| {}).await;
    served.upsert(vec![titled(1, "a"), titled(2, "b"), titled(3, "c")]).await;
    served.upsert(vec![titled(1, "d"), titled(2, "b")]).await;
    served.client.delete_items(DeleteItemsRequest { item_ids: vec![3, 9] }).await.unwrap();
    let named = |sequence, item, title: &str| (sequence, item, Some(title.to_owned()));

    let mut all = served.items_after(0).await;
    let first = next(&mut all).await;
    assert_eq!(first.head, 5);
    assert_eq!(changes(first), [named(2, 2, "b"), named(4, 1, "d"), (5, 3, None)]);
    let mut resumed = served.items_after(4).await;
    assert_eq!(changes(next(&mut resumed).await), [(5, 3, None)]);

    served.upsert(vec![titled(3, "back")]).await;
    for stream in [&mut all, &mut resumed] {
        assert_eq!(changes(next(stream).await), [named(6, 3, "back")]);
    }
}

#[tokio::test]
async fn empty_logs_say_so_and_idle_streams_beat() {
    let mut served = Served::start(|config| {
        config.watch.heartbeat = Duration::from_millis(20);
    })
    .await;
    let mut items = served.items_after(0).await;
    let mut events = served.events_after(0).await;
    for _ in 0..3 {
        assert_eq!(next(&mut items).await, WatchItemsResponse::default());
        assert_eq!(next(&mut events).await, WatchEventsResponse::default());
    }
    served.upsert(vec![titled(1, "a")]).await;
    while next(&mut items).await.changes.is_empty() {}
    let heartbeat = WatchItemsResponse { head: 1, ..WatchItemsResponse::default() };
    assert_eq!(next(&mut items).await, heartbeat);
}

#[tokio::test]
async fn the_item_log_tells_at_once_that_users_were_deleted_and_not_whom() {
    let mut served = Served::start(|_| {}).await;
    served.upsert(vec![titled(1, "a")]).await;
    served.click(7, 1..3).await;
    let mut items = served.items_after(0).await;
    let told = async |items: &mut Streaming<WatchItemsResponse>| {
        let WatchItemsResponse { changes, head, user_deletions } = next(items).await;
        (changes.len(), head, user_deletions)
    };
    assert_eq!(told(&mut items).await, (1, 1, 0));
    // Somebody of whom nothing is known may have had lists made all the same.
    for (user_id, deletions) in [(7, 1), (8, 2)] {
        served.client.delete_user(DeleteUserRequest { user_id }).await.unwrap();
        assert_eq!(told(&mut items).await, (0, 1, deletions));
    }
    assert_eq!(told(&mut served.items_after(1).await).await, (0, 1, 2));
    served.upsert(vec![titled(2, "b")]).await;
    assert_eq!(told(&mut items).await, (1, 2, 2));
}

#[tokio::test]
async fn events_carry_the_segment_of_their_time() {
    let mut served = Served::start(|_| {}).await;
    served.click(1, 1..2).await;
    let profile = |age| entity::UserProfile {
        user_id: 1,
        age,
        gender: entity::Gender::Other.into(),
        ..entity::UserProfile::default()
    };
    for (age, time) in [(30, 2), (40, 3)] {
        let users = vec![profile(age)];
        served.client.upsert_users(UpsertUsersRequest { users }).await.unwrap();
        served.click(1, time..time + 1).await;
    }
    let message = next(&mut served.events_after(0).await).await;
    assert_eq!(sequences(&message), [1, 2, 3]);
    let segments: Vec<_> =
        message.events.iter().map(|event| (event.user_age, event.user_gender())).collect();
    let other = entity::Gender::Other;
    assert_eq!(segments, [(0, entity::Gender::Unspecified), (30, other), (40, other)]);
    assert_eq!(message.events[0].event, Some(event(1, 1, Action::Click, 1).into()));
}

#[tokio::test]
async fn events_carry_how_their_items_came_to_be_shown() {
    let mut served = Served::start(|_| {}).await;
    let shown = vec![harness::served(3).into(), entity::Served::default()];
    let events = (1..=2).map(|time| event(1, 1, Action::Impression, time).into()).collect();
    let request = RecordEventsRequest { events, served: shown.clone() };
    served.client.record_events(request).await.unwrap();
    let message = next(&mut served.events_after(0).await).await;
    assert_eq!(message.events[0].served.as_ref(), shown.first());
    assert_eq!(message.events[1].served, None);
}

#[tokio::test]
async fn a_cut_event_log_says_where_it_was_cut() {
    let mut served = Served::start(|config| config.retention.events = 3).await;
    served.click(1, 1..6).await;
    for (after, expected, truncated) in
        [(0, vec![3, 4, 5], true), (1, vec![3, 4, 5], true), (2, vec![3, 4, 5], false)]
    {
        let message = next(&mut served.events_after(after).await).await;
        assert_eq!((sequences(&message), message.truncated), (expected, truncated), "{after}");
    }
}

#[tokio::test]
async fn a_log_whose_end_is_deleted_still_tells_that_it_has_ended() {
    let mut served = Served::start(|_| {}).await;
    served.click(1, 1..2).await;
    served.click(2, 1..3).await;
    served.client.delete_user(DeleteUserRequest { user_id: 2 }).await.unwrap();
    let mut events = served.events_after(0).await;
    let message = next(&mut events).await;
    assert_eq!((sequences(&message), message.head), (vec![1], 3));
    let message = next(&mut events).await;
    assert_eq!((sequences(&message), message.head), (vec![], 3));
}

#[tokio::test]
async fn streams_name_the_store_and_end_with_the_service() {
    let mut served = Served::start(|_| {}).await;
    let response = served.client.watch_items(WatchItemsRequest { after: 0 }).await.unwrap();
    assert!(response.metadata().contains_key(STORE_METADATA));
    let mut stream = response.into_inner();
    next(&mut stream).await;
    served.shutdown.cancel();
    let end = tokio::time::timeout(PATIENCE, stream.message()).await.expect("in time");
    match end {
        Ok(end) => assert_eq!(end, None),
        Err(status) => assert_ne!(status.code(), Code::Internal, "{status}"),
    }
    tokio::time::timeout(PATIENCE, served.ended).await.expect("in time").unwrap().unwrap();
}
