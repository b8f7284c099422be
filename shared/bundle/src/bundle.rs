use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tributary_domain::{BundleId, Item};

use crate::{
    BundleError, FileEntry, Manifest, disk,
    manifest::{MANIFEST, MANIFEST_HASH, check_name},
};

/// The items, one JSON object a line.
const ITEMS: &str = "items.jsonl";

/// A folder whose every file has the size and hash of its manifest.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    manifest: Manifest,
}

impl Bundle {
    /// Reads the manifest and checks every file against it: no file may be missing, different or
    /// extra. Reads the whole bundle once.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, BundleError> {
        let folder = folder.into();
        let bundle = folder_id(&folder);
        let manifest = read_manifest(&folder, &bundle)?;
        check_listing(&folder, &manifest)?;
        for (name, entry) in &manifest.files {
            check_file(&folder, &bundle, name, entry)?;
        }
        Ok(Self { folder, manifest })
    }

    pub fn id(&self) -> &BundleId {
        &self.manifest.id
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where a file of the bundle lies. The file need not exist.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file's content, checked again against the manifest.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, BundleError> {
        let missing = || BundleError::MissingFile { bundle: self.id().clone(), file: name.into() };
        let entry = self.manifest.files.get(name).ok_or_else(missing)?;
        let path = self.path(name);
        let bytes = fs::read(&path).map_err(BundleError::io("read", path))?;
        if disk::digest(&bytes) != entry.sha256 {
            return Err(BundleError::WrongHash { bundle: self.id().clone(), file: name.into() });
        }
        Ok(bytes)
    }

    /// A file's content where the bundle has it.
    pub fn read_if_present(&self, name: &str) -> Result<Option<Vec<u8>>, BundleError> {
        match self.manifest.files.contains_key(name) {
            true => self.read(name).map(Some),
            false => Ok(None),
        }
    }

    /// The catalogue that the models were trained with, from `items.jsonl`; empty where the bundle
    /// has none.
    pub fn items(&self) -> Result<Vec<Item>, BundleError> {
        let Some(bytes) = self.read_if_present(ITEMS)? else { return Ok(Vec::new()) };
        let lines = bytes.split(|byte| *byte == b'\n').enumerate();
        let item = |(index, line)| {
            serde_json::from_slice(line).map_err(|source| BundleError::BadItem {
                bundle: self.id().clone(),
                line: index + 1,
                source,
            })
        };
        lines.filter(|(_, line)| !line.is_empty()).map(item).collect()
    }
}

fn folder_id(folder: &Path) -> BundleId {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    BundleId::from(name.unwrap_or_else(|| folder.display().to_string()))
}

/// Reads a manifest without looking at the bundle's other files.
pub(crate) fn read_manifest(folder: &Path, bundle: &BundleId) -> Result<Manifest, BundleError> {
    let text = required(folder, bundle, MANIFEST)?;
    let hash = required(folder, bundle, MANIFEST_HASH)?;
    if hash.split_whitespace().next() != Some(disk::digest(text.as_bytes()).as_str()) {
        return Err(BundleError::ManifestHash { bundle: bundle.clone() });
    }
    let refuse = |reason: String| BundleError::BadManifest { bundle: bundle.clone(), reason };
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    if manifest.id != *bundle {
        return Err(refuse(format!("it is of bundle {}", manifest.id)));
    }
    for name in manifest.files.keys() {
        check_name(name).map_err(|error| refuse(error.to_string()))?;
    }
    Ok(manifest)
}

fn required(folder: &Path, bundle: &BundleId, name: &str) -> Result<String, BundleError> {
    let path = folder.join(name);
    disk::read_if_present(&path)?
        .ok_or_else(|| BundleError::NoManifest { bundle: bundle.clone(), path })
}

fn check_listing(folder: &Path, manifest: &Manifest) -> Result<(), BundleError> {
    let mut found = BTreeSet::new();
    list_files(folder, "", &mut found)?;
    let own = |name: &&String| *name != MANIFEST && *name != MANIFEST_HASH;
    match found.iter().filter(own).find(|name| !manifest.files.contains_key(*name)) {
        Some(file) => {
            Err(BundleError::ExtraFile { bundle: manifest.id.clone(), file: file.clone() })
        }
        None => Ok(()),
    }
}

fn list_files(
    folder: &Path,
    prefix: &str,
    found: &mut BTreeSet<String>,
) -> Result<(), BundleError> {
    let entries = fs::read_dir(folder).map_err(BundleError::io("list", folder))?;
    for entry in entries {
        let entry = entry.map_err(BundleError::io("list", folder))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(BundleError::io("look at", entry.path()))?;
        match kind.is_dir() {
            true => list_files(&entry.path(), &format!("{name}/"), found)?,
            false => {
                found.insert(name);
            }
        }
    }
    Ok(())
}

fn check_file(
    folder: &Path,
    bundle: &BundleId,
    name: &str,
    entry: &FileEntry,
) -> Result<(), BundleError> {
    let (bundle, file) = (bundle.clone(), name.to_owned());
    let path = folder.join(name);
    let Ok(metadata) = fs::symlink_metadata(&path) else {
        return Err(BundleError::MissingFile { bundle, file });
    };
    if !metadata.is_file() {
        return Err(BundleError::MissingFile { bundle, file });
    }
    let (expected, found) = (entry.bytes, metadata.len());
    if expected != found {
        return Err(BundleError::WrongSize { bundle, file, expected, found });
    }
    match disk::digest_file(&path)? == entry.sha256 {
        true => Ok(()),
        false => Err(BundleError::WrongHash { bundle, file }),
    }
}
