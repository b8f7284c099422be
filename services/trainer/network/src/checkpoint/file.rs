//! The bytes of a checkpoint.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Array;
use crate::error::NetworkError;

/// The metadata's only key: safetensors keeps several in no certain order.
const KEY: &str = "checkpoint";
const FORMAT: u32 = 1;
/// Settings in which the two runs may differ: how long to train, and on how many threads.
const FREE: [&str; 2] = ["epochs", "threads"];

/// What a checkpoint must agree on with the model that resumes: settings by name, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    model: String,
    settings: BTreeMap<String, String>,
}

impl Identity {
    /// A model by its kind, its settings and the layouts of its inputs.
    pub(crate) fn of(model: &str, config: &impl Serialize, layouts: &impl Serialize) -> Self {
        let json = |value: Result<Value, _>| value.expect("settings are plain data");
        let mut settings = BTreeMap::new();
        if let Value::Object(config) = json(serde_json::to_value(config)) {
            let kept = config.into_iter().filter(|(name, _)| !FREE.contains(&name.as_str()));
            settings.extend(kept.map(|(name, value)| (name, value.to_string())));
        }
        settings.insert("layout".into(), json(serde_json::to_value(layouts)).to_string());
        Self { model: model.into(), settings }
    }

    fn check(&self, saved: &Self) -> Result<(), NetworkError> {
        if saved.model != self.model {
            return Err(refuse(format!("it is of a {}, not of a {}", saved.model, self.model)));
        }
        let absent = "nothing".to_owned();
        for name in self.settings.keys().chain(saved.settings.keys()) {
            let of = |one: &Self| one.settings.get(name).unwrap_or(&absent).clone();
            let (saved, own) = (of(saved), of(self));
            if saved != own {
                let both = match name.as_str() {
                    "layout" => String::new(),
                    _ => format!(": {saved}, not {own}"),
                };
                return Err(refuse(format!("it was made with another {name}{both}")));
            }
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    identity: Identity,
    state: Value,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    /// A [`Header`], as text, so that the checksum does not hang on how JSON is written.
    header: String,
    /// SHA-256 of the header and of all arrays, in hexadecimal digits.
    checksum: String,
}

/// A checkpoint that was read and fits the model.
#[derive(Debug)]
pub(crate) struct Saved<'a, S> {
    pub(crate) state: S,
    file: SafeTensors<'a>,
}

/// The checkpoint's bytes.
pub(crate) fn save(identity: Identity, state: &impl Serialize, arrays: &[Array<'_>]) -> Vec<u8> {
    let state = serde_json::to_value(state).expect("a training's state is plain data");
    let header = Header { format: FORMAT, identity, state };
    let header = serde_json::to_string(&header).expect("a header is plain data");
    let mut order: Vec<&Array<'_>> = arrays.iter().collect();
    order.sort_by(|one, other| one.name.cmp(&other.name));
    let cells = order.iter().map(|array| (array.name.as_str(), to_bytes(array.cells)));
    let checksum = checksum(&header, cells);
    let sealed = serde_json::to_string(&Sealed { header, checksum }).expect("two texts");
    let views = arrays.iter().map(|array| (array.name.as_str(), Cells::new(array.cells)));
    safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), sealed)])))
        .expect("arrays have different names and their own lengths")
}

/// Reads a checkpoint and checks that it is whole and of this model.
pub(crate) fn open<'a, S: DeserializeOwned>(
    identity: &Identity,
    bytes: &'a [u8],
) -> Result<Saved<'a, S>, NetworkError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
    let sealed = metadata.metadata().as_ref().and_then(|texts| texts.get(KEY));
    let sealed = sealed.ok_or_else(|| refuse("it is some other safetensors file"))?;
    let Sealed { header, checksum: expected } = serde_json::from_str(sealed).map_err(unreadable)?;
    let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
    let tensors: BTreeMap<&str, &[u8]> =
        file.iter().map(|(name, view)| (name, view.data())).collect();
    let found = checksum(&header, tensors.iter().map(|(name, data)| (*name, Cow::Borrowed(*data))));
    if found != expected {
        return Err(refuse("its checksum is wrong"));
    }
    let header: Header = serde_json::from_str(&header).map_err(unreadable)?;
    if header.format != FORMAT {
        return Err(refuse(format!("its format is {}, not {FORMAT}", header.format)));
    }
    identity.check(&header.identity)?;
    let state = serde_json::from_value(header.state).map_err(unreadable)?;
    Ok(Saved { state, file })
}

impl<S> Saved<'_, S> {
    /// Copies the saved arrays into the model's. Nothing is changed where one of them is missing
    /// or of another length.
    pub(crate) fn fill(&self, arrays: Vec<Array<'_>>) -> Result<(), NetworkError> {
        let mut pairs = Vec::with_capacity(arrays.len());
        for Array { name, cells } in arrays {
            let found = self.file.tensor(&name).ok();
            let data = found.map(|view| view.data().as_chunks().0).unwrap_or_default();
            if data.len() != cells.len() {
                let (found, expected) = (data.len(), cells.len());
                let reason = format!("array {name} has {found} cells, not {expected}");
                return Err(refuse(reason));
            }
            pairs.push((cells, data));
        }
        for (cells, data) in pairs {
            for (cell, bytes) in cells.iter_mut().zip(data) {
                *cell = f32::from_le_bytes(*bytes);
            }
        }
        Ok(())
    }
}

fn checksum<'a>(header: &str, arrays: impl Iterator<Item = (&'a str, Cow<'a, [u8]>)>) -> String {
    let mut digest = Sha256::new();
    let mut part = |bytes: &[u8]| {
        digest.update(bytes.len().to_le_bytes());
        digest.update(bytes);
    };
    part(header.as_bytes());
    for (name, cells) in arrays {
        part(name.as_bytes());
        part(&cells);
    }
    hex::encode(digest.finalize())
}

fn to_bytes(cells: &[f32]) -> Cow<'_, [u8]> {
    Cow::Owned(cells.iter().flat_map(|cell| cell.to_le_bytes()).collect())
}

/// An array as safetensors takes it; its bytes are made when they are written.
struct Cells<'a> {
    shape: [usize; 1],
    cells: &'a [f32],
}

impl<'a> Cells<'a> {
    fn new(cells: &'a [f32]) -> Self {
        Self { shape: [cells.len()], cells }
    }
}

impl View for Cells<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        to_bytes(self.cells)
    }

    fn data_len(&self) -> usize {
        size_of_val(self.cells)
    }
}

fn refuse(reason: impl Into<String>) -> NetworkError {
    NetworkError::Checkpoint(reason.into())
}

fn unreadable(error: impl std::fmt::Display) -> NetworkError {
    refuse(format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
