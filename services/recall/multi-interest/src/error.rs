use tributary_recall::{FollowingError, vectors::VectorsError};
use tributary_tower::TowerError;

/// Why a bundle is of no use to this channel, or why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum MultiInterestError {
    #[error("there is no network of use for the user's interests")]
    Tower(#[from] TowerError),
    #[error("there are no item vectors of use")]
    Vectors(#[from] VectorsError),
    #[error(transparent)]
    Following(#[from] FollowingError),
}
