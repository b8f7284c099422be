use std::string::FromUtf8Error;

use tributary_bundle::BundleError;
use tributary_features::FeatureError;
use tributary_inference::InferenceError;
use tributary_mesh::{Classify, Kind};
use tributary_retrieval::{TableError, vector::VectorError};
use tributary_runtime::ServeError;

/// Why a bundle is of no use to this channel, a user has no list, or the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum TwoTowerError {
    #[error("the two-tower files of the bundle cannot be read")]
    Bundle(#[from] BundleError),
    #[error("the file of the user tower's encoder is not text")]
    NotText(#[source] FromUtf8Error),
    #[error("the user tower's encoder is broken")]
    Encoder(#[from] FeatureError),
    #[error("the item vectors are broken")]
    Vectors(#[from] TableError),
    #[error("the item vectors cannot be indexed or searched")]
    Index(#[from] VectorError),
    #[error("the user tower does not work")]
    Tower(#[from] InferenceError),
    #[error("the user tower gives no output \"vector\" of {dimensions} numbers a user")]
    NoVector { dimensions: usize },
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl Classify for TwoTowerError {
    fn kind(&self) -> Kind {
        match self {
            Self::Tower(error) if error.is_overload() => Kind::ResourceExhausted,
            _ => Kind::Internal,
        }
    }
}
