//! Versioned model bundles: one folder that holds all that must agree, found through one pointer.
//!
//! A bundle is written as a [`Draft`], becomes a folder of the [`Store`] at once, and is served
//! only after [`Store::publish`] moved the store's pointer to it. Whoever opens a [`Bundle`] has
//! checked the size and hash of every file, so that nothing corrupt or half-written is ever used.
//! [`Served`] follows the pointer in a running service.
//!
//! The store on disk:
//!
//! ```text
//! <store>/bundles/<id>/manifest.json, manifest.sha256 and the files that the manifest lists
//! <store>/drafts/      folders that are still being written
//! <store>/current      the id of the published bundle
//! <store>/history      ids published before, one a line, oldest first
//! <store>/gate.jsonl   what the gate said of each bundle, one JSON object a line, oldest first
//! <store>/lock         held while the pointer moves or the gate's record grows
//! ```

mod bundle;
mod disk;
mod draft;
mod error;
mod gate;
mod golden;
mod manifest;
mod metrics;
mod served;
mod store;
mod tensor;

pub use bundle::Bundle;
pub use draft::Draft;
pub use error::BundleError;
pub use gate::{Forced, GateRun, Judgement, Standing, Verdict};
pub use golden::Golden;
pub use manifest::{FileEntry, Manifest, ManifestParts, ModelEntry};
pub use served::{LoadError, Loaded, Refused, Served, StoreConfig};
pub use store::{Store, Summary};
pub use tensor::{Tensor, Tensors};
