use tributary_mesh::{Classify, ClientError, Kind};
use tributary_retrieval::text::TextError;
use tributary_runtime::ServeError;

/// Why the process cannot serve, or a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("the address of the feature service cannot be used")]
    Feature(#[from] ClientError),
    #[error("the text index failed")]
    Index(#[from] TextError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the {0} of the feature service are no longer followed")]
    Unfollowed(&'static str),
}

impl Classify for SearchError {
    fn kind(&self) -> Kind {
        Kind::Internal
    }
}
