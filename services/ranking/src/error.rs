use tributary_bundle::BundleError;
use tributary_domain::FieldError;
use tributary_features::FeatureError;
use tributary_inference::InferenceError;
use tributary_mesh::{Classify, Kind};
use tributary_retrieval::affinity::AffinityError;
use tributary_slate::fusion::FusionError;

/// Why a request has no scores.
#[derive(Debug, thiserror::Error)]
pub enum RankingError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("no bundle published yet; run `trainer run`")]
    NotReady,
    #[error("too many requests are in progress")]
    Overloaded,
    #[error("the ranking model failed")]
    Inference(#[source] InferenceError),
    #[error("the encoding of a request was cut off")]
    Encoding(#[source] tokio::task::JoinError),
}

impl From<InferenceError> for RankingError {
    fn from(error: InferenceError) -> Self {
        if error.is_overload() { Self::Overloaded } else { Self::Inference(error) }
    }
}

impl Classify for RankingError {
    fn kind(&self) -> Kind {
        match self {
            Self::Field(error) => error.kind(),
            // Not UNAVAILABLE: the endpoint is well, and says what is missing.
            Self::NotReady => Kind::FailedPrecondition,
            Self::Overloaded => Kind::ResourceExhausted,
            Self::Inference(_) | Self::Encoding(_) => Kind::Internal,
        }
    }
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("the bundle has no model \"ranker\"")]
    NoRanker,
    #[error("file {file} is not UTF-8 text")]
    Text { file: String, source: std::string::FromUtf8Error },
    #[error("the ranker's features are broken")]
    Features(#[from] FeatureError),
    #[error("the tables that the ranker's features ask are of no use")]
    Affinities(#[from] AffinityError),
    #[error("the ranker does not work")]
    Inference(#[from] InferenceError),
    #[error("parameter \"fusion\" of the manifest is not a number for each task")]
    Parameter(#[source] serde_json::Error),
    #[error("the scores of the tasks cannot be fused")]
    Fusion(#[from] FusionError),
    #[error("output {task} of the ranker has shape {shape:?}, not one number a row")]
    Output { task: String, shape: Vec<usize> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_row_in_the_table() {
        for (error, kind) in [
            (FieldError::new("item_ids", "empty").into(), Kind::InvalidArgument),
            (RankingError::NotReady, Kind::FailedPrecondition),
            (InferenceError::Overloaded.into(), Kind::ResourceExhausted),
            (InferenceError::Stopped.into(), Kind::Internal),
        ] {
            assert_eq!(RankingError::kind(&error), kind, "{error}");
        }
    }
}
