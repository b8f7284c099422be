use std::path::PathBuf;

use crate::{Element, Provider};

/// Why a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    #[error(
        "no ONNX Runtime library: set `library` or ORT_DYLIB_PATH, or fetch it to {expected} \
         (looked upwards from {from})"
    )]
    NoLibrary { expected: &'static str, from: PathBuf },
    #[error("ONNX Runtime library {path} does not exist")]
    LibraryMissing { path: PathBuf },
    #[error("ONNX Runtime library {path} cannot be loaded: {reason}")]
    LibraryBroken { path: PathBuf, reason: String },
    #[error("no execution provider works ({tried})")]
    NoProvider { tried: String },
    #[error("the model cannot be loaded on {provider}")]
    Load { provider: Provider, source: ort::Error },
    #[error("the model's {what} {name} has a type that is not supported: {kind}")]
    Unsupported { what: &'static str, name: String, kind: String },
    #[error("input {name} is missing")]
    MissingInput { name: String },
    #[error("the model has no input {name} (it has {known})")]
    UnknownInput { name: String, known: String },
    #[error("input {name} has elements {found:?}, the model takes {expected:?}")]
    WrongElement { name: String, expected: Element, found: Element },
    #[error("input {name} has shape {found:?}, the model takes {expected}")]
    WrongShape { name: String, expected: String, found: Vec<usize> },
    #[error("input {name} has {found} rows, the others have {expected}")]
    UnevenRows { name: String, expected: usize, found: usize },
    #[error("there are no rows to compute")]
    NoRows,
    #[error("the model cannot be run")]
    Run(#[source] ort::Error),
    #[error("output {name} has shape {found:?}, which does not split into {rows} rows")]
    UnsplitOutput { name: String, rows: usize, found: Vec<usize> },
    #[error("the inference queue is full")]
    Overloaded,
    #[error("the inference threads have stopped")]
    Stopped,
    #[error("an inference thread cannot be started")]
    Thread(#[source] std::io::Error),
    #[error("golden output {name} is not what the model answers: {reason}")]
    Golden { name: String, reason: String },
}

impl InferenceError {
    /// True where the caller should try elsewhere or later.
    pub fn is_overload(&self) -> bool {
        matches!(self, Self::Overloaded)
    }
}
