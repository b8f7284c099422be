use std::string::FromUtf8Error;

use tributary_bundle::BundleError;
use tributary_features::FeatureError;
use tributary_inference::InferenceError;
use tributary_mesh::{Classify, Kind};

/// Why a bundle holds no tower of use, or a user or an item has no vector.
#[derive(Debug, thiserror::Error)]
pub enum TowerError {
    #[error("the files of the tower cannot be read")]
    Bundle(#[from] BundleError),
    #[error("the file of the tower's encoder is not text")]
    NotText(#[source] FromUtf8Error),
    #[error("the tower's encoder is broken")]
    Encoder(#[from] FeatureError),
    #[error("the tower does not work")]
    Model(#[from] InferenceError),
    #[error("the tower gives no output {output:?} with vectors of {dimensions} numbers")]
    NoVectors { output: &'static str, dimensions: usize },
}

impl Classify for TowerError {
    fn kind(&self) -> Kind {
        match self {
            Self::Model(error) if error.is_overload() => Kind::ResourceExhausted,
            _ => Kind::Internal,
        }
    }
}
