use std::{io, path::PathBuf};

use tributary_domain::BundleId;

/// Why a bundle or a store cannot be used. Every variant names the bundle or the path.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{id:?} is not a bundle id: use 1 to 100 of [a-zA-Z0-9_.-], first a letter or digit")]
    BadId { id: String },
    #[error("{name:?} is not a file name inside a bundle: it must be relative, with plain parts")]
    BadName { name: String },
    #[error("bundle {bundle} is not in store {store}")]
    NotFound { bundle: BundleId, store: PathBuf },
    #[error("store {store} has no bundle to roll back to")]
    NoHistory { store: PathBuf },
    #[error("bundle {bundle} has no manifest: {path} does not exist")]
    NoManifest { bundle: BundleId, path: PathBuf },
    #[error("manifest.json of bundle {bundle} does not match its hash in manifest.sha256")]
    ManifestHash { bundle: BundleId },
    #[error("manifest.json of bundle {bundle} cannot be read: {reason}")]
    BadManifest { bundle: BundleId, reason: String },
    #[error("file {file} of bundle {bundle} is missing")]
    MissingFile { bundle: BundleId, file: String },
    #[error("file {file} of bundle {bundle} is not in its manifest")]
    ExtraFile { bundle: BundleId, file: String },
    #[error("file {file} of bundle {bundle} has {found} bytes, the manifest says {expected}")]
    WrongSize { bundle: BundleId, file: String, expected: u64, found: u64 },
    #[error("file {file} of bundle {bundle} is corrupt: its sha256 differs from the manifest's")]
    WrongHash { bundle: BundleId, file: String },
    #[error(
        "bundle {bundle} is blocked by the gate: {}; to publish it all the same, force it with \
         who and why",
        reasons.join("; ")
    )]
    Blocked { bundle: BundleId, reasons: Vec<String> },
    #[error("{what} of the one who forces bundle {bundle} is missing")]
    NotVouched { bundle: BundleId, what: &'static str },
    #[error("line {line} of {path} is not a run of the gate: {reason}")]
    BadGateRun { path: PathBuf, line: usize, reason: String },
    #[error("line {line} of items.jsonl of bundle {bundle} is not an item")]
    BadItem { bundle: BundleId, line: usize, source: serde_json::Error },
    #[error("the draft's {what} names file {file}, which was not written")]
    Unwritten { what: String, file: String },
    #[error("the draft's metric {name} is {value}, which is not finite")]
    BadMetric { name: String, value: f64 },
    #[error("cannot write the draft's manifest")]
    Encode(#[source] serde_json::Error),
    #[error("cannot read or write tensors: {reason}")]
    BadTensors { reason: String },
}

impl BundleError {
    /// Maps an I/O error of doing `action` (a verb) with `path`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
