//! The layer around all services: a span with the caller's trace, and the call's metrics.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tributary_mesh::trace;

use crate::metrics;

/// Observes every call of the services below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObserveLayer;

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Observe<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Observe<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut running = Running::start(request.uri().path());
        let span = span(&request);
        let answer = self.inner.call(request);
        let observed = async move {
            let response = answer.await?;
            running.read(response.headers());
            Ok(response.map(|body| running.until_end_of(body)))
        };
        Box::pin(observed.instrument(span))
    }
}

fn span(request: &Request<Body>) -> Span {
    let method = request.uri().path().trim_start_matches('/');
    let span =
        tracing::info_span!("call", rpc.method = method, otel.name = method, otel.kind = "server");
    if let Err(error) = span.set_parent(trace::extract(request.headers())) {
        // Without traces there is no layer to take the parent.
        tracing::trace!(%error, "no parent for the span");
    }
    span
}

/// A call under way; measured when it is dropped, however it ended.
struct Running {
    method: String,
    started: Instant,
    /// `None` until the answer says it: the caller went away, or its time ran out.
    code: Option<Code>,
}

impl Running {
    fn start(path: &str) -> Self {
        metrics::started();
        let method = path.trim_start_matches('/').to_owned();
        Self { method, started: Instant::now(), code: None }
    }

    fn read(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.code = Some(status.code());
        }
    }

    fn until_end_of(mut self, body: Body) -> Body {
        Body::new(body.map_frame(move |frame| {
            if let Some(trailers) = frame.trailers_ref() {
                self.read(trailers);
            }
            frame
        }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        // A path that nothing answers is the caller's choice: it must not become a label.
        let method = if code == Code::Unimplemented { "unknown" } else { &self.method };
        metrics::finished(method, code_name(code), self.started.elapsed());
    }
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}
