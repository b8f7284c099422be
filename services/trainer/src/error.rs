use std::path::PathBuf;

use tributary_domain::BundleId;

use crate::{data::DataError, evaluate::EvaluationError, models::ModelError};

/// What can stop the job. Every message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum TrainerError {
    #[error("cannot read the data set")]
    Data(#[from] DataError),
    #[error("cannot train")]
    Model(#[from] ModelError),
    #[error("cannot evaluate")]
    Evaluation(#[from] EvaluationError),
    #[error("cannot {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} is not a valid configuration: correct the named key", path.display())]
    Config { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{} is damaged: run the step that writes it again", path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error("{} is missing: run `trainer {step}` with the same --work first", path.display())]
    StepMissing { path: PathBuf, step: &'static str },
    #[error("{} is not a feature specification: correct what follows", path.display())]
    Specification { path: PathBuf, source: tributary_features::FeatureError },
    #[error("cannot run the exported models")]
    Runtime(#[source] tributary_inference::InferenceError),
    #[error(
        "the export of {model} does not answer as the trained model; nothing was written to the \
         store"
    )]
    Golden { model: String, source: tributary_inference::InferenceError },
    #[error(
        "bundle {bundle} is written, not published; the gate blocks it:\n  - {}\nlook into it, or \
         publish it all the same: trainer gate --store {} --bundle {bundle} --publish --force \
         --by NAME --reason TEXT", reasons.join("\n  - "), store.display()
    )]
    Blocked { bundle: BundleId, store: PathBuf, reasons: Vec<String> },
    #[error("store {} has no bundle: `trainer run` writes one", store.display())]
    NoBundle { store: PathBuf },
    #[error("cannot read or write a bundle; the store's current bundle is as it was")]
    Bundle(#[from] tributary_bundle::BundleError),
}

impl TrainerError {
    /// Maps an I/O error of `path`; `action` is a verb, such as "read".
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
