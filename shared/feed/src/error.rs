use std::time::Duration;

use tributary_domain::FieldError;

/// Why a follower lost its stream. It connects again, save after [`Sink`](Self::Sink).
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("the feature service refused or broke the stream")]
    Status(#[from] tonic::Status),
    #[error("the feature service ended the stream")]
    Ended,
    #[error("nothing came for {0:?}, not even a heartbeat")]
    Silent(Duration),
    #[error("entry {sequence} of the log cannot be read")]
    Entry { sequence: u64, source: FieldError },
    #[error("entry {sequence} of the log follows {after}")]
    Order { after: u64, sequence: u64 },
    #[error("the store was replaced: its log ends at {head}, {applied} entries were applied")]
    Replaced { head: u64, applied: u64 },
    #[error("the sink panicked")]
    Sink(#[source] tokio::task::JoinError),
}
