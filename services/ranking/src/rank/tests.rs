use std::{future::poll_fn, path::Path, pin::pin, sync::mpsc, task::Poll, time::Duration};

use tokio::runtime;
use tokio_util::sync::CancellationToken;
use tributary_bundle::{Store, StoreConfig};
use tributary_domain::UserId;
use tributary_feed::follow_events;
use tributary_inference::Runtime;
use tributary_mesh::{Client, ClientConfig};

use super::*;
use crate::{
    Config,
    counts::Counting,
    fixtures::{FIRST, Recipe},
    items::Models,
    model::Loader,
};

mod encoding;

/// A ranker with a bundle and two places.
async fn narrow(folder: &Path) -> Ranker {
    let bundle = StoreConfig { store: folder.to_owned(), poll: Duration::from_millis(2) };
    let inference = InferenceConfig { threads: 1, queue: 1, ..InferenceConfig::default() };
    let config = Config { bundle, inference, ..Config::default() };
    let store = Store::at(folder);
    store.publish(&Recipe::of(FIRST, 0.0).write(&store)).unwrap();
    let runtime = Runtime::load(&config.inference).expect("ONNX Runtime; `make up` fetches it");
    let loader = Loader::new(&config, runtime, Models::default());
    let (counts, stop) = (LiveCounts::default(), CancellationToken::new());
    let load = move |bundle: &_| loader.load(bundle);
    let served = Served::start(config.bundle, load, stop.clone());
    served.wait_loaded().await;
    let nowhere = Client::new("feature", &ClientConfig::at("http://127.0.0.1:1")).unwrap();
    let events = follow_events(nowhere, Counting::new(counts.clone()), stop);
    Ranker::new(served, counts, events, &config.inference)
}

fn query() -> Query {
    let context = UserContext::cold(UserId(1));
    Query { context, items: vec![ItemId(1), ItemId(2)], evidence: Vec::new() }
}

async fn refuse_and_recover() {
    let folder = tempfile::tempdir().unwrap();
    let ranker = narrow(folder.path()).await;
    // The one blocking thread is busy: what is asked waits to be encoded.
    let (release, busy) = mpsc::channel::<()>();
    let blocker = tokio::task::spawn_blocking(move || busy.recv().is_err());
    let (mut first, mut second) = (pin!(ranker.rank(query())), pin!(ranker.rank(query())));
    let waiting = poll_fn(|context| {
        let first = first.as_mut().poll(context).is_pending();
        Poll::Ready(first && second.as_mut().poll(context).is_pending())
    });
    assert!(waiting.await);
    assert!(matches!(ranker.rank(query()).await, Err(RankingError::Overloaded)));
    drop(release);
    assert!(blocker.await.unwrap());
    assert_eq!(first.await.unwrap().scores.len(), 2);
    assert!(ranker.rank(query()).await.is_ok());
    assert_eq!(second.await.unwrap().scores.len(), 2);
}

#[test]
fn what_waits_to_be_encoded_is_bounded() {
    let mut builder = runtime::Builder::new_current_thread();
    let runtime = builder.max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(refuse_and_recover());
}
