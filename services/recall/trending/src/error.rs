use tributary_mesh::ClientError;
use tributary_runtime::ServeError;

/// Why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum TrendingError {
    #[error("the address of the feature service cannot be used")]
    Feature(#[from] ClientError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the {0} of the feature service are no longer followed")]
    Unfollowed(&'static str),
}
