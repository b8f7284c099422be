//! The calls as a client sees them, and the configuration file that is shipped.

use tributary_domain::Action;
use tributary_feature::Config;
use tributary_proto::{
    entity::v1 as entity,
    feature::v1::{
        DeleteItemsRequest, DeleteUserRequest, GetItemsRequest, GetUserContextRequest,
        RecordEventsRequest, UpsertItemsRequest, UpsertUsersRequest,
    },
};

use crate::harness::{Served, event};

#[tokio::test]
async fn the_life_of_an_item() {
    let mut client = Served::start(|_| {}).await.client;
    let item = |title: &str| entity::Item {
        item_id: 5,
        title: title.to_owned(),
        ..entity::Item::default()
    };
    let upsert = |title| UpsertItemsRequest { items: vec![item(title)] };
    let click = |time| RecordEventsRequest {
        events: vec![event(1, 5, Action::Click, time).into()],
        served: vec![],
    };
    let delete = DeleteItemsRequest { item_ids: vec![5, 6] };

    client.record_events(click(1)).await.unwrap();
    let answer = client.upsert_items(upsert("a")).await.unwrap().into_inner();
    assert_eq!((answer.changed, answer.sequence), (1, 1));
    let answer = client.upsert_items(upsert("a")).await.unwrap().into_inner();
    assert_eq!((answer.changed, answer.sequence), (0, 1));
    let get = GetItemsRequest { item_ids: vec![7, 5] };
    let answer = client.get_items(get.clone()).await.unwrap().into_inner();
    assert_eq!(answer.unknown_item_ids, [7]);
    assert_eq!(answer.items[0].item, Some(item("a")));
    assert_eq!(answer.items[0].counters.unwrap().clicks, 1);

    let answer = client.delete_items(delete.clone()).await.unwrap().into_inner();
    assert_eq!((answer.deleted, answer.sequence), (1, 2));
    let answer = client.delete_items(delete).await.unwrap().into_inner();
    assert_eq!((answer.deleted, answer.sequence), (0, 2));
    let answer = client.get_items(get.clone()).await.unwrap().into_inner();
    assert_eq!(answer.unknown_item_ids, [7, 5]);

    client.upsert_items(upsert("back")).await.unwrap();
    let answer = client.get_items(get).await.unwrap().into_inner();
    assert_eq!(answer.items[0].counters.unwrap().clicks, 0);
}

#[tokio::test]
async fn the_life_of_a_user() {
    let mut client = Served::start(|_| {}).await.client;
    let get = GetUserContextRequest { user_id: 1 };
    let cold = client.get_user_context(get).await.unwrap().into_inner().context.unwrap();
    let expected = entity::UserContext {
        user_id: 1,
        behaviours: Some(entity::Behaviours::default()),
        ..entity::UserContext::default()
    };
    assert_eq!(cold, expected);

    let users = vec![entity::UserProfile { user_id: 1, age: 40, ..Default::default() }];
    client.upsert_users(UpsertUsersRequest { users: users.clone() }).await.unwrap();
    let late_then_early = vec![
        event(1, 8, Action::Bookmark, 20).into(),
        event(1, 7, Action::Hide, 10).into(),
        event(1, 8, Action::Bookmark, 20).into(),
    ];
    let record = RecordEventsRequest { events: late_then_early, served: vec![] };
    let answer = client.record_events(record.clone()).await.unwrap().into_inner();
    assert_eq!((answer.recorded, answer.duplicates), (2, 1));
    let context = client.get_user_context(get).await.unwrap().into_inner().context.unwrap();
    assert_eq!(context.profile.as_ref(), users.first());
    assert_eq!(context.behaviours.unwrap().item_ids, [7, 8]);
    assert_eq!(context.seen_item_ids, [7, 8]);

    let delete = DeleteUserRequest { user_id: 1 };
    assert!(client.delete_user(delete).await.unwrap().into_inner().existed);
    assert!(!client.delete_user(delete).await.unwrap().into_inner().existed);
    let context = client.get_user_context(get).await.unwrap().into_inner().context.unwrap();
    assert_eq!(context, expected);
    let answer = client.record_events(record).await.unwrap().into_inner();
    assert_eq!((answer.recorded, answer.duplicates), (2, 1));
}

#[test]
fn the_shipped_file_holds_the_defaults() {
    let file = include_str!("../../../../deploy/config/feature.toml");
    let shipped: Config = tributary_runtime::parse(file).unwrap();
    assert_eq!(format!("{shipped:?}"), format!("{:?}", Config::default()));
}

#[test]
fn senseless_values_are_refused_by_key() {
    for (toml, key) in [
        ("[store]\nwrite_queue = 0", "store.write_queue"),
        ("[retention]\nbehaviours = 0", "retention.behaviours"),
        ("[retention]\nimpressions_until_seen = 0", "retention.impressions_until_seen"),
        ("[watch]\nheartbeat = \"11s\"", "watch.heartbeat"),
        ("[store]\ndatabase = \"x\"", "store.database"),
    ] {
        let error = tributary_runtime::parse::<Config>(toml).unwrap_err();
        assert!(error.to_string().contains(key), "{toml}: {error}");
    }
}
