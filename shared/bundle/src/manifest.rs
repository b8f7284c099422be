use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use serde::{Deserialize, Serialize};
use tributary_domain::BundleId;

use crate::{BundleError, Judgement};

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const MANIFEST_HASH: &str = "manifest.sha256";

/// What is in a bundle, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub id: BundleId,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Names the data set that the models were trained on.
    pub data_fingerprint: String,
    pub models: Vec<ModelEntry>,
    /// Files of feature specifications, by name.
    pub specifications: BTreeMap<String, String>,
    /// Results of the evaluation, all finite.
    pub metrics: BTreeMap<String, f64>,
    /// Settings that belong to the models, for example the fusion exponents.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// What the gate said when the bundle was written; `None` where no gate was asked. The store's
    /// record may know better ([`Store::standing`](crate::Store::standing)).
    pub gate: Option<Judgement>,
    /// Every file of the bundle but the manifest and its hash.
    pub files: BTreeMap<String, FileEntry>,
}

impl Manifest {
    /// The model with that name.
    pub fn model(&self, name: &str) -> Option<&ModelEntry> {
        self.models.iter().find(|model| model.name == name)
    }

    /// Name of the data set that the metrics are of; where it is not known, its fingerprint.
    pub fn dataset(&self) -> &str {
        self.text("dataset").unwrap_or(&self.data_fingerprint)
    }

    /// How the metrics were measured; empty where it is not known.
    pub fn protocol(&self) -> &str {
        self.text("protocol").unwrap_or_default()
    }

    fn text(&self, parameter: &str) -> Option<&str> {
        self.parameters.get(parameter)?.as_str()
    }
}

/// One ONNX model of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    pub name: String,
    pub file: String,
    /// File of inputs with their expected outputs.
    pub golden: Option<String>,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
}

/// Size and hash of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Lower-case hexadecimal digits.
    pub sha256: String,
    pub bytes: u64,
}

/// What the writer of a bundle says of it; the rest of the manifest is worked out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManifestParts {
    pub data_fingerprint: String,
    pub models: Vec<ModelEntry>,
    pub specifications: BTreeMap<String, String>,
    pub metrics: BTreeMap<String, f64>,
    pub parameters: serde_json::Map<String, serde_json::Value>,
    pub gate: Option<Judgement>,
}

impl ManifestParts {
    /// Refuses metrics that JSON cannot hold and references to files that are not there.
    pub(crate) fn check(&self, files: &BTreeMap<String, FileEntry>) -> Result<(), BundleError> {
        if let Some((name, value)) = self.metrics.iter().find(|(_, value)| !value.is_finite()) {
            return Err(BundleError::BadMetric { name: name.clone(), value: *value });
        }
        match self.references().find(|(_, file)| !files.contains_key(*file)) {
            Some((what, file)) => Err(BundleError::Unwritten { what, file: file.to_owned() }),
            None => Ok(()),
        }
    }

    fn references(&self) -> impl Iterator<Item = (String, &str)> {
        let models = self.models.iter().flat_map(|model| {
            let what = format!("model {}", model.name);
            let golden = model.golden.iter().map(String::as_str);
            golden.chain([model.file.as_str()]).map(move |file| (what.clone(), file))
        });
        let specifications = self
            .specifications
            .iter()
            .map(|(name, file)| (format!("specification {name}"), file.as_str()));
        models.chain(specifications)
    }
}

/// Accepts a relative path of plain parts; the manifest's own names are taken.
pub(crate) fn check_name(name: &str) -> Result<(), BundleError> {
    let plain = |part| matches!(part, Component::Normal(_));
    let good = !name.is_empty()
        && !name.contains('\\')
        && Path::new(name).components().all(plain)
        && Path::new(name).components().count() == name.split('/').count()
        && name != MANIFEST
        && name != MANIFEST_HASH;
    if good { Ok(()) } else { Err(BundleError::BadName { name: name.to_owned() }) }
}

/// Accepts what may name a folder of the store.
pub(crate) fn check_id(id: &BundleId) -> Result<(), BundleError> {
    let text = id.as_str();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let good = (1..=100).contains(&text.len())
        && text.bytes().all(allowed)
        && text.as_bytes()[0].is_ascii_alphanumeric();
    if good { Ok(()) } else { Err(BundleError::BadId { id: text.to_owned() }) }
}
