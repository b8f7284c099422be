//! The files of a trained system by their names in the bundle.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tributary_bundle::{Golden, ModelEntry, Tensors};

use crate::error::TrainerError;

pub(crate) const ITEMS: &str = "items.jsonl";
pub(crate) const ITEM_VECTORS: &str = "tables/item_vectors.safetensors";
pub(crate) const MULTI_INTEREST_VECTORS: &str = "tables/multi_interest_vectors.safetensors";
pub(crate) const GRAPH_VECTORS: &str = "tables/graph_vectors.safetensors";
pub(crate) const GENRES: &str = "tables/genres.safetensors";
pub(crate) const AUDIENCE: &str = "tables/audience.safetensors";
pub(crate) const FACTORS: &str = "tables/factors.safetensors";
pub(crate) const COLLABORATIVE: &str = "tables/collaborative.safetensors";
pub(crate) const ITEM_STATISTICS: &str = "tables/item_statistics.safetensors";
/// Not a file of the bundle: it becomes the manifest's parameters.
pub(crate) const PARAMETERS: &str = "parameters.json";
pub(crate) const USER_TOWER: &str = "user_tower";
pub(crate) const ITEM_TOWER: &str = "item_tower";
pub(crate) const MULTI_INTEREST_USER: &str = "multi_interest_user";
pub(crate) const MULTI_INTEREST_ITEM: &str = "multi_interest_item";
pub(crate) const RANKER: &str = "ranker";

/// Where a model's network lies.
pub(crate) fn model_file(name: &str) -> String {
    format!("models/{name}.onnx")
}

/// Where a model's golden inputs and outputs lie.
pub(crate) fn golden_file(name: &str) -> String {
    format!("golden/{name}.safetensors")
}

/// Where a fitted encoder lies.
pub(crate) fn encoder_file(name: &str) -> String {
    format!("features/{name}.json")
}

/// Where an encoder's readable specification lies.
pub(crate) fn specification_file(name: &str) -> String {
    format!("features/{name}.toml")
}

/// Files by name, in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Artifacts(BTreeMap<String, Vec<u8>>);

impl Artifacts {
    pub(crate) fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(name.into(), bytes.into());
    }

    /// Takes a file out.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Adds an encoder with its specification.
    pub(crate) fn add_encoder(&mut self, name: &str, encoder: &tributary_features::Encoder) {
        self.add(encoder_file(name), encoder.to_json());
        self.add(specification_file(name), encoder.specification().to_toml());
    }

    /// Adds a network with what it answers to some inputs.
    pub(crate) fn add_model(
        &mut self,
        name: &str,
        onnx: Vec<u8>,
        inputs: Tensors,
        outputs: Tensors,
    ) -> Result<(), TrainerError> {
        self.add(golden_file(name), Golden { inputs, outputs }.to_bytes()?);
        self.add(model_file(name), onnx);
        Ok(())
    }

    /// Takes over all files of another set.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(name, bytes)| (name.clone(), bytes.clone())));
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// The bytes of a file.
    pub(crate) fn get(&self, name: &str) -> Result<&[u8], TrainerError> {
        let missing = || TrainerError::StepMissing { path: PathBuf::from(name), step: "train" };
        self.0.get(name).map(Vec::as_slice).ok_or_else(missing)
    }

    /// A text file.
    pub(crate) fn text(&self, name: &str) -> Result<&str, TrainerError> {
        let not_text = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        std::str::from_utf8(self.get(name)?)
            .map_err(not_text)
            .map_err(TrainerError::file("read", name))
    }

    /// The manifest's entry of a model, its input and output names taken from the golden file.
    pub(crate) fn model_entry(&self, name: &str) -> Result<ModelEntry, TrainerError> {
        let golden = Golden::from_bytes(self.get(&golden_file(name))?)?;
        Ok(ModelEntry {
            name: name.into(),
            file: model_file(name),
            golden: Some(golden_file(name)),
            inputs: golden.inputs.into_keys().collect(),
            outputs: golden.outputs.into_keys().collect(),
        })
    }

    /// Writes all files below a folder, which is emptied before.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainerError> {
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(TrainerError::file("empty", folder))?;
        }
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            let parent = path.parent().expect("a joined path has a parent");
            std::fs::create_dir_all(parent).map_err(TrainerError::file("create", parent))?;
            std::fs::write(&path, bytes).map_err(TrainerError::file("write", &path))?;
        }
        Ok(())
    }

    /// Reads all files below a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, TrainerError> {
        if !folder.exists() {
            return Err(TrainerError::StepMissing { path: folder.into(), step: "train" });
        }
        let mut artifacts = Self::default();
        artifacts.read_below(folder, "")?;
        Ok(artifacts)
    }

    fn read_below(&mut self, folder: &Path, prefix: &str) -> Result<(), TrainerError> {
        let entries = std::fs::read_dir(folder).map_err(TrainerError::file("list", folder))?;
        for entry in entries {
            let entry = entry.map_err(TrainerError::file("list", folder))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let path = entry.path();
            match path.is_dir() {
                true => self.read_below(&path, &format!("{name}/"))?,
                false => {
                    let bytes = std::fs::read(&path).map_err(TrainerError::file("read", &path))?;
                    self.add(name, bytes);
                }
            }
        }
        Ok(())
    }
}
