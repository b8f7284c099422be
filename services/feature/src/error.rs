use tributary_domain::FieldError;
use tributary_mesh::{Classify, Kind};

use crate::StoreError;

/// Why a call failed, shaped by what the caller may do.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The request is wrong: mend it. Not transparent, because the field is looked for in the chain
    /// of sources.
    #[error("{0}")]
    Field(#[from] FieldError),
    /// Nothing is wrong with the request.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A write may still become durable; sending it again changes nothing then.
    #[error("the deadline passed before the store answered")]
    Deadline,
    /// The numbers that a follower has go on in no store any more.
    #[error("another store has taken the place of this one: watch again")]
    Replaced,
    /// A follower was too slow for the log's length.
    #[error("the {log} log no longer holds what follows {after}: watch again from there")]
    Overtaken { log: &'static str, after: u64 },
}

impl Classify for FeatureError {
    fn kind(&self) -> Kind {
        match self {
            Self::Field(_) => Kind::InvalidArgument,
            Self::Deadline => Kind::DeadlineExceeded,
            Self::Overtaken { .. } => Kind::OutOfRange,
            Self::Store(StoreError::QueueFull) => Kind::ResourceExhausted,
            Self::Store(StoreError::Position { .. }) => Kind::FailedPrecondition,
            Self::Replaced => Kind::Unavailable,
            Self::Store(
                StoreError::Closed | StoreError::Unreachable { .. } | StoreError::Replicas { .. },
            ) => Kind::Unavailable,
            Self::Store(
                StoreError::Corrupt { .. }
                | StoreError::Damaged { .. }
                | StoreError::Redis(_)
                | StoreError::Database(_)
                | StoreError::Aborted(_),
            ) => Kind::Internal,
        }
    }
}
