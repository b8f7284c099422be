use std::{
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use serde::Deserialize;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tributary_domain::BundleId;

use crate::{Bundle, BundleError, Store, metrics};

/// How long a refused bundle is left alone before it is tried again.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// Where bundles come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    pub store: PathBuf,
    /// How often the pointer is looked at.
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { store: PathBuf::from(".tributary/bundles"), poll: Duration::from_secs(1) }
    }
}

/// What a service made of a bundle.
#[derive(Debug)]
pub struct Loaded<T> {
    pub bundle_id: BundleId,
    pub value: T,
}

/// A bundle that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub bundle_id: BundleId,
    /// The error with its causes.
    pub reason: String,
}

/// Why a loader refuses a bundle.
pub type LoadError = Box<dyn Error + Send + Sync>;

/// Follows a store's pointer and holds what the service made of the bundle it points to.
///
/// A new bundle is swapped in whole. The one before is kept, so that rolling back to it needs no
/// loading. A bundle that cannot be opened or loaded is refused: logged, counted, tried again
/// after a pause, and the service goes on with the bundle that it has. Clones share the state;
/// the last one dropped ends the following.
#[derive(Debug)]
pub struct Served<T> {
    shared: Arc<Shared<T>>,
    task: Arc<Task>,
}

impl<T> Clone for Served<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), task: Arc::clone(&self.task) }
    }
}

#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Shared<T> {
    current: ArcSwapOption<Loaded<T>>,
    previous: ArcSwapOption<Loaded<T>>,
    served: watch::Sender<Option<BundleId>>,
    refused: watch::Sender<Option<Refused>>,
}

impl<T: Send + Sync + 'static> Served<T> {
    /// Starts following. `load` runs on a blocking thread. Needs a tokio runtime.
    pub fn start<F, E>(config: StoreConfig, load: F, shutdown: CancellationToken) -> Self
    where
        F: Fn(&Bundle) -> Result<T, E> + Send + Sync + 'static,
        E: Into<LoadError>,
    {
        let shared = Arc::new(Shared {
            current: ArcSwapOption::empty(),
            previous: ArcSwapOption::empty(),
            served: watch::Sender::new(None),
            refused: watch::Sender::new(None),
        });
        let follower = Follower {
            store: Store::at(config.store),
            load: Arc::new(move |bundle: &Bundle| load(bundle).map_err(Into::into)),
            shared: Arc::clone(&shared),
            refused: None,
        };
        let task = tokio::spawn(follower.run(config.poll, shutdown));
        Self { shared, task: Arc::new(Task(task)) }
    }

    /// What is served now; `None` before the first bundle was loaded.
    pub fn current(&self) -> Option<Arc<Loaded<T>>> {
        self.shared.current.load_full()
    }

    /// What was served before.
    pub fn previous(&self) -> Option<Arc<Loaded<T>>> {
        self.shared.previous.load_full()
    }

    /// Tells of every swap.
    pub fn changes(&self) -> watch::Receiver<Option<BundleId>> {
        self.shared.served.subscribe()
    }

    /// Tells of the last bundle refused.
    pub fn refusals(&self) -> watch::Receiver<Option<Refused>> {
        self.shared.refused.subscribe()
    }

    /// Waits for the first bundle.
    pub async fn wait_loaded(&self) -> Arc<Loaded<T>> {
        let mut served = self.changes();
        let loaded = served.wait_for(Option::is_some).await;
        loaded.expect("the sender is in `self.shared`, which lives");
        self.current().expect("a bundle is set before it is told of, and never taken away")
    }
}

type Loader<T> = dyn Fn(&Bundle) -> Result<T, LoadError> + Send + Sync;

struct Follower<T> {
    store: Store,
    load: Arc<Loader<T>>,
    shared: Arc<Shared<T>>,
    refused: Option<(BundleId, Instant)>,
}

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Open(#[from] BundleError),
    #[error("bundle {bundle} cannot be loaded")]
    Load { bundle: BundleId, source: LoadError },
    #[error("loading bundle {bundle} panicked")]
    Panicked { bundle: BundleId, source: tokio::task::JoinError },
}

impl<T: Send + Sync + 'static> Follower<T> {
    async fn run(mut self, poll: Duration, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(poll.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let follow = async {
            loop {
                ticks.tick().await;
                self.look().await;
            }
        };
        shutdown.run_until_cancelled(follow).await;
    }

    async fn look(&mut self) {
        match self.store.current() {
            Ok(Some(id)) if self.is_news(&id) => self.take(id).await,
            Ok(_) => {}
            Err(error) => tracing::error!(error = chain(&error), "cannot read the bundle pointer"),
        }
    }

    fn is_news(&self, id: &BundleId) -> bool {
        let served = self.shared.served.borrow().as_ref() == Some(id);
        let paused = self
            .refused
            .as_ref()
            .is_some_and(|(refused, since)| refused == id && since.elapsed() < REFUSED_PAUSE);
        !served && !paused
    }

    async fn take(&mut self, id: BundleId) {
        match self.obtain(&id).await {
            Ok(loaded) => {
                self.refused = None;
                self.swap(loaded);
            }
            Err(refusal) => self.refuse(id, chain(&refusal)),
        }
    }

    fn refuse(&mut self, bundle_id: BundleId, reason: String) {
        tracing::error!(bundle = %bundle_id, error = reason, "bundle refused");
        metrics::refused();
        self.refused = Some((bundle_id.clone(), Instant::now()));
        self.shared.refused.send_replace(Some(Refused { bundle_id, reason }));
    }

    async fn obtain(&self, id: &BundleId) -> Result<Arc<Loaded<T>>, Refusal> {
        let previous = self.shared.previous.load_full();
        if let Some(kept) = previous.filter(|previous| previous.bundle_id == *id) {
            return Ok(kept);
        }
        let (store, load, bundle_id) = (self.store.clone(), Arc::clone(&self.load), id.clone());
        let loading = move || {
            let bundle = store.open(&bundle_id)?;
            let value = load(&bundle)
                .map_err(|source| Refusal::Load { bundle: bundle_id.clone(), source })?;
            Ok(Arc::new(Loaded { bundle_id, value }))
        };
        let panicked = |source| Refusal::Panicked { bundle: id.clone(), source };
        tokio::task::spawn_blocking(loading).await.map_err(panicked)?
    }

    fn swap(&self, loaded: Arc<Loaded<T>>) {
        let id = loaded.bundle_id.clone();
        let before = self.shared.current.swap(Some(loaded));
        metrics::loaded(&id, before.as_ref().map(|before| &before.bundle_id));
        if before.is_some() {
            self.shared.previous.store(before);
        }
        tracing::info!(bundle = %id, "bundle loaded");
        self.shared.served.send_replace(Some(id));
    }
}

/// An error with its causes, for the log.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
