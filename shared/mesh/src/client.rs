//! The client of one upstream: any number of endpoints behind one name.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use serde::Deserialize;
use tonic::{Status, body::Body};

use crate::{metrics, trace};

mod balance;
mod budget;
mod endpoint;
mod replay;
mod resolve;
#[cfg(test)]
mod tests;

use budget::Budget;
use endpoint::{Attempt, Endpoint};
use replay::Replay;
use resolve::Endpoints;

/// Where an upstream is and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// `http://host:port`. A host name may stand for many addresses; all are used, and the name is
    /// looked up again every `resolve_every`.
    pub address: String,
    #[serde(default = "defaults::connect_timeout", with = "humantime_serde")]
    pub connect_timeout: Duration,
    #[serde(default = "defaults::resolve_every", with = "humantime_serde")]
    pub resolve_every: Duration,
    /// A ping after that time of silence.
    #[serde(default = "defaults::keepalive_interval", with = "humantime_serde")]
    pub keepalive_interval: Duration,
    /// A connection whose ping is not answered in that time is dead.
    #[serde(default = "defaults::keepalive_timeout", with = "humantime_serde")]
    pub keepalive_timeout: Duration,
    /// The longest that an endpoint that failed is left alone; the first time is a tenth of it.
    #[serde(default = "defaults::ejection", with = "humantime_serde")]
    pub ejection: Duration,
}

mod defaults {
    use std::time::Duration;

    pub(super) fn connect_timeout() -> Duration {
        Duration::from_millis(500)
    }

    pub(super) fn resolve_every() -> Duration {
        Duration::from_secs(5)
    }

    pub(super) fn keepalive_interval() -> Duration {
        Duration::from_secs(5)
    }

    pub(super) fn keepalive_timeout() -> Duration {
        Duration::from_secs(2)
    }

    pub(super) fn ejection() -> Duration {
        Duration::from_secs(1)
    }
}

impl ClientConfig {
    /// The defaults, for that address.
    pub fn at(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            connect_timeout: defaults::connect_timeout(),
            resolve_every: defaults::resolve_every(),
            keepalive_interval: defaults::keepalive_interval(),
            keepalive_timeout: defaults::keepalive_timeout(),
            ejection: defaults::ejection(),
        }
    }
}

/// An address that no client can be made for.
#[derive(Debug, thiserror::Error)]
#[error("address of {upstream}: {address:?} is not like http://host:port")]
pub struct ClientError {
    pub upstream: String,
    pub address: String,
    #[source]
    source: Option<http::uri::InvalidUri>,
}

/// A cheap handle to one upstream, for the generated clients. Connects when it is first used.
///
/// Each call goes to the less busy of two endpoints drawn at random (Mitzenmacher, "The Power of
/// Two Choices"). An endpoint that cannot be reached, answers `UNAVAILABLE`, or lets three callers
/// in a row wait in vain for 50 ms or more is left alone with exponential back-off, then tried by
/// one call. A call that failed in that way is sent once more, elsewhere or over a new connection,
/// while the retry budget lasts; every call of the mesh is idempotent. Requests are held in memory for that, so they must not be endless streams; answers
/// are streamed.
///
/// Deadlines are the caller's: see [`call`](crate::call).
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    endpoints: Endpoints,
    budget: Budget,
}

impl Client {
    /// A client of the upstream named `upstream` in errors and metrics.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(upstream: &str, config: &ClientConfig) -> Result<Self, ClientError> {
        let wrong = |source| ClientError {
            upstream: upstream.to_owned(),
            address: config.address.clone(),
            source,
        };
        let origin: Uri = config.address.parse().map_err(|error| wrong(Some(error)))?;
        let endpoints = Endpoints::of(upstream, origin, config).ok_or_else(|| wrong(None))?;
        Ok(Self::over(upstream, endpoints))
    }

    fn over(upstream: &str, endpoints: Endpoints) -> Self {
        let (upstream, budget) = (upstream.to_owned(), Budget::full());
        Self { shared: Arc::new(Shared { upstream, endpoints, budget }) }
    }

    /// The name given to [`Client::new`].
    pub fn upstream(&self) -> &str {
        &self.shared.upstream
    }
}

impl tower::Service<Request<Body>> for Client {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.send(request).await })
    }
}

impl Shared {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let mut request = Replay::buffer(request).await?;
        trace::inject(request.headers_mut());
        let endpoints = self.endpoints.current().await;
        let Some(first) = balance::pick(&endpoints, None) else {
            return Err(Status::unavailable(format!("{}: no address found", self.upstream)));
        };
        let attempt = self.attempt(&first, &request).await;
        let Some(second) = self.second_choice(&endpoints, &first, &attempt) else {
            return attempt.into_result(&self.upstream);
        };
        metrics::retried(&self.upstream);
        tracing::debug!(upstream = self.upstream, from = %first.address(), to = %second.address(),
            "call is sent again");
        self.attempt(&second, &request).await.into_result(&self.upstream)
    }

    async fn attempt(&self, endpoint: &Arc<Endpoint>, request: &Replay) -> Attempt {
        let attempt = endpoint.attempt(request.copy()).await;
        match &attempt {
            Attempt::Answered(_) => self.budget.deposit(),
            Attempt::Refused(_) | Attempt::Broken(_) | Attempt::Expired(_) => {}
            Attempt::Unreachable(_) => self.endpoints.nudge(),
        }
        if attempt.is_failure() {
            metrics::ejected(&self.upstream);
        }
        attempt
    }

    /// Where to send a failed call again; `None` if it must not be.
    fn second_choice(
        &self,
        endpoints: &[Arc<Endpoint>],
        first: &Arc<Endpoint>,
        attempt: &Attempt,
    ) -> Option<Arc<Endpoint>> {
        if !attempt.is_failure() {
            return None;
        }
        let elsewhere = balance::pick(endpoints, Some(first));
        // After a refusal or a failed connect the same endpoint would only fail again; a connection
        // that broke may be made anew.
        let again = matches!(attempt, Attempt::Broken(_)).then(|| Arc::clone(first));
        let second = elsewhere.or(again)?;
        if self.budget.withdraw() {
            return Some(second);
        }
        metrics::retry_refused(&self.upstream);
        None
    }
}
