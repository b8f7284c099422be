use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tonic::{
    Code, ConnectError, Status, TimeoutExpired,
    body::Body,
    transport::{self, Channel},
};
use tower::ServiceExt;

use super::ClientConfig;

const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// An endpoint that lets that many callers in a row wait in vain is as good as dead.
const PATIENCE: usize = 3;
/// Who gave up sooner had little time left: that says nothing about the endpoint.
const IN_VAIN: Duration = Duration::from_millis(50);

/// One address of an upstream, with its connection.
pub(super) struct Endpoint {
    address: SocketAddr,
    channel: Channel,
    in_flight: AtomicUsize,
    /// Calls in a row that their callers gave up.
    given_up: AtomicUsize,
    /// Set while the endpoint is out of favour; held for a few instructions.
    ejection: Mutex<Option<Ejection>>,
    longest_ejection: Duration,
}

#[derive(Clone, Copy)]
struct Ejection {
    until: Instant,
    time: Duration,
}

/// What became of one sending of a call.
pub(super) enum Attempt {
    /// Answered, be it with an error.
    Answered(Response<Body>),
    /// Answered that it cannot serve now.
    Refused(Response<Body>),
    /// No connection could be made.
    Unreachable(transport::Error),
    /// The connection ended before the answer came.
    Broken(transport::Error),
    /// The time that the request carries ran out.
    Expired(transport::Error),
}

impl Attempt {
    /// True where another endpoint, or a new connection, may do better.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unreachable(_) | Self::Broken(_))
    }

    pub(super) fn into_result(self, upstream: &str) -> Result<Response<Body>, Status> {
        let (error, mut status) = match self {
            Self::Answered(response) | Self::Refused(response) => return Ok(response),
            Self::Unreachable(error) => {
                (error, Status::unavailable(format!("{upstream} cannot be reached")))
            }
            Self::Broken(error) => {
                (error, Status::unavailable(format!("{upstream}: the connection was lost")))
            }
            Self::Expired(error) => {
                (error, Status::deadline_exceeded(format!("{upstream} did not answer in time")))
            }
        };
        status.set_source(Arc::new(error));
        Err(status)
    }
}

impl Endpoint {
    pub(super) fn new(address: SocketAddr, origin: Uri, config: &ClientConfig) -> Self {
        let uri = Uri::builder().scheme("http").authority(address.to_string()).path_and_query("/");
        let uri = uri.build().expect("a socket address is an authority");
        let channel = Channel::builder(uri)
            .origin(origin)
            .connect_timeout(config.connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(config.keepalive_interval)
            .keep_alive_timeout(config.keepalive_timeout)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .connect_lazy();
        Self {
            address,
            channel,
            in_flight: AtomicUsize::new(0),
            given_up: AtomicUsize::new(0),
            ejection: Mutex::new(None),
            longest_ejection: config.ejection,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls sent whose answer has not been read to its end.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// True where the endpoint is in favour, or has been left alone for long enough.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        let ejection = *self.ejection.lock().unwrap_or_else(PoisonError::into_inner);
        ejection.is_none_or(|ejection| ejection.until <= now)
    }

    /// Takes the right to call it. After an ejection one caller gets it; the others wait for what
    /// comes of that call.
    pub(super) fn claim(&self, now: Instant) -> bool {
        let mut ejection = self.ejection.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *ejection {
            None => true,
            Some(Ejection { until, .. }) if *until > now => false,
            Some(Ejection { until, time }) => {
                *until = now + *time;
                true
            }
        }
    }

    /// Sends a request, and learns from what becomes of it.
    pub(super) async fn attempt(self: &Arc<Self>, request: Request<Body>) -> Attempt {
        let guard = InFlight::enter(self);
        let waiting = Waiting { endpoint: self, since: Instant::now() };
        let outcome = self.channel.clone().oneshot(request).await;
        if !outcome.as_ref().is_err_and(has_source::<TimeoutExpired>) {
            waiting.answered();
        }
        let attempt = match outcome {
            Ok(response) if is_refusal(&response) => Attempt::Refused(response),
            Ok(response) => Attempt::Answered(guarded(response, guard)),
            Err(error) if has_source::<TimeoutExpired>(&error) => Attempt::Expired(error),
            Err(error) if has_source::<ConnectError>(&error) => Attempt::Unreachable(error),
            Err(error) => Attempt::Broken(error),
        };
        match &attempt {
            Attempt::Answered(_) => self.readmit(),
            Attempt::Expired(_) => {}
            Attempt::Refused(_) | Attempt::Unreachable(_) | Attempt::Broken(_) => self.eject(),
        }
        attempt
    }

    pub(super) fn eject(&self) {
        let mut ejection = self.ejection.lock().unwrap_or_else(PoisonError::into_inner);
        let first = self.longest_ejection / 10;
        let time = ejection.map_or(first, |last| last.time.saturating_mul(2));
        let time = time.min(self.longest_ejection);
        *ejection = Some(Ejection { until: Instant::now() + time, time });
        tracing::debug!(address = %self.address, ?time, "endpoint ejected");
    }

    fn readmit(&self) {
        let mut ejection = self.ejection.lock().unwrap_or_else(PoisonError::into_inner);
        if ejection.take().is_some() {
            tracing::debug!(address = %self.address, "endpoint is back");
        }
    }
}

/// A refusal has no body: its status is in the headers.
fn is_refusal(response: &Response<Body>) -> bool {
    let status = Status::from_header_map(response.headers());
    status.is_some_and(|status| status.code() == Code::Unavailable)
}

fn has_source<E: Error + 'static>(error: &transport::Error) -> bool {
    std::iter::successors(error.source(), |&error| error.source()).any(|source| source.is::<E>())
}

/// Keeps the call counted until its answer has been read or dropped.
fn guarded(response: Response<Body>, guard: InFlight) -> Response<Body> {
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &guard;
            frame
        }))
    })
}

/// A call without an answer; dropped, it was given up.
struct Waiting<'a> {
    endpoint: &'a Endpoint,
    since: Instant,
}

impl Waiting<'_> {
    fn answered(self) {
        self.endpoint.given_up.store(0, Ordering::Relaxed);
        std::mem::forget(self);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.since.elapsed() < IN_VAIN {
            return;
        }
        if self.endpoint.given_up.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
            self.endpoint.eject();
        }
    }
}

pub(super) struct InFlight(Arc<Endpoint>);

impl InFlight {
    pub(super) fn enter(endpoint: &Arc<Endpoint>) -> Self {
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(endpoint))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an endpoint is in favour after `calls` calls that were given up after `time`.
    fn is_open_after(calls: usize, time: Duration) -> bool {
        let config = ClientConfig::at("http://feature:1");
        let origin = Uri::from_static("http://feature:1");
        let endpoint = Endpoint::new(SocketAddr::from(([127, 0, 0, 1], 1)), origin, &config);
        for _ in 0..calls {
            let since = Instant::now().checked_sub(time).unwrap();
            drop(Waiting { endpoint: &endpoint, since });
        }
        endpoint.is_open(Instant::now())
    }

    #[tokio::test]
    async fn only_calls_that_waited_count_against_an_endpoint() {
        assert!(is_open_after(100, Duration::ZERO));
        assert!(is_open_after(PATIENCE - 1, IN_VAIN));
        assert!(!is_open_after(PATIENCE, IN_VAIN));
    }
}
