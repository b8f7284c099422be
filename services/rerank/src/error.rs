use tributary_bundle::BundleError;
use tributary_domain::FieldError;
use tributary_mesh::{Classify, ClientError, Kind};
use tributary_retrieval::{TableError, vector::VectorError};
use tributary_runtime::ServeError;
use tributary_tower::TowerError;

/// Why a request has no order.
#[derive(Debug, thiserror::Error)]
pub enum RerankError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("{limit} requests are being computed or wait")]
    Overloaded { limit: usize },
    #[error("the computation was cut off")]
    CutOff(#[source] tokio::task::JoinError),
}

impl Classify for RerankError {
    fn kind(&self) -> Kind {
        match self {
            Self::Field(error) => error.kind(),
            Self::Overloaded { .. } => Kind::ResourceExhausted,
            Self::CutOff(_) => Kind::Internal,
        }
    }
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("the file of the item vectors cannot be read")]
    Bundle(#[from] BundleError),
    #[error("the item vectors are broken")]
    Vectors(#[from] TableError),
    #[error("the item vectors cannot be looked up")]
    Index(#[from] VectorError),
    #[error("there is no item tower of use")]
    Tower(#[from] TowerError),
}

/// Why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the address of the feature service is of no use")]
    Feature(#[from] ClientError),
    #[error("there is nothing to compute the vectors of new items with")]
    Inference(#[from] TowerError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the items of the feature service are no longer followed")]
    Unfollowed,
}
