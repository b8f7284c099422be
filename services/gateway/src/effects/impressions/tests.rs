use tokio::time::Instant;

use super::*;
use crate::fakes::{Act, Fake};

fn shown(items: std::ops::RangeInclusive<u64>) -> Shown {
    let items = items.map(|item| (ItemId(item), served(item))).collect();
    Shown { user: UserId(7), items, time: Timestamp(1_000) }
}

/// A context that tells by its version which item it belongs to.
fn served(item: u64) -> Served {
    Served {
        request_id: "r".into(),
        scene: "home".into(),
        position: 1,
        score: 0.0,
        ranking_bundle: None,
        context_version: item,
        channels: Vec::new(),
        exploration: false,
    }
}

fn config(queue: usize) -> ImpressionsConfig {
    ImpressionsConfig { queue, flush: Duration::from_secs(1) }
}

fn recorded(fake: &Fake) -> Vec<u64> {
    let events = fake.recorded.lock().unwrap();
    for ServedEvent { event, served: context } in events.iter() {
        assert_eq!(event.behaviour.action, Action::Impression);
        assert_eq!(context.as_ref(), Some(&served(event.behaviour.item.0)));
    }
    events.iter().map(|served| served.event.behaviour.item.0).collect()
}

#[tokio::test(start_paused = true)]
async fn shutdown_flushes_what_is_queued() {
    let fake = Arc::new(Fake::good());
    let shutdown = CancellationToken::new();
    let (queue, recorder) = start(Arc::clone(&fake), &config(8), shutdown.clone());
    queue.offer(shown(1..=3));
    queue.offer(shown(4..=1_500));
    shutdown.cancel();
    recorder.await.unwrap();
    assert_eq!(recorded(&fake), (1..=1_500).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_is_tried_again_and_a_full_queue_drops_the_newest() {
    for failing in [Act::Dead, Act::Overloaded, Act::Broken] {
        the_newest_are_dropped_while(failing).await;
    }
}

async fn the_newest_are_dropped_while(failing: Act) {
    let fake = Arc::new(Fake::good());
    *fake.record.lock().unwrap() = failing;
    let shutdown = CancellationToken::new();
    let (queue, recorder) = start(Arc::clone(&fake), &config(2), shutdown.clone());
    queue.offer(shown(1..=1));
    // The recorder takes the first off the queue and holds on to it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for item in 2..=4 {
        queue.offer(shown(item..=item));
    }
    *fake.record.lock().unwrap() = Act::Answer;
    tokio::time::sleep(LONGEST_PAUSE * 2).await;
    assert_eq!(recorded(&fake), [1, 2, 3]);
    shutdown.cancel();
    recorder.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn refused_impressions_do_not_hold_up_the_rest() {
    let fake = Arc::new(Fake::good());
    *fake.record.lock().unwrap() = Act::Refused;
    let shutdown = CancellationToken::new();
    let (queue, recorder) = start(Arc::clone(&fake), &config(8), shutdown.clone());
    queue.offer(shown(1..=1));
    tokio::time::sleep(Duration::from_millis(10)).await;
    *fake.record.lock().unwrap() = Act::Answer;
    queue.offer(shown(2..=2));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(recorded(&fake), [2]);
    drop(queue);
    recorder.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hanging_store_does_not_hold_up_the_shutdown() {
    let fake = Arc::new(Fake::good());
    *fake.record.lock().unwrap() = Act::Hang;
    let shutdown = CancellationToken::new();
    let (queue, recorder) = start(fake, &config(8), shutdown.clone());
    queue.offer(shown(1..=5_000));
    tokio::time::sleep(Duration::from_millis(10)).await;
    queue.offer(shown(2..=2));
    let begun = Instant::now();
    shutdown.cancel();
    recorder.await.unwrap();
    assert!(begun.elapsed() <= config(8).flush);
}

#[tokio::test(start_paused = true)]
async fn what_a_shutdown_interrupts_is_flushed() {
    let fake = Arc::new(Fake::good());
    *fake.record.lock().unwrap() = Act::Dead;
    let shutdown = CancellationToken::new();
    let (queue, recorder) = start(Arc::clone(&fake), &config(8), shutdown.clone());
    queue.offer(shown(1..=1_500));
    tokio::time::sleep(Duration::from_secs(1)).await;
    *fake.record.lock().unwrap() = Act::Answer;
    shutdown.cancel();
    recorder.await.unwrap();
    assert_eq!(recorded(&fake), (1..=1_500).collect::<Vec<_>>());
}
