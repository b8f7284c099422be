use std::{error::Error, fmt, time::Instant};

use tonic::{Code, Request, Response, Status};

use crate::{Classify, Deadline, Kind, metrics};

/// How a call to another service failed, as far as a caller may care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No answer within the deadline.
    Timeout,
    /// Not reachable, lost on the way, or not able to serve now.
    Unavailable,
    /// The upstream shed the call.
    Overloaded,
    /// It answered, but not as its contract says.
    InvalidAnswer,
    /// It answered with another error.
    Error,
}

impl Failure {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::InvalidAnswer => "invalid answer",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed call to another service.
#[derive(Debug, thiserror::Error)]
#[error("{upstream}: {failure}")]
pub struct CallError {
    pub upstream: String,
    pub failure: Failure,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl CallError {
    /// No answer within the deadline.
    pub fn timeout(upstream: impl Into<String>) -> Self {
        Self { upstream: upstream.into(), failure: Failure::Timeout, source: None }
    }

    /// An answer that breaks the contract.
    pub fn invalid_answer(
        upstream: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let (failure, source) = (Failure::InvalidAnswer, Some(source.into()));
        Self { upstream: upstream.into(), failure, source }
    }

    /// The failure that a status of `upstream` means.
    pub fn from_status(upstream: impl Into<String>, status: Status) -> Self {
        let failure = failure(&status);
        Self { upstream: upstream.into(), failure, source: Some(Box::new(status)) }
    }

    /// What the upstream answered, where it did.
    pub fn status(&self) -> Option<&Status> {
        self.source.as_ref()?.downcast_ref()
    }
}

fn failure(status: &Status) -> Failure {
    match status.code() {
        // tonic answers Cancelled where the timeout of the call ran out, on either side.
        Code::DeadlineExceeded | Code::Cancelled => Failure::Timeout,
        Code::Unavailable => Failure::Unavailable,
        Code::ResourceExhausted => Failure::Overloaded,
        // A connection that ends within an answer has no status of its own.
        _ if status.source().is_some() => Failure::Unavailable,
        _ => Failure::Error,
    }
}

impl Classify for CallError {
    fn kind(&self) -> Kind {
        match self.failure {
            Failure::Timeout => Kind::DeadlineExceeded,
            Failure::Unavailable => Kind::Unavailable,
            Failure::Overloaded => Kind::ResourceExhausted,
            Failure::InvalidAnswer => Kind::Internal,
            Failure::Error => self.status().map_or(Kind::Internal, passed_on),
        }
    }
}

/// What an upstream says of the request holds for our caller as well.
fn passed_on(status: &Status) -> Kind {
    match status.code() {
        Code::InvalidArgument => Kind::InvalidArgument,
        Code::NotFound => Kind::NotFound,
        Code::FailedPrecondition => Kind::FailedPrecondition,
        Code::OutOfRange => Kind::OutOfRange,
        _ => Kind::Internal,
    }
}

/// Awaits a call until `deadline`, which holds whatever the upstream does. Counts and times it
/// under the name of the upstream.
pub async fn call<T, F>(upstream: &str, deadline: Deadline, future: F) -> Result<T, CallError>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let started = Instant::now();
    let result = match tokio::time::timeout_at(deadline.instant(), future).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(CallError::from_status(upstream, status)),
        Err(_) => Err(CallError::timeout(upstream)),
    };
    let outcome = result.as_ref().map_or_else(|error| error.failure.as_str(), |_| "ok");
    metrics::call(upstream, outcome, started.elapsed());
    result
}

/// A request that tells the upstream how long its caller waits.
pub fn request<T>(message: T, deadline: Deadline) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline.remaining());
    request
}
