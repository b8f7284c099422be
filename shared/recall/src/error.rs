use std::error::Error;

use tributary_domain::FieldError;
use tributary_mesh::{Classify, Kind};

/// Why a channel has no list.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// The request breaks the contract.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The channel lacks what it works from; the message says what to do about it.
    #[error("{0}")]
    NotReady(&'static str),
    /// The published bundle is of no use to the channel, and there was none before it.
    /// The reason names it.
    #[error("the published bundle is of no use to this channel, train a new one: {reason}")]
    Refused { reason: String },
    /// More requests are waiting for a worker than the channel's bound.
    #[error("too many recalls are waiting, {waiting} at most")]
    Overloaded { waiting: usize },
    /// A dependency failed in a way that it classifies itself.
    #[error("the channel's list cannot be computed")]
    Failed { kind: Kind, source: Box<dyn Error + Send + Sync> },
}

impl RecallError {
    /// What every channel with a bundle says before its first one.
    pub const NO_BUNDLE: Self = Self::NotReady("no bundle published yet; run `trainer run`");

    /// What every channel that follows the logs says before it has caught up with them.
    pub const CATCHING_UP: Self =
        Self::NotReady("the feature service's logs are not caught up with yet");

    /// Wraps an error that knows its own kind.
    pub fn classified(error: impl Classify + Send + Sync) -> Self {
        Self::Failed { kind: error.kind(), source: Box::new(error) }
    }

    /// Wraps an error that the caller can do nothing about.
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed { kind: Kind::Internal, source: error.into() }
    }
}

impl Classify for RecallError {
    fn kind(&self) -> Kind {
        match self {
            Self::Field(error) => error.kind(),
            // Not UNAVAILABLE: it would eject the endpoint, though it is well and says what is
            // missing.
            Self::NotReady(_) | Self::Refused { .. } => Kind::FailedPrecondition,
            Self::Overloaded { .. } => Kind::ResourceExhausted,
            Self::Failed { kind, .. } => *kind,
        }
    }
}
