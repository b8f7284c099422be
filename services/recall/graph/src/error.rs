use tributary_recall::{FollowingError, vectors::VectorsError};

/// Why a bundle is of no use to this channel, or why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    #[error("there are no item vectors of use")]
    Vectors(#[from] VectorsError),
    #[error(transparent)]
    Following(#[from] FollowingError),
}
