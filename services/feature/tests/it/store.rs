//! What is true of the embedded store only.

use futures::future::join_all;
use tributary_domain::{Action, UserId};
use tributary_feature::{Retention, Store, StoreConfig, StoreError};
use tributary_testkit::TestFolder;

use crate::harness::{bare, event, store_in};

#[tokio::test]
async fn a_full_queue_refuses_and_keeps_its_promises() {
    let folder = TestFolder::new("store-queue");
    let data = folder.path().to_owned();
    let config = StoreConfig { data, write_queue: 2, ..StoreConfig::default() };
    let store = Store::embedded(&config, Retention::default()).unwrap();
    let calls = (1..=200).map(|time| store.record(bare([event(1, 1, Action::Click, time)])));
    let outcomes = join_all(calls).await;
    let acknowledged = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::QueueFull)));
    assert!(acknowledged >= 2, "{acknowledged} acknowledged");
    assert_eq!(refused.count(), 200 - acknowledged);
    assert!(acknowledged < 200, "nothing was refused");
    assert_eq!(store.events(0).await.unwrap().entries.len(), acknowledged);
}

/// Prints how long 100,000 events take: run with `--release -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures"]
async fn a_hundred_thousand_events() {
    let folder = TestFolder::new("store-load");
    let store = store_in(folder.path(), Retention::default());
    let started = std::time::Instant::now();
    for call in 0..100_u64 {
        let events = (0..1_000_u64).map(|row| {
            let user = 1 + (call * 1_000 + row).wrapping_mul(2_654_435_761) % 943;
            let time = i64::try_from(1 + call * 1_000 + row).unwrap();
            event(user, 1 + row.wrapping_mul(7_919) % 1_682, Action::Click, time)
        });
        assert_eq!(store.record(bare(events)).await.unwrap().recorded, 1_000);
    }
    println!("100,000 events in calls of 1,000: {:?}", started.elapsed());
    let started = std::time::Instant::now();
    for user in 1..=943 {
        store.context(UserId(user)).await.unwrap();
    }
    println!("one user's context: {:?}", started.elapsed() / 943);
}
