//! The one table from errors to gRPC and HTTP status.

use std::{error::Error, fmt::Write};

use http::StatusCode;
use tonic::{Code, Status};
use tributary_domain::FieldError;

use crate::CallError;

/// Names the offending field of an `INVALID_ARGUMENT` in the metadata of its status.
const FIELD: &str = "field";

/// What the caller may make of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong; sending it again changes nothing.
    InvalidArgument,
    NotFound,
    /// The system is not in the state that the call needs.
    FailedPrecondition,
    OutOfRange,
    /// A queue or quota is full; try later.
    ResourceExhausted,
    /// Not able to serve now; try again, or elsewhere.
    Unavailable,
    DeadlineExceeded,
    /// A fault of ours.
    Internal,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::InvalidArgument,
        Self::NotFound,
        Self::FailedPrecondition,
        Self::OutOfRange,
        Self::ResourceExhausted,
        Self::Unavailable,
        Self::DeadlineExceeded,
        Self::Internal,
    ];

    /// The status of gRPC.
    pub fn code(self) -> Code {
        self.row().0
    }

    /// The status of HTTP, as in `google/rpc/code.proto`.
    pub fn http(self) -> StatusCode {
        self.row().1
    }

    fn row(self) -> (Code, StatusCode) {
        match self {
            Self::InvalidArgument => (Code::InvalidArgument, StatusCode::BAD_REQUEST),
            Self::NotFound => (Code::NotFound, StatusCode::NOT_FOUND),
            Self::FailedPrecondition => (Code::FailedPrecondition, StatusCode::BAD_REQUEST),
            Self::OutOfRange => (Code::OutOfRange, StatusCode::BAD_REQUEST),
            Self::ResourceExhausted => (Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS),
            Self::Unavailable => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, StatusCode::GATEWAY_TIMEOUT),
            Self::Internal => (Code::Internal, StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// True where the operator, not the caller, has to do something.
    fn is_ours(self) -> bool {
        matches!(self, Self::Unavailable | Self::DeadlineExceeded | Self::Internal)
    }
}

/// An error that knows its row in the table.
pub trait Classify: Error + 'static {
    fn kind(&self) -> Kind;
}

impl Classify for FieldError {
    fn kind(&self) -> Kind {
        Kind::InvalidArgument
    }
}

/// The status that answers a call that failed with `error`, its message the error's `Display`.
/// Logs the chain of sources once, at warn where the fault is ours. A wrong field is also named in
/// the metadata key "field".
pub fn status(error: &impl Classify) -> Status {
    let kind = error.kind();
    let cause = chain(error);
    if kind.is_ours() {
        tracing::warn!(?kind, %error, cause, "call failed");
    } else {
        tracing::debug!(?kind, %error, cause, "call refused");
    }
    let mut status = Status::new(kind.code(), error.to_string());
    if let Some(field) = field(error).and_then(|field| field.parse().ok()) {
        status.metadata_mut().insert(FIELD, field);
    }
    status
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for source in sources(error).skip(1) {
        let separator = if text.is_empty() { "" } else { ": " };
        write!(text, "{separator}{source}").expect("writing to a string cannot fail");
    }
    text
}

fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The field at fault, known here or told by the upstream.
fn field(error: &(dyn Error + 'static)) -> Option<String> {
    sources(error).find_map(|source| {
        let here = source.downcast_ref::<FieldError>().map(|error| error.field.clone());
        here.or_else(|| source.downcast_ref::<CallError>()?.upstream_field())
    })
}

impl CallError {
    fn upstream_field(&self) -> Option<String> {
        let field = self.status()?.metadata().get(FIELD)?;
        field.to_str().ok().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let rows = [
            (Kind::InvalidArgument, Code::InvalidArgument, 400),
            (Kind::NotFound, Code::NotFound, 404),
            (Kind::FailedPrecondition, Code::FailedPrecondition, 400),
            (Kind::OutOfRange, Code::OutOfRange, 400),
            (Kind::ResourceExhausted, Code::ResourceExhausted, 429),
            (Kind::Unavailable, Code::Unavailable, 503),
            (Kind::DeadlineExceeded, Code::DeadlineExceeded, 504),
            (Kind::Internal, Code::Internal, 500),
        ];
        assert_eq!(rows.map(|(kind, _, _)| kind), Kind::ALL);
        for (kind, code, http) in rows {
            assert_eq!((kind.code(), kind.http().as_u16()), (code, http), "{kind:?}");
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("request cannot be read")]
    struct Outer(#[source] FieldError);

    impl Classify for Outer {
        fn kind(&self) -> Kind {
            Kind::InvalidArgument
        }
    }

    #[test]
    fn a_wrong_field_is_named_and_sources_stay_inside() {
        let status = status(&Outer(FieldError::new("items[3].year", "too late")));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "request cannot be read");
        assert_eq!(status.metadata().get("field").unwrap(), "items[3].year");
    }

    #[test]
    fn what_an_upstream_says_of_the_request_is_passed_on() {
        let upstream = status(&FieldError::new("size", "too big"));
        let passed = status(&CallError::from_status("feature", upstream));
        assert_eq!(passed.code(), Code::InvalidArgument);
        assert_eq!(passed.metadata().get("field").unwrap(), "size");
    }

    #[test]
    fn failures_of_an_upstream_have_their_row() {
        for (theirs, ours) in [
            (Code::Unavailable, Code::Unavailable),
            (Code::DeadlineExceeded, Code::DeadlineExceeded),
            (Code::Cancelled, Code::DeadlineExceeded),
            (Code::ResourceExhausted, Code::ResourceExhausted),
            (Code::NotFound, Code::NotFound),
            (Code::OutOfRange, Code::OutOfRange),
            (Code::FailedPrecondition, Code::FailedPrecondition),
            (Code::Internal, Code::Internal),
            (Code::Unimplemented, Code::Internal),
            (Code::PermissionDenied, Code::Internal),
        ] {
            let error = CallError::from_status("ranking", Status::new(theirs, "x"));
            assert_eq!(status(&error).code(), ours, "{theirs:?}");
        }
        let error = CallError::invalid_answer("ranking", "scores are missing");
        assert_eq!(status(&error).code(), Code::Internal);
        assert_eq!(error.to_string(), "ranking: invalid answer");
    }
}
