//! The limits of the contract, each with the field that is named.

use tonic::Code;
use tributary_domain::{Action, Timestamp};
use tributary_proto::{
    entity::v1 as entity,
    feature::v1::{
        ApplyChangesRequest, DeleteItemsRequest, DeleteUserRequest, GetItemsRequest,
        GetPositionRequest, GetUserContextRequest, RecordEventsRequest, SourceChange,
        UpsertItemsRequest, UpsertUsersRequest, source_change::Change,
    },
};

use crate::harness::{self, Served, event};

#[track_caller]
fn check<T: std::fmt::Debug>(answer: Result<T, tonic::Status>, field: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().starts_with(&format!("{field}: ")), "{}", status.message());
    assert_eq!(status.metadata().get("field").unwrap(), field);
}

fn item(change: impl FnOnce(&mut entity::Item)) -> Vec<entity::Item> {
    let good = entity::Item { item_id: 1, ..entity::Item::default() };
    let mut bad = good.clone();
    change(&mut bad);
    vec![good, bad]
}

fn user(change: impl FnOnce(&mut entity::UserProfile)) -> Vec<entity::UserProfile> {
    let mut bad = entity::UserProfile { user_id: 1, ..entity::UserProfile::default() };
    change(&mut bad);
    vec![bad]
}

fn events(change: impl FnOnce(&mut entity::Event)) -> Vec<entity::Event> {
    let mut events: Vec<entity::Event> =
        (1..=4).map(|time| event(1, 1, Action::Click, time).into()).collect();
    change(&mut events[3]);
    events
}

#[tokio::test]
async fn ids_and_counts() {
    let client = Served::start(|_| {}).await.client;
    let context =
        async |user_id| client.clone().get_user_context(GetUserContextRequest { user_id }).await;
    check(context(0).await, "user_id");
    check(client.clone().delete_user(DeleteUserRequest { user_id: 0 }).await, "user_id");
    for (item_ids, field) in
        [(vec![], "item_ids"), (vec![1, 0], "item_ids[1]"), (vec![1; 1_001], "item_ids")]
    {
        let get = GetItemsRequest { item_ids: item_ids.clone() };
        check(client.clone().get_items(get).await, field);
        check(client.clone().delete_items(DeleteItemsRequest { item_ids }).await, field);
    }
    let get = GetItemsRequest { item_ids: vec![7; 1_000] };
    let unknown = client.clone().get_items(get).await.unwrap().into_inner().unknown_item_ids;
    assert_eq!(unknown, vec![7; 1_000]);
}

#[tokio::test]
async fn items() {
    let client = Served::start(|_| {}).await.client;
    let cases: Vec<(Vec<entity::Item>, &str)> = vec![
        (vec![], "items"),
        (vec![item(|_| {}).remove(0); 1_001], "items"),
        (item(|item| item.item_id = 0), "items[1].item_id"),
        (item(|item| item.title = "x".repeat(1_001)), "items[1].title"),
        (item(|item| item.text = "x".repeat(20_001)), "items[1].text"),
        (item(|item| item.tags = vec!["x".into(); 101]), "items[1].tags"),
        (item(|item| item.tags = vec!["a".into(), "x".repeat(201)]), "items[1].tags[1]"),
        (item(|item| item.genres = vec!["x".into(); 101]), "items[1].genres"),
        (item(|item| item.year = 10_000), "items[1].year"),
        (item(|item| item.minimum_age = 121), "items[1].minimum_age"),
        (item(|item| item.created_ms = -1), "items[1].created_ms"),
    ];
    for (items, field) in cases {
        check(client.clone().upsert_items(UpsertItemsRequest { items }).await, field);
    }
    let get = GetItemsRequest { item_ids: vec![1] };
    let unknown = client.clone().get_items(get).await.unwrap().into_inner().unknown_item_ids;
    assert_eq!(unknown, [1], "a refused call wrote a part of it");
}

#[tokio::test]
async fn users() {
    let client = Served::start(|_| {}).await.client;
    let cases: Vec<(Vec<entity::UserProfile>, &str)> = vec![
        (vec![], "users"),
        (vec![user(|_| {}).remove(0); 1_001], "users"),
        (user(|user| user.user_id = 0), "users[0].user_id"),
        (user(|user| user.age = 151), "users[0].age"),
        (user(|user| user.gender = 9), "users[0].gender"),
        (user(|user| user.occupation = "x".repeat(201)), "users[0].occupation"),
        (user(|user| user.blocked_creator_ids = vec![1; 10_001]), "users[0].blocked_creator_ids"),
        (user(|user| user.blocked_tags = vec!["x".into(); 1_001]), "users[0].blocked_tags"),
    ];
    for (users, field) in cases {
        check(client.clone().upsert_users(UpsertUsersRequest { users }).await, field);
    }
}

#[tokio::test]
async fn behaviour() {
    let client = Served::start(|_| {}).await.client;
    let later = Timestamp::now().0 + 2 * 86_400_000;
    let cases: Vec<(Vec<entity::Event>, &str)> = vec![
        (vec![], "events"),
        (vec![events(|_| {}).remove(0); 1_001], "events"),
        (events(|event| event.user_id = 0), "events[3].user_id"),
        (events(|event| event.item_id = 0), "events[3].item_id"),
        (events(|event| event.action = 0), "events[3].action"),
        (events(|event| event.action = 99), "events[3].action"),
        (events(|event| event.time_ms = 0), "events[3].time_ms"),
        (events(|event| event.time_ms = later), "events[3].time_ms"),
        (events(|event| event.dwell_ms = 86_400_001), "events[3].dwell_ms"),
    ];
    for (events, field) in cases {
        check(
            client.clone().record_events(RecordEventsRequest { events, served: vec![] }).await,
            field,
        );
    }
    let good = RecordEventsRequest { events: events(|_| {}), served: vec![] };
    let recorded = client.clone().record_events(good).await.unwrap().into_inner().recorded;
    assert_eq!(recorded, 4, "a refused call wrote a part of it");
}

#[tokio::test]
async fn served() {
    let client = Served::start(|_| {}).await.client;
    let good = || -> Vec<entity::Served> { (1..=4).map(|at| harness::served(at).into()).collect() };
    let with = |change: fn(&mut entity::Served)| {
        let mut all = good();
        change(&mut all[2]);
        all
    };
    let cases = [
        (good()[..3].to_vec(), "served"),
        (with(|served| served.request_id = "x".repeat(65)), "served[2].request_id"),
        (with(|served| served.position = 0), "served[2].position"),
        (with(|served| served.channels[0].score = f32::NAN), "served[2].channels[0].score"),
        (with(|served| served.channels = vec![Default::default(); 17]), "served[2].channels"),
    ];
    for (served, field) in cases {
        let request = RecordEventsRequest { events: events(|_| {}), served };
        check(client.clone().record_events(request).await, field);
    }
    let served = with(|served| *served = entity::Served::default());
    let good = RecordEventsRequest { events: events(|_| {}), served };
    assert_eq!(client.clone().record_events(good).await.unwrap().into_inner().recorded, 4);
}

#[tokio::test]
async fn changes() {
    type Spoil = fn(&mut ApplyChangesRequest);
    let client = Served::start(|_| {}).await.client;
    let request = |change: fn(&mut ApplyChangesRequest)| {
        let mut request = ApplyChangesRequest {
            source: "mysql".to_owned(),
            position: vec![1],
            expected_position: vec![],
            changes: vec![SourceChange { change: Some(Change::DeletedItemId(1)) }; 2],
        };
        change(&mut request);
        request
    };
    let cases: [(Spoil, &str); 9] = [
        (|request| request.source.clear(), "source"),
        (|request| request.source = "x".repeat(101), "source"),
        (|request| request.position.clear(), "position"),
        (|request| request.position = vec![0; 65_537], "position"),
        (|request| request.expected_position = vec![0; 65_537], "expected_position"),
        (|request| request.changes = vec![request.changes[0].clone(); 1_001], "changes"),
        (|request| request.changes[1].change = None, "changes[1].change"),
        (
            |request| request.changes[1].change = Some(Change::DeletedUserId(0)),
            "changes[1].deleted_user_id",
        ),
        (
            |request| {
                let mut event: entity::Event = event(1, 1, Action::Click, 1).into();
                event.item_id = 0;
                request.changes[1].change = Some(Change::RetractedEvent(event));
            },
            "changes[1].retracted_event.item_id",
        ),
    ];
    for (change, field) in cases {
        check(client.clone().apply_changes(request(change)).await, field);
    }
    check(client.clone().get_position(GetPositionRequest::default()).await, "source");

    let empty = request(|request| request.changes.clear());
    client.clone().apply_changes(empty.clone()).await.unwrap();
    let status = client.clone().apply_changes(empty).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    let longest = request(|request| {
        request.expected_position = vec![1];
        request.position = vec![2; 65_536];
    });
    client.clone().apply_changes(longest).await.unwrap();
    let ask = GetPositionRequest { source: "mysql".to_owned() };
    let stored = client.clone().get_position(ask).await.unwrap().into_inner().position;
    assert_eq!(stored, vec![2; 65_536]);
}
