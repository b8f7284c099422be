//! What every store has to do, one thing at a time.

use futures::future::join_all;
use tributary_domain::{Action, Item, ItemId, SourceChange, UserId};
use tributary_feature::{Retention, Store, store::Changes};

use super::Backend;
use crate::harness::{bare, event};

pub(super) async fn callers_at_once_are_all_counted_once(backend: &Backend) {
    let store = backend.open(Retention::default()).await;
    // Every caller sends the same events, each in its own order.
    let callers = (0..8_i64).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut recorded = 0;
            for step in 0..50_i64 {
                let time = 1 + (step * 7 + caller * 13) % 50;
                let written = store.record(bare([event(1, 1, Action::Click, time)])).await.unwrap();
                recorded += written.recorded;
            }
            recorded
        })
    });
    let recorded: u32 = join_all(callers).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(recorded, 50);
    store.upsert_items(vec![Item::bare(ItemId(1))]).await.unwrap();
    let stored = store.items(vec![ItemId(1)]).await.unwrap().remove(0).unwrap();
    assert_eq!(stored.counters.clicks, 50);
    let context = store.context(UserId(1)).await.unwrap();
    let times: Vec<i64> = context.behaviours.iter().map(|behaviour| behaviour.time.0).collect();
    assert_eq!(times, (1..=50).collect::<Vec<_>>());
    assert_eq!(store.events(0).await.unwrap().entries.len(), 50);
    store.close().await;
}

pub(super) async fn impressions_leave_the_version_alone(backend: &Backend) {
    let store = backend.open(Retention::default()).await;
    let version = async || store.context(UserId(1)).await.unwrap().version;
    assert_eq!(version().await, 0);
    store.record(bare([event(1, 1, Action::Click, 1)])).await.unwrap();
    let clicked = version().await;
    assert_ne!(clicked, 0);
    store.record(bare([event(1, 2, Action::Impression, 2)])).await.unwrap();
    store.record(bare([event(1, 1, Action::Click, 1)])).await.unwrap();
    assert_eq!(version().await, clicked);
    store.record(bare([event(1, 2, Action::View, 3)])).await.unwrap();
    assert_ne!(version().await, clicked);
    store.close().await;
}

pub(super) async fn logged_events_carry_the_version_after_them(backend: &Backend) {
    let store = backend.open(Retention::default()).await;
    let mut versions = Vec::new();
    for (action, time) in [(Action::Click, 1), (Action::Impression, 2), (Action::View, 3)] {
        store.record(bare([event(1, 1, action, time)])).await.unwrap();
        versions.push(store.context(UserId(1)).await.unwrap().version);
    }
    assert!(versions[0] == versions[1] && versions[1] < versions[2], "{versions:?}");
    let page = store.events(0).await.unwrap();
    let logged: Vec<u64> = page.entries.iter().map(|(_, logged)| logged.user_version).collect();
    assert_eq!(logged, versions);
    store.close().await;
}

pub(super) async fn a_retraction_brings_back_what_it_pushed_out(backend: &Backend) {
    let retention = Retention { behaviours: 2, ..Retention::default() };
    let store = backend.open(retention).await;
    let clicks = (1_i64..=3).map(|time| event(1, time.unsigned_abs(), Action::Click, time));
    store.record(bare(clicks)).await.unwrap();
    let before = store.context(UserId(1)).await.unwrap();
    let retract = |event| Changes {
        source: "source".to_owned(),
        position: vec![1],
        expected: Vec::new(),
        changes: vec![SourceChange::RetractedEvent(event)],
    };
    store.apply(retract(event(1, 3, Action::Click, 3))).await.unwrap();
    let after = store.context(UserId(1)).await.unwrap();
    let items: Vec<u64> = after.behaviours.iter().map(|behaviour| behaviour.item.0).collect();
    assert_eq!(items, [1, 2]);
    assert_eq!(after.seen, [ItemId(1), ItemId(2)]);
    assert!(after.version > before.version);
    store.close().await;
}

pub(super) async fn long_logs_come_in_pages_that_join(backend: &Backend) {
    let store = backend.open(Retention::default()).await;
    let long = "x".repeat(20_000);
    let item = |id| Item { text: long.clone(), ..Item::bare(ItemId(id)) };
    store.upsert_items((1..=150).map(item).collect()).await.unwrap();
    let (mut after, mut pages) = (0, 0);
    loop {
        let page = store.item_changes(after).await.unwrap();
        let sequences: Vec<u64> = page.entries.iter().map(|(sequence, _)| *sequence).collect();
        let expected: Vec<u64> = (after + 1..).take(sequences.len()).collect();
        assert_eq!(sequences, expected);
        after = *sequences.last().unwrap();
        pages += 1;
        if page.complete {
            break;
        }
    }
    assert_eq!(after, 150);
    assert!(pages > 1);
    store.close().await;
}

pub(super) async fn a_user_comes_back_with_new_versions(backend: &Backend) {
    let store = backend.open(Retention::default()).await;
    let mut versions = Vec::new();
    for time in 1..=5 {
        store.record(bare([event(1, 1, Action::Click, time)])).await.unwrap();
        versions.push(store.context(UserId(1)).await.unwrap().version);
        assert!(store.delete_user(UserId(1)).await.unwrap());
        assert_eq!(store.context(UserId(1)).await.unwrap().version, 0);
    }
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    store.close().await;
}

pub(super) async fn long_event_logs_come_in_pages_that_join(backend: &Backend) {
    let store = backend.open(Retention { events: 2_500, ..Retention::default() }).await;
    for call in 0..6_u64 {
        // Of every hundred events one is of a user who stays.
        let events = (0..500_u64).map(|row| {
            let user = if row % 100 == 0 { 1 } else { 2 + call };
            let time = i64::try_from(1 + call * 500 + row).unwrap();
            event(user, 1 + row, Action::Click, time)
        });
        assert_eq!(store.record(bare(events)).await.unwrap().recorded, 500);
    }
    let all = |from: u64| (from..=3_000).collect::<Vec<_>>();
    assert_eq!(pages(&store, 0).await, all(501));
    assert_eq!(pages(&store, 1_234).await, all(1_235));
    for user in 2..8 {
        assert!(store.delete_user(UserId(user)).await.unwrap());
    }
    let left: Vec<u64> = all(501).into_iter().filter(|sequence| sequence % 100 == 1).collect();
    assert_eq!(pages(&store, 0).await, left);
    store.close().await;
}

async fn pages(store: &Store, mut after: u64) -> Vec<u64> {
    let mut sequences = Vec::new();
    loop {
        let page = store.events(after).await.unwrap();
        sequences.extend(page.entries.iter().map(|(sequence, _)| *sequence));
        if page.complete {
            return sequences;
        }
        after = *sequences.last().unwrap();
    }
}
