use std::time::Duration;

use tributary_domain::FieldError;

/// Why a follower lost its stream. None of these ends the follower: it connects again.
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
}
