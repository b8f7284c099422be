//! gRPC health (`grpc.health.v1`), by service name, with what the process has to say of itself in
//! the metadata.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_server::Health as HealthRpc,
};

use crate::metrics;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Ready,
    Draining,
}

impl From<State> for HealthCheckResponse {
    fn from(state: State) -> Self {
        let status = match state {
            State::Ready => ServingStatus::Serving,
            State::Starting | State::Draining => ServingStatus::NotServing,
        };
        Self { status: status.into() }
    }
}

/// What the process says of its health: not serving until [`Health::ready`]. The same for every
/// service of the process and for the name "", which stands for the process.
#[derive(Debug, Clone)]
pub struct Health {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: watch::Sender<State>,
    /// Written when a bundle or a provider changes, read by health checks; never held for long.
    details: Mutex<BTreeMap<String, String>>,
}

impl Health {
    pub(crate) fn starting() -> Self {
        let (state, _) = watch::channel(State::Starting);
        Self { shared: Arc::new(Shared { state, details: Mutex::default() }) }
    }

    /// The process can answer. Without effect once it drains.
    pub fn ready(&self) {
        self.change(State::Ready);
    }

    /// The process cannot answer for now.
    pub fn not_ready(&self) {
        self.change(State::Starting);
    }

    /// True while the process says that it serves.
    pub fn is_ready(&self) -> bool {
        *self.shared.state.borrow() == State::Ready
    }

    /// Tells a fact of the process, such as the bundle or the execution provider in use: as the
    /// metadata `x-tributary-<key>` of every answered health check, and as the metric
    /// `tributary_info`. A later value replaces the earlier one.
    pub fn describe(&self, key: &str, value: &str) {
        let mut details = self.shared.details.lock().unwrap_or_else(PoisonError::into_inner);
        let old = details.insert(key.to_owned(), value.to_owned());
        metrics::described(key, old.as_deref(), value);
    }

    pub(crate) fn draining(&self) {
        self.shared.state.send_replace(State::Draining);
    }

    fn change(&self, next: State) {
        let changed = self.shared.state.send_if_modified(|state| {
            let change = *state != State::Draining && *state != next;
            if change {
                *state = next;
            }
            change
        });
        if changed {
            tracing::info!(state = ?next, "health changed");
        }
    }

    fn write_details(&self, metadata: &mut MetadataMap) {
        let details = self.shared.details.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in &*details {
            let name = format!("x-tributary-{}", key.to_ascii_lowercase().replace('_', "-"));
            let name: Result<MetadataKey<Ascii>, _> = name.parse();
            let value: Result<MetadataValue<Ascii>, _> = value.parse();
            match (name, value) {
                (Ok(name), Ok(value)) => {
                    metadata.insert(name, value);
                }
                _ => tracing::debug!(key, "detail is not fit for metadata"),
            }
        }
    }
}

/// The service itself, for the names in question.
pub(crate) struct HealthService {
    health: Health,
    names: BTreeSet<String>,
}

impl HealthService {
    pub(crate) fn new(health: Health, services: impl IntoIterator<Item = String>) -> Self {
        let names = services.into_iter().chain([String::new()]).collect();
        Self { health, names }
    }

    fn known(&self, name: &str) -> Result<(), Status> {
        if self.names.contains(name) {
            return Ok(());
        }
        Err(Status::not_found(format!("no service {name:?} here")))
    }
}

type Watching = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl HealthRpc for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.known(&request.get_ref().service)?;
        let state = *self.health.shared.state.borrow();
        let mut response = Response::new(state.into());
        self.health.write_details(response.metadata_mut());
        Ok(response)
    }

    type WatchStream = Watching;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Watching>, Status> {
        self.known(&request.get_ref().service)?;
        let states = states(self.health.shared.state.subscribe());
        Ok(Response::new(states.map(|state| Ok(state.into())).boxed()))
    }
}

/// The state now and after each change. Ends with the draining, which it would hold up otherwise.
fn states(receiver: watch::Receiver<State>) -> impl Stream<Item = State> + Send {
    stream::unfold((Some(receiver), true), |(receiver, first)| async move {
        let mut receiver = receiver?;
        if !first {
            receiver.changed().await.ok()?;
        }
        let state = *receiver.borrow_and_update();
        let next = (state != State::Draining).then_some(receiver);
        Some((state, (next, false)))
    })
}
