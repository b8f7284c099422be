use tributary_bundle::BundleError;
use tributary_recall::FollowingError;
use tributary_retrieval::{TableError, collaborative};

/// Why a bundle is of no use to this channel, or why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum CollaborativeError {
    #[error("the file of the collaborative tables cannot be read")]
    Bundle(#[from] BundleError),
    #[error("the collaborative tables are broken")]
    Tables(#[from] TableError),
    #[error("the collaborative tables do not serve the configuration")]
    Configuration(#[from] collaborative::CollaborativeError),
    #[error(transparent)]
    Following(#[from] FollowingError),
}
